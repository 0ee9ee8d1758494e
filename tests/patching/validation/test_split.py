from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import featviz
from benchmarks.planted import Marked, planted
from featviz import FeatvizError
from featviz.data.datasets import Dataset, open_data
from patching.validation.split import LEAST, images_of, split
from tests.patching.validation.worlds import Many, images


def test_no_image_serves_both_to_choose_and_to_claim() -> None:
    found = images()
    assert sorted([*found.reference, *found.test]) == list(range(160))
    for place in range(4):
        for part, count in ((found.reference, 14), (found.test, 26)):
            assert np.count_nonzero(found.place[part] == place) == count


def test_the_donor_of_an_image_is_a_reference_image_of_another_class() -> None:
    found = images()
    assert set(found.donors) <= set(found.reference)
    assert (found.place[found.donors] != found.place).all()
    assert len(set(found.donors)) > 40


def test_classes_of_the_data_are_known_by_the_logits_that_stand_for_them() -> None:
    model, data = featviz.load("cueworld/vit"), open_data("cueworld:40")
    model = replace(model, classes=tuple(reversed(data.classes)))
    found = split(model, open_data("cueworld:540"), range(540))
    assert [each.name for each in found.classes] == list(model.classes)
    labels = data.labels(range(18))
    for number, image in enumerate(found.numbers[:18]):
        assert found.classes[found.place[number]].name == data.classes[labels[image]]


def test_a_class_with_fewer_than_thirty_images_is_left_out() -> None:
    model, dataset = planted(0)
    found = split(model, dataset, list(range(119)))
    # Class 3 has 29 of them.
    assert [each.logit for each in found.classes] == [0, 1, 2]
    assert len(found.numbers) == 90
    # So that every class has twenty tests.
    assert np.bincount(found.place[found.test]).tolist() == [20, 20, 20]


def test_images_of_one_class_are_refused() -> None:
    model, dataset = planted(0)
    with pytest.raises(FeatvizError, match="have 1 classes with at least 30 images; two"):
        split(model, dataset, list(range(0, 160, 4)))


def test_images_without_labels_are_refused() -> None:
    model, dataset = planted(0)

    class Unlabeled(Marked):
        def label(self, number: int) -> int:
            return -1 - number

    marks = planted(0)[1]._source.marks  # type: ignore[attr-defined]
    unlabeled = Dataset("unlabeled", dataset.classes, Unlabeled(marks, 0))
    with pytest.raises(FeatvizError, match="unlabeled has images without labels"):
        split(model, unlabeled, list(range(160)))


def test_of_many_classes_some_are_left_out_and_not_images_of_each() -> None:
    source = Many()
    numbers = images_of(Dataset("many", source.classes, source), 2000)
    labels = np.array([source.label(number) for number in numbers])
    chosen, counts = np.unique(labels, return_counts=True)
    assert set(counts) == {LEAST}
    assert len(chosen) == 2000 // LEAST == 66
    # No class of 25 images; the others evenly, from the first to the last.
    assert (source.sizes[chosen] >= LEAST).all()
    assert np.diff(chosen).max() <= 6
    assert numbers == sorted(set(numbers))
    # Of a class they are not the first ones.
    second = [number for number in numbers if source.label(number) == 1]
    assert (min(second), max(second)) == (25, 25 + 58)


def test_where_every_class_has_thirty_images_all_classes_stay_and_no_label_is_read() -> None:
    source = Many()
    dataset = Dataset("many", source.classes, source)
    assert images_of(dataset, 9000) == dataset.numbers(9000)
    world = planted(0)[1]
    assert images_of(world, 120) == list(range(120))
    assert source.asked == 0


def test_of_few_images_two_classes_are_taken() -> None:
    source = Many()
    numbers = images_of(Dataset("many", source.classes, source), 59)
    assert len({source.label(number) for number in numbers}) == 2
    with pytest.raises(FeatvizError, match="at least 1 image is needed, not 0"):
        images_of(Dataset("many", source.classes, source), 0)
