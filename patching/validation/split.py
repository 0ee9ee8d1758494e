"""Split of labeled images: reference images for estimates, held-out images for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.effects.bootstrap import Indices
from patching.effects.labels import Labels, labels_for

REFERENCE_EVERY = 3
"""Every third image of a class, starting with the first, is a reference image."""

MIN_PER_CLASS = 30
"""Images of a class, of which 20 are held out; smaller classes are left out. A bootstrap over a
handful of images underestimates their variation, and its p-values are far too small."""


class LabeledClass(NamedTuple):
    """A class: its name, and the index of its logit."""

    name: str
    logit: int


@dataclass(frozen=True)
class Split:
    """N images, split in two within each class.

    Attributes
    ----------
    indices : list of int
        Indices of the images in the dataset.
    classes : list of LabeledClass
        In the order of logits.
    labels : array, shape (N,)
        Class of each image, as an index into `classes`.
    reference, test : arrays
        Indices among the N images, ascending: reference images, for all choices and estimates, and
        held-out images, for all tests.
    donors : array, shape (N,)
        For each image, a random reference image of another class.
    """

    indices: list[int]
    classes: list[LabeledClass]
    labels: Indices
    reference: Indices
    test: Indices
    donors: Indices

    @property
    def logits(self) -> list[int]:
        """Index of each class's logit."""
        return [each.logit for each in self.classes]

    @property
    def image_labels(self) -> Labels:
        """Index of the logit of each image's class, and the names."""
        names = {each.logit: each.name for each in self.classes}
        return Labels(
            [self.logits[label] for label in self.labels.tolist()],
            tuple(names.get(logit, str(logit)) for logit in range(max(names) + 1)),
        )

    def reference_of(self, label: int) -> Indices:
        """Return the reference images of the class with index `label`."""
        found: Indices = self.reference[self.labels[self.reference] == label]
        return found

    def tests_of(self, label: int) -> Indices:
        """Return the held-out images of the class with index `label`."""
        found: Indices = self.test[self.labels[self.test] == label]
        return found

    def among_tests(self, images: Indices) -> Indices:
        """Return the position of each of some held-out `images` in `test`."""
        return np.searchsorted(self.test, images)


def choose_images(dataset: Dataset, count: int) -> list[int]:
    """Choose images to validate on, with at least `MIN_PER_CLASS` images of each class.

    If `count` images are enough for `MIN_PER_CLASS` of every class, they are those of
    `featviz.data.datasets.Dataset.indices`. Otherwise all labels are read. Of the classes with
    `MIN_PER_CLASS` images, as many as fit are chosen, evenly spaced in the order of labels; each
    gets the same number of images, evenly spaced in the order of the data.

    Parameters
    ----------
    dataset : Dataset
    count : int
        Maximum number of images.

    Returns
    -------
    list of int
        Indices of images, ascending; of at least two classes.

    Raises
    ------
    FeatvizError
        If `count` is below 1, or an image must be read for its label and cannot be.
    """
    fitting = max(count // MIN_PER_CLASS, 2)
    if count < 1 or dataset.count_classes() <= fitting:
        return dataset.indices(count)
    labels = np.array(dataset.labels(range(len(dataset))), np.int64)
    unique, sizes = np.unique(labels[labels >= 0], return_counts=True)
    large = unique[sizes >= MIN_PER_CLASS]
    kept = large[_evenly_spaced(len(large), min(fitting, len(large)))]
    found = []
    for label in kept:
        own = np.flatnonzero(labels == label)
        found.append(own[_evenly_spaced(len(own), min(count // len(kept), len(own)))])
    return sorted(np.concatenate(found).tolist()) if found else dataset.indices(count)


def _evenly_spaced(length: int, count: int) -> Indices:
    return np.arange(count) * length // max(count, 1)


def split(model: VisionModel, dataset: Dataset, indices: Sequence[int], seed: int = 0) -> Split:
    """Split the images of each class into reference and held-out images, in their order.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    indices : sequence of int
        Indices of images.
    seed : int
        Random seed of the donors.

    Returns
    -------
    Split
        Without the images of classes that have fewer than `MIN_PER_CLASS`.

    Raises
    ------
    FeatvizError
        If an image has no label, the classes are not the model's, or fewer than two of them have
        `MIN_PER_CLASS` images.
    """
    found, names = labels_for(model, dataset, indices)
    logits = np.array(found, np.int64)
    kept = [one for one in np.unique(logits) if np.count_nonzero(logits == one) >= MIN_PER_CLASS]
    if len(kept) < 2:
        raise FeatvizError(
            f"{len(indices)} images of {dataset.name} have {len(kept)} classes with at least "
            f"{MIN_PER_CLASS} images; two such classes are needed"
        )
    chosen = np.flatnonzero(np.isin(logits, kept))
    labels = np.searchsorted(kept, logits[chosen])
    position = np.zeros(len(chosen), np.int64)
    for label in range(len(kept)):
        own = np.flatnonzero(labels == label)
        position[own] = np.arange(len(own))
    is_reference = position % REFERENCE_EVERY == 0
    reference, test = np.flatnonzero(is_reference), np.flatnonzero(~is_reference)
    return Split(
        [indices[image] for image in chosen.tolist()],
        [LabeledClass(names[one] if one < len(names) else str(one), int(one)) for one in kept],
        labels,
        reference,
        test,
        _donors(labels, reference, np.random.default_rng(seed)),
    )


def _donors(labels: Indices, reference: Indices, generator: np.random.Generator) -> Indices:
    others = [reference[labels[reference] != label] for label in labels]
    return np.array([generator.choice(images) for images in others], np.int64)
