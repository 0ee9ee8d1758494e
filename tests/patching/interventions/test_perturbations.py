"""Random perturbations of images, and pairs of different classes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from featviz import FeatvizError
from patching.interventions.perturbations import (
    add_noise,
    occlude_patches,
    partners,
    shuffle_patches,
)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def patches(batch: Tensor, side: int) -> Tensor:
    """Cut (N, 3, H, W) into (N, P, 3 * side * side) one patch at a time."""
    rows, columns = batch.shape[2] // side, batch.shape[3] // side
    cut = [
        batch[:, :, row * side : (row + 1) * side, column * side : (column + 1) * side]
        for row in range(rows)
        for column in range(columns)
    ]
    return torch.stack([one.flatten(1) for one in cut], 1)


def test_noise_has_its_standard_deviation_where_it_is_not_clipped() -> None:
    gray = torch.full((20, 3, 40, 40), 0.5)
    added = add_noise(gray, 0.1, generators(20)) - gray
    assert added.std() == pytest.approx(0.1, rel=0.01)
    assert abs(added.mean()) < 0.001
    assert not torch.equal(added[0], added[1])


def test_noisy_images_are_images_and_twice_the_amount_is_twice_the_noise() -> None:
    batch = images(3, 3, 16, 16)
    loud = add_noise(batch, 2.0, generators(3))
    assert loud.min() == 0
    assert loud.max() == 1
    half, whole = (add_noise(batch, amount, generators(3)) - batch for amount in (1e-3, 2e-3))
    inside = (batch > 0.02) & (batch < 0.98)
    torch.testing.assert_close(2 * half[inside], whole[inside], atol=1e-6, rtol=0)


def test_shuffling_keeps_every_patch_and_moves_most() -> None:
    batch = images(2, 3, 24, 32)
    shuffled = shuffle_patches(batch, 8, generators(2))
    for before, after in zip(patches(batch, 8), patches(shuffled, 8), strict=True):
        alike = (before[:, None] == after[None]).all(-1)
        assert (alike.sum(0) == 1).all()
        assert (alike.sum(1) == 1).all()
        assert alike.diagonal().sum() < 6
    orders = [(patches(batch, 8)[i, :, None] == patches(shuffled, 8)[i]).all(-1) for i in (0, 1)]
    assert not torch.equal(*orders)


def test_shuffling_leaves_in_place_what_makes_no_whole_patch() -> None:
    batch = images(1, 3, 19, 17)
    shuffled = shuffle_patches(batch, 8, generators(1))
    assert torch.equal(shuffled[:, :, 16:], batch[:, :, 16:])
    assert torch.equal(shuffled[:, :, :, 16:], batch[:, :, :, 16:])
    assert not torch.equal(shuffled, batch)


def test_shuffling_one_patch_changes_nothing_and_leaves_the_images_as_they_were() -> None:
    batch = images(2, 3, 8, 8)
    assert torch.equal(shuffle_patches(batch, 8, generators(2)), batch)
    before = batch.clone()
    shuffle_patches(batch, 4, generators(2))
    assert torch.equal(batch, before)


@pytest.mark.parametrize(("share", "hidden"), [(0.5, 6), (0.01, 1), (1.0, 12), (0.3, 4)])
def test_occlusion_fills_whole_patches_with_the_mean_color(share: float, hidden: int) -> None:
    batch = images(3, 3, 24, 32)
    occluded = occlude_patches(batch, share, 8, generators(3))
    color = batch.mean((2, 3))[:, :, None].expand(-1, -1, 64).flatten(1)
    filled = (patches(occluded, 8) == color[:, None]).all(-1)
    kept = (patches(occluded, 8) == patches(batch, 8)).all(-1)
    assert filled.sum(1).tolist() == [hidden] * 3
    assert torch.equal(kept, ~filled)


def test_a_larger_share_hides_all_that_a_smaller_one_hides() -> None:
    batch = images(4, 3, 32, 32)
    less, more = (occlude_patches(batch, share, 8, generators(4)) != batch for share in (0.25, 0.5))
    assert not (less & ~more).any()
    assert not torch.equal(less[0], less[1])


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


def test_pairs_are_random_and_depend_on_the_generator_only() -> None:
    labels = [number % 18 for number in range(180)]
    assert pair(labels) == pair(labels)
    assert pair(labels) != pair(labels, seed=1)
    # Each of the 17 other classes is met about as often.
    met = Counter(labels[other] for seed in range(40) for other in pair(labels, seed)[::18])
    assert set(met) == set(range(1, 18))
    assert max(met.values()) < 3 * 400 / 17


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "an even number of images, got 3"),
        ([0, -1], "images without labels cannot be paired"),
        ([7, 7, 7, 1], "3 of 4 images are of class 7: too many"),
    ],
)
def test_images_that_cannot_be_paired_are_refused(labels: list[int], message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        pair(labels)
