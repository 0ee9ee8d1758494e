from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import featviz
from benchmarks.planted import Marked, planted
from featviz import FeatvizError
from featviz.data.datasets import Dataset, open_data
from patching.validation.split import MIN_PER_CLASS, choose_images, split
from tests.patching.validation.worlds import ManyClasses, images


def test_no_image_is_both_a_reference_and_a_held_out_image() -> None:
    found = images()
    assert sorted([*found.reference, *found.test]) == list(range(160))
    for label in range(4):
        for part, own, count in (
            (found.reference, found.reference_of(label), 14),
            (found.test, found.tests_of(label), 26),
        ):
            assert own.tolist() == [image for image in part if found.labels[image] == label]
            assert len(own) == count
    assert found.test[found.among_tests(found.tests_of(2))].tolist() == found.tests_of(2).tolist()


def test_the_donor_of_an_image_is_a_reference_image_of_another_class() -> None:
    found = images()
    assert set(found.donors) <= set(found.reference)
    assert (found.labels[found.donors] != found.labels).all()
    assert len(set(found.donors)) > 40


def test_classes_of_the_data_are_matched_to_logits_by_name() -> None:
    model, data = featviz.load("cueworld/vit"), open_data("cueworld:40")
    model = replace(model, classes=tuple(reversed(data.classes)))
    found = split(model, open_data("cueworld:540"), range(540))
    assert [each.name for each in found.classes] == list(model.classes)
    assert found.logits == list(range(18))
    labels = data.labels(range(18))
    for image, index in enumerate(found.indices[:18]):
        assert found.classes[found.labels[image]].name == data.classes[labels[index]]


def test_a_class_with_fewer_than_thirty_images_is_left_out() -> None:
    model, dataset = planted(0)
    found = split(model, dataset, list(range(119)))
    # Class 3 has 29 of them.
    assert found.logits == [0, 1, 2]
    assert len(found.indices) == 90
    assert np.bincount(found.labels[found.test]).tolist() == [20, 20, 20]


def test_images_of_one_class_are_refused() -> None:
    model, dataset = planted(0)
    with pytest.raises(FeatvizError, match="have 1 classes with at least 30 images; two"):
        split(model, dataset, list(range(0, 160, 4)))


def test_images_without_labels_are_refused() -> None:
    model, dataset = planted(0)

    class Unlabeled(Marked):
        def label(self, index: int) -> int:
            return -1 - index

    marks = planted(0)[1]._source.marks  # type: ignore[attr-defined]
    unlabeled = Dataset("unlabeled", dataset.classes, Unlabeled(marks, 0))
    with pytest.raises(FeatvizError, match="unlabeled has images without labels"):
        split(model, unlabeled, list(range(160)))


def test_with_many_classes_some_are_left_out_and_the_others_keep_thirty_images() -> None:
    source = ManyClasses()
    indices = choose_images(Dataset("many", source.classes, source), 2000)
    labels = np.array([source.label(index) for index in indices])
    chosen, counts = np.unique(labels, return_counts=True)
    assert set(counts) == {MIN_PER_CLASS}
    assert len(chosen) == 2000 // MIN_PER_CLASS == 66
    # No class of 25 images; the others evenly spaced, from the first to the last.
    assert (source.sizes[chosen] >= MIN_PER_CLASS).all()
    assert np.diff(chosen).max() <= 6
    assert indices == sorted(set(indices))
    # Images of a class are evenly spaced too.
    second = [index for index in indices if source.label(index) == 1]
    assert (min(second), max(second)) == (25, 25 + 58)


def test_with_thirty_images_of_every_class_all_classes_are_kept_and_no_label_is_read() -> None:
    source = ManyClasses()
    dataset = Dataset("many", source.classes, source)
    assert choose_images(dataset, 9000) == dataset.indices(9000)
    assert choose_images(planted(0)[1], 120) == list(range(120))
    assert source.labels_read == 0


def test_few_images_are_taken_from_two_classes() -> None:
    source = ManyClasses()
    dataset = Dataset("many", source.classes, source)
    assert len({source.label(index) for index in choose_images(dataset, 59)}) == 2
    with pytest.raises(FeatvizError, match="at least 1 image is needed, not 0"):
        choose_images(dataset, 0)
