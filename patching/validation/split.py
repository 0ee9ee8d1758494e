"""Which images serve to choose and estimate, and which to claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.effects.labels import classes_for, labels_for
from patching.validation.control_test import Indices

TURNS = 3
"""The first of so many images of a class serves to choose and estimate, the others to claim."""

LEAST = 30
"""Images of a class, of which 20 are tests; classes with fewer are left out. The bootstrap over a
handful of images takes them for all there are, and its p-values are far too small."""


class Labeled(NamedTuple):
    """A class: its name, and the logit that stands for it."""

    name: str
    logit: int


@dataclass(frozen=True)
class Split:
    """N images in two parts of each class.

    Attributes
    ----------
    numbers : list of int
        Of the images in the dataset.
    classes : list of Labeled
        In the order of logits.
    place : array, shape (N,)
        Class of each image, as a place among `classes`.
    reference, test : arrays
        Places of images among the N, ascending. What is chosen or estimated comes from the former;
        what is claimed, from the latter.
    donors : array, shape (N,)
        For each image, a reference image of another class.
    """

    numbers: list[int]
    classes: list[Labeled]
    place: Indices
    reference: Indices
    test: Indices
    donors: Indices


def images_of(dataset: Dataset, count: int) -> list[int]:
    """Choose images to validate on: rather fewer classes than fewer than `LEAST` images of each.

    Where `count` images are `LEAST` of every class, they are those of
    `featviz.data.datasets.Dataset.numbers`. Else all labels are read, and of the classes with `LEAST`
    images as many as fit, evenly spaced in the order of labels, get the same share, evenly spaced
    in the order of the data.

    Returns
    -------
    list of int
        Numbers of at most `count` images, ascending; of two classes at least.

    Raises
    ------
    FeatvizError
        If `count` is below 1, or an image must be read for its label and cannot be.
    """
    room = max(count // LEAST, 2)
    if count < 1 or len(dataset.classes) <= room:
        return dataset.numbers(count)
    labels = np.array(dataset.labels(range(len(dataset))), np.int64)
    names, sizes = np.unique(labels[labels >= 0], return_counts=True)
    large = names[sizes >= LEAST]
    kept = large[_spaced(len(large), min(room, len(large)))]
    found = []
    for one in kept:
        own = np.flatnonzero(labels == one)
        found.append(own[_spaced(len(own), min(count // len(kept), len(own)))])
    return sorted(np.concatenate(found).tolist()) if found else dataset.numbers(count)


def _spaced(length: int, count: int) -> Indices:
    """Choose so many places of a row, evenly spaced."""
    return np.arange(count) * length // max(count, 1)


def split(model: VisionModel, dataset: Dataset, numbers: Sequence[int], seed: int = 0) -> Split:
    """Split the images of each class in turn.

    Parameters
    ----------
    seed : int
        Names the random stream that donors are drawn from.

    Raises
    ------
    FeatvizError
        If an image has no label, the classes are not the model's, or fewer than two of them have
        `LEAST` images.
    """
    logits = np.array(labels_for(model, dataset, numbers), np.int64)
    names = classes_for(model, dataset, numbers)
    kept = [one for one in np.unique(logits) if np.count_nonzero(logits == one) >= LEAST]
    if len(kept) < 2:
        raise FeatvizError(
            f"{len(numbers)} images of {dataset.name} have {len(kept)} classes with at least "
            f"{LEAST} images; two such classes are needed"
        )
    chosen = np.flatnonzero(np.isin(logits, kept))
    place = np.searchsorted(kept, logits[chosen])
    turn = np.zeros(len(chosen), np.int64)
    for one in range(len(kept)):
        own = np.flatnonzero(place == one)
        turn[own] = np.arange(len(own))
    first = turn % TURNS == 0
    reference, test = np.flatnonzero(first), np.flatnonzero(~first)
    classes = [Labeled(names[one] if one < len(names) else str(one), int(one)) for one in kept]
    return Split(
        [numbers[one] for one in chosen.tolist()],
        classes,
        place,
        reference,
        test,
        _donors(place, reference, np.random.default_rng(seed)),
    )


def _donors(place: Indices, reference: Indices, generator: np.random.Generator) -> Indices:
    strangers = [reference[place[reference] != one] for one in place]
    return np.array([generator.choice(some) for some in strangers], np.int64)
