from __future__ import annotations

import pytest

from featviz.data.class_names import is_split, whole_numbers, wordnet_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0", "10", "2"], [0, 10, 2]),
        (["000", "007"], [0, 7]),
        # ImageNet-21k has the labels 0 to 21,840; the last release that it is taken from 21,842.
        (["5", "21842"], [5, 21842]),
        (["0", "22000"], None),
        # Ids and dates.
        (["2019", "94103"], None),
        (["20210304", "20210305"], None),
        (["1", "two"], None),
        (["-1", "1"], None),
        (["1.5"], None),
        (["²"], None),
        ([], None),
    ],
)
def test_names_that_are_all_small_whole_numbers_are_labels(
    names: list[str], expected: list[int] | None
) -> None:
    assert whole_numbers(names) == expected


def test_wordnet_ids_have_the_names_of_imagenet_and_no_two_the_same() -> None:
    names = wordnet_names(["n01440764", "n02012849", "n03126707", "n00000000"])
    assert names == ("tench, Tinca tinca", "crane (n02012849)", "crane (n03126707)", "n00000000")
    assert wordnet_names(["n02012849"]) == ("crane",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("train", "Val", "validation", "test_set", "val2017", "dev")),
        *((name, False) for name in ("trainer", "valley", "testudo", "training shoe", "trains")),
    ],
)
def test_splits_are_known_by_their_usual_names(name: str, expected: bool) -> None:
    assert is_split(name) == expected
