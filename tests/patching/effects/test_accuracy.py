"""Models of a known accuracy, refused or warned about before a job."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from featviz import VisionModel
from featviz.data.datasets import Dataset
from featviz.models.loading.options import LoadOptions
from patching.effects.accuracy import LowAccuracyError, check_accuracy
from patching.effects.labels import labels_for


@dataclass
class Numbers:
    """Images that show their index; the classes repeat in order."""

    classes: tuple[str, ...]
    count: int
    wordnet_ids: tuple[str, ...] = ()
    interleaved: bool = True

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        return "numbers"

    def label(self, index: int) -> int:
        return index % len(self.classes)

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        return torch.full((3, size, size), index / 10_000), self.label(index)


class Rounds(nn.Module):
    """Right in some rounds of all classes out of 100, else the next class; keeps what it saw."""

    def __init__(self, classes: int, right: int) -> None:
        super().__init__()
        self.classes, self.right, self.seen = classes, right, list[int]()

    def forward(self, images: Tensor) -> Tensor:
        index = (images[:, 0, 0, 0] * 10_000).round().long()
        self.seen += index.tolist()
        wrong = (index // self.classes) % 100 >= self.right
        return nn.functional.one_hot((index + wrong) % self.classes, self.classes).float()


def check(classes: int, right: int, untrained: bool = False, refuse: bool = True) -> Rounds:
    """Check a model that classifies `right` % of the images correctly."""
    names = tuple(f"c{label}" for label in range(classes))
    data = Dataset("numbers", names, Numbers(names, 100 * classes))
    module = Rounds(classes, right)
    options = LoadOptions(untrained=untrained)
    model = VisionModel("m", module, 2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), names, options)
    chosen = data.indices()
    check_accuracy(model, data, chosen, labels_for(model, data, chosen), refuse, "; advice")
    return module


@pytest.mark.parametrize(("classes", "right"), [(2, 45), (4, 40), (10, 10), (100, 20), (30, 45)])
def test_a_trained_model_that_gets_most_images_wrong_is_refused(classes: int, right: int) -> None:
    with pytest.raises(LowAccuracyError, match=r"^m classifies \d+ of 128 images .*; advice$"):
        check(classes, right)


@pytest.mark.parametrize(("classes", "right"), [(10, 30), (100, 20), (30, 12)])
def test_without_refusal_it_warns_once_with_the_most_frequent_error(
    classes: int, right: int
) -> None:
    with pytest.warns(
        UserWarning, match=r"the most frequent error is \'c\d+\' for \'c\d+\'$"
    ) as all_:
        check(classes, right, refuse=False)
    assert len(all_) == 1


def test_models_of_random_weights_and_accurate_ones_are_neither_refused_nor_warned_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(10, 0, untrained=True)
        check(10, 60)
        check(2, 60)


def test_the_sample_has_every_class_also_if_the_classes_repeat_at_its_interval() -> None:
    # Of 200 images of 2 classes, or 1,600 of 16, evenly spaced ones by index would miss some.
    for classes in (2, 16, 64, 128):
        seen = check(classes, 100).seen
        assert len(seen) == 128
        assert {index % classes for index in seen} == set(range(classes))


def test_only_images_of_the_job_are_read() -> None:
    names = ("a", "b")
    data = replace(Dataset("numbers", names, Numbers(names, 1000)), left_out={7: "7"})
    module = Rounds(2, 100)
    model = VisionModel("m", module, 2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), names)
    chosen = data.indices(40)
    check_accuracy(model, data, chosen, labels_for(model, data, chosen))
    assert sorted(module.seen) == [index for index in range(40) if index != 7]
