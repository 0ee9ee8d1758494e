"""Accuracy on labeled images: whether statements about their classes mean anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.effects.labels import classes_for, labels_for
from patching.effects.metrics import check_labels
from patching.forward.memory import batches

SAMPLE = 128
"""Images on which a model is tried before a long job; the standard error is then below 5 %."""


def misfit(
    model: VisionModel, dataset: Dataset, indices: Sequence[int], predicted: Tensor | None = None
) -> str:
    """Describe how a model misclassifies most images, if it does.

    Then the labels are probably not those that the model was trained with.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    indices : sequence of int
        Indices of N labeled images.
    predicted : Tensor of int64, shape (N,), optional
        Index of each image's largest logit; computed by default.

    Returns
    -------
    str
        See `misfit_line`; also names the most frequent error.

    Raises
    ------
    FeatvizError
        If an image cannot be read, or its class is not one of the model; see
        `patching.effects.labels.labels_for`.
    """
    labels = labels_for(model, dataset, indices)
    if predicted is None:
        predicted = _predict(model, dataset, indices, labels)
    pairs = list(zip(labels, predicted.tolist(), strict=True))
    errors = Counter(pair for pair in pairs if pair[0] != pair[1])
    line = misfit_line(model, dataset, len(pairs) - errors.total(), len(pairs))
    if not line:
        return ""
    names = classes_for(model, dataset, indices)
    label, other = errors.most_common(1)[0][0]
    own, wrong = _name(names, label), _name(model.classes or names, other)
    return f"{line}; the most frequent error is {wrong} for {own}"


def misfit_line(model: VisionModel, dataset: Dataset, right: int, count: int) -> str:
    """Describe an accuracy below 1/2.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    right, count : int
        Number of images that are classified correctly, and of all.

    Returns
    -------
    str
        The accuracy and possible causes; empty if at least half of the images are right.
    """
    if 2 * right >= count:
        return ""
    return (
        f"{model.name} classifies {right} of {count} images of {dataset.name} correctly "
        f"({100 * right / count:.0f} %); it may have been trained on other classes, or on these in "
        "another order"
    )


def _name(names: Sequence[str], index: int) -> str:
    return repr(names[index]) if index < len(names) else f"class {index}"


def _predict(
    model: VisionModel, dataset: Dataset, indices: Sequence[int], labels: Sequence[int]
) -> Tensor:
    found = []
    with eval_mode(model.module), torch.no_grad():
        for part in batches(model, indices):
            images = torch.stack([dataset.image(index, model.image_size) for index in part])
            logits = model(images.to(model.device))
            check_labels(labels, logits.shape[1])
            found.append(logits.argmax(1).cpu())
    return torch.cat(found)
