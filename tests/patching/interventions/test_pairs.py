"""Partners of another class."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz import FeatvizError
from patching.interventions.perturbations import partners


def pair(labels: list[int], seed: int = 0) -> list[int]:
    return partners(labels, torch.Generator().manual_seed(seed))


@given(labels=st.lists(st.integers(0, 4), max_size=40), seed=st.integers(0, 99))
def test_partners_are_mutual_and_of_another_class_whenever_that_can_be(
    labels: list[int], seed: int
) -> None:
    labels = labels[: len(labels) // 2 * 2]
    if max(Counter(labels).values(), default=0) > len(labels) // 2:
        with pytest.raises(FeatvizError, match="too many to pair each with another class"):
            pair(labels, seed)
        return
    found = pair(labels, seed)
    assert [found[other] for other in found] == list(range(len(labels)))
    assert all(labels[one] != labels[other] for one, other in enumerate(found))


def test_half_of_one_class_is_paired_with_all_others() -> None:
    found = pair([0] * 10 + [1, 2] * 5)
    assert all(other >= 10 for other in found[:10])


def test_pairs_are_random_and_depend_on_the_stream_alone() -> None:
    labels = [number % 18 for number in range(180)]
    assert pair(labels) == pair(labels)
    assert pair(labels) != pair(labels, seed=1)
    # No class is tied to another: each of 17 is met about as often.
    met = Counter(labels[other] for seed in range(40) for other in pair(labels, seed)[::18])
    assert set(met) == set(range(1, 18))
    assert max(met.values()) < 3 * 400 / 17


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "3 images are no pairs; take an even number"),
        ([0, -1], "images without labels cannot be paired"),
        ([7, 7, 7, 1], "3 of 4 images are of class 7: too many"),
    ],
)
def test_images_that_make_no_pairs_are_refused(labels: list[int], message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        pair(labels)
