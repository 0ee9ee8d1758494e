"""Labels of a dataset as indices of a model's logits: the only place that matches classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from featviz.data.class_names import is_wordnet_id, whole_numbers
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.effects.name_matching import matches, same_order


class Labels(NamedTuple):
    """Labels of images as indices of logits.

    Attributes
    ----------
    logits : list of int
        Index of the logit of each image's class; without a classifier its label in the dataset.
    names : tuple of str
        Names of the logits, as many as needed for the classes of the images; empty if unknown.
    """

    logits: list[int]
    names: tuple[str, ...]


def labels_for(model: VisionModel, dataset: Dataset, indices: Sequence[int]) -> Labels:
    """Find the logit of each image's class.

    In this order: by WordNet id, if the classes of the model are those of ImageNet; by name, where
    every synonym of a name with commas counts; by the number, if the names of the dataset are whole
    numbers; by position, if model and dataset have as many classes and no name contradicts it, or
    one of them has no names.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    indices : sequence of int
        Indices of images.

    Returns
    -------
    Labels

    Raises
    ------
    FeatvizError
        If an image has no label, the classes of dataset and model do not match, or a label is not
        below the number of logits.
    """
    found = dataset.labels(indices)
    if min(found, default=0) < 0:
        raise FeatvizError(f"{dataset.name} has images without labels; effects need labels")
    count = len(model.classes) or count_outputs(model)
    logits = _logits(model, count, dataset, dict.fromkeys(found))
    for label, logit in logits.items():
        if logit >= count:
            names = dataset.classes
            name = f"class {names[label]!r}" if names else "a class"
            raise FeatvizError(
                f"{name} of {dataset.name} has label {label}, but the logits of {model.name} are "
                f"0 to {count - 1}"
            )
    return Labels([logits[label] for label in found], _names(model, dataset, logits))


def _names(model: VisionModel, dataset: Dataset, logits: Mapping[int, int]) -> tuple[str, ...]:
    """Name the logits of the labels of a dataset."""
    if all(label == logit for label, logit in logits.items()):
        return tuple(dataset.classes)
    if model.classes:
        return tuple(model.classes)
    names = {logit: dataset.classes[label] for label, logit in logits.items()}
    return tuple(names.get(logit, str(logit)) for logit in range(max(names) + 1))


def _logits(
    model: VisionModel, count: int, dataset: Dataset, used: Iterable[int]
) -> dict[int, int]:
    """Find the logits, of a model with `count` logits, of the labels that are used."""
    names, position = dataset.classes, {label: label for label in used}
    if dataset.wordnet_ids and (synsets := _synsets(model, count, len(names))):
        by_id = {each: logit for logit, each in enumerate(synsets)}
        for label in position:
            if dataset.wordnet_ids[label] not in by_id:
                raise _unknown(model, dataset, label)
        return {label: by_id[dataset.wordnet_ids[label]] for label in position}
    if not names:
        return position
    numbers = whole_numbers(names)
    found = matches(names, model.classes)
    if numbers is not None and not all(found[label] for label in position):
        for label in position:
            if model.classes and numbers[label] >= len(model.classes):
                raise FeatvizError(
                    f"class {names[label]} of {dataset.name} is none of {model.name}, whose "
                    f"{len(model.classes)} classes are 0 to {len(model.classes) - 1}; class names "
                    "that are numbers count from 0"
                )
        return {label: numbers[label] for label in position}
    if not model.classes or same_order(found, len(model.classes)):
        return position
    return _by_name(model, dataset, {label: found[label] for label in position})


def _by_name(model: VisionModel, dataset: Dataset, found: dict[int, list[int]]) -> dict[int, int]:
    """Return the only logit that matches each label."""
    names, taken = dataset.classes, dict[int, int]()
    for label, logits in found.items():
        if not logits:
            raise _unknown(model, dataset, label)
        if len(logits) > 1:
            either = " or ".join(f"{one} ({model.classes[one]})" for one in logits)
            raise FeatvizError(
                f"class {names[label]!r} of {dataset.name} may be class {either} of {model.name}; "
                "use its full name, or WordNet ids for ImageNet"
            )
        other = taken.setdefault(logits[0], label)
        if other != label:
            raise FeatvizError(
                f"{names[other]!r} and {names[label]!r} of {dataset.name} are both class "
                f"{logits[0]} ({model.classes[logits[0]]}) of {model.name}; use full names, or "
                "WordNet ids for ImageNet"
            )
    return {label: logit for logit, label in taken.items()}


def _unknown(model: VisionModel, dataset: Dataset, label: int) -> FeatvizError:
    count = len(model.classes) or "ImageNet"
    return FeatvizError(
        f"none of the {count} classes of {model.name} is called {dataset.classes[label]!r}, a "
        f"class of {dataset.name}"
    )


def _synsets(model: VisionModel, logits: int, labels: int) -> list[str]:
    """Return the WordNet ids of the logits, or none if they are not those of ImageNet.

    A model without class names has those of ImageNet if it has as many logits, and the dataset
    has another number of labels.
    """
    classes = model.classes
    if classes and all(map(is_wordnet_id, classes)):
        return list(classes)
    subset = infer_imagenet_subset({"num_classes": logits})
    if subset is None or (not classes and logits == labels):
        return []
    known = ImageNetInfo(subset)
    names = [known.index_to_description(logit) for logit in range(logits)]
    if classes and list(classes) != names:
        found = matches(names, classes)
        alike = sum(label in best for label, best in enumerate(found))
        if not same_order(found, len(classes)) or alike < len(classes) / 2:
            return []
    return [known.index_to_label_name(logit) for logit in range(logits)]


def count_outputs(model: VisionModel) -> int:
    """Count the logits of a model, or the numbers of its embedding, by one forward pass.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    int
    """
    image = torch.zeros(1, 3, model.image_size, model.image_size, device=model.device)
    with eval_mode(model.module), torch.no_grad():
        return model(image).shape[-1]
