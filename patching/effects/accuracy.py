"""Accuracy on labeled images: whether statements about their classes mean anything."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.effects.labels import Labels
from patching.effects.metrics import check_labels
from patching.forward.memory import batches

SAMPLE = 128
"""Images on which a model is tried before a long job; the standard error is then below 5 %."""


class LowAccuracyError(FeatvizError):
    """A model misclassifies most images."""


def check_accuracy(
    model: VisionModel,
    dataset: Dataset,
    indices: Sequence[int],
    labels: Labels,
    refuse: bool = True,
    advice: str = "",
) -> None:
    """Refuse a model that misclassifies most images, or warn.

    Then the labels may not be those that the model was trained with. Models with random weights are
    not checked: they are the control of an experiment.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    indices : sequence of int
        Indices of N labeled images, of which `SAMPLE` are classified, evenly spaced in the order of
        their labels.
    labels : Labels
        Those of the N images.
    refuse : bool
        False warns instead.
    advice : str
        End of the message of the error.

    Raises
    ------
    LowAccuracyError
        If the accuracy is below 1/2.
    FeatvizError
        If an image cannot be read, or its label is not below the number of logits.
    """
    if model.load_options.untrained:
        return
    order = sorted(range(len(indices)), key=labels.logits.__getitem__)
    count = min(SAMPLE, len(order))
    sample = [order[step * len(order) // count] for step in range(count)]
    expected = [labels.logits[each] for each in sample]
    predicted = _predict(model, dataset, [indices[each] for each in sample], expected)
    pairs = zip(expected, predicted.tolist(), strict=True)
    errors = Counter(pair for pair in pairs if pair[0] != pair[1])
    right = count - errors.total()
    message = low_accuracy_message(model, dataset, right, count)
    if not message:
        return
    label, other = errors.most_common(1)[0][0]
    own, wrong = _name(labels.names, label), _name(model.classes or labels.names, other)
    message += f"; the most frequent error is {wrong} for {own}"
    if refuse:
        raise LowAccuracyError(message + advice)
    warnings.warn(message, stacklevel=3)


def low_accuracy_message(model: VisionModel, dataset: Dataset, right: int, count: int) -> str:
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
            logits = model(dataset.images(part, model.image_size).to(model.device))
            check_labels(labels, logits.shape[1])
            found.append(logits.argmax(1).cpu())
    return torch.cat(found)
