"""Dataset labels to logits, matched by class name."""

from __future__ import annotations

from collections.abc import Sequence

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel


def labels_for(model: VisionModel, dataset: Dataset, numbers: Sequence[int]) -> list[int]:
    """Find the logit that stands for each image's class: by its name, if both have names.

    Raises
    ------
    FeatvizError
        If an image has no label, or the names or numbers of classes do not fit together.
    """
    found = dataset.labels(numbers)
    if min(found, default=0) < 0:
        raise FeatvizError(f"{dataset.name} has images without labels, so no effect on them")
    ours, theirs = ([_plain(name) for name in names] for names in (model.classes, dataset.classes))
    if not ours or not theirs or ours == theirs:
        return found
    places = {name: place for place, name in enumerate(ours)}
    unknown = [
        name
        for name in dict.fromkeys(dataset.classes[one] for one in found)
        if _plain(name) not in places
    ]
    if not unknown:
        return [places[theirs[one]] for one in found]
    if len(ours) == len(theirs):
        return found
    raise FeatvizError(
        f"{model.name} has {len(ours)} classes, and none of them is called {unknown[0]}, as a "
        f"class of {dataset.name} is"
    )


def classes_for(model: VisionModel, dataset: Dataset, numbers: Sequence[int]) -> tuple[str, ...]:
    """Name the labels that `labels_for` finds: the model's names where they go by these."""
    own = dataset.labels(numbers)
    by_name = labels_for(model, dataset, numbers) != own
    return tuple(model.classes) if by_name else tuple(dataset.classes)


def _plain(name: str) -> str:
    return name.strip().casefold().replace("_", " ")
