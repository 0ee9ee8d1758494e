"""Labels of a dataset as indices of a model's logits, matched by class name."""

from __future__ import annotations

from collections.abc import Sequence

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel


def labels_for(model: VisionModel, dataset: Dataset, indices: Sequence[int]) -> list[int]:
    """Find the logit of each image's class: by its name, if model and dataset both have names.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    indices : sequence of int
        Indices of images.

    Returns
    -------
    list of int
        Indices of logits.

    Raises
    ------
    FeatvizError
        If an image has no label, or the classes of dataset and model do not match.
    """
    found = dataset.labels(indices)
    if min(found, default=0) < 0:
        raise FeatvizError(f"{dataset.name} has images without labels; effects need labels")
    ours, theirs = (
        [_normalized(name) for name in names] for names in (model.classes, dataset.classes)
    )
    if not ours or not theirs or ours == theirs:
        return found
    logits = {name: logit for logit, name in enumerate(ours)}
    unknown = [
        name
        for name in dict.fromkeys(dataset.classes[label] for label in found)
        if _normalized(name) not in logits
    ]
    if not unknown:
        return [logits[theirs[label]] for label in found]
    if len(ours) == len(theirs):
        return found
    raise FeatvizError(
        f"none of the {len(ours)} classes of {model.name} is called {unknown[0]!r}, a class of "
        f"{dataset.name}"
    )


def classes_for(model: VisionModel, dataset: Dataset, indices: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the labels that `labels_for` returns; see `labels_for`."""
    by_name = labels_for(model, dataset, indices) != dataset.labels(indices)
    return tuple(model.classes) if by_name else tuple(dataset.classes)


def _normalized(name: str) -> str:
    return name.strip().casefold().replace("_", " ")
