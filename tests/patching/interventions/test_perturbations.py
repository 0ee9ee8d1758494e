"""Random disturbances of images, against what they must keep."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from patching.interventions.perturbations import add_noise, occlude_patches, shuffle_patches


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def streams(count: int) -> list[torch.Generator]:
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
    added = add_noise(gray, 0.1, streams(20)) - gray
    assert added.std() == pytest.approx(0.1, rel=0.01)
    assert abs(added.mean()) < 0.001
    assert not torch.equal(added[0], added[1])


def test_noisy_images_are_images_and_twice_the_amount_is_twice_the_noise() -> None:
    batch = images(3, 3, 16, 16)
    loud = add_noise(batch, 2.0, streams(3))
    assert loud.min() == 0
    assert loud.max() == 1
    half, whole = (add_noise(batch, amount, streams(3)) - batch for amount in (1e-3, 2e-3))
    inside = (batch > 0.02) & (batch < 0.98)
    torch.testing.assert_close(2 * half[inside], whole[inside], atol=1e-6, rtol=0)


def test_shuffling_keeps_every_patch_and_moves_most() -> None:
    batch = images(2, 3, 24, 32)
    shuffled = shuffle_patches(batch, 8, streams(2))
    for before, after in zip(patches(batch, 8), patches(shuffled, 8), strict=True):
        alike = (before[:, None] == after[None]).all(-1)
        assert (alike.sum(0) == 1).all()
        assert (alike.sum(1) == 1).all()
        assert alike.diagonal().sum() < 6
    orders = [(patches(batch, 8)[i, :, None] == patches(shuffled, 8)[i]).all(-1) for i in (0, 1)]
    assert not torch.equal(*orders)


def test_shuffling_leaves_in_place_what_makes_no_whole_patch() -> None:
    batch = images(1, 3, 19, 17)
    shuffled = shuffle_patches(batch, 8, streams(1))
    assert torch.equal(shuffled[:, :, 16:], batch[:, :, 16:])
    assert torch.equal(shuffled[:, :, :, 16:], batch[:, :, :, 16:])
    assert not torch.equal(shuffled, batch)


def test_shuffling_one_patch_changes_nothing_and_leaves_the_images_as_they_were() -> None:
    batch = images(2, 3, 8, 8)
    assert torch.equal(shuffle_patches(batch, 8, streams(2)), batch)
    before = batch.clone()
    shuffle_patches(batch, 4, streams(2))
    assert torch.equal(batch, before)


@pytest.mark.parametrize(("share", "hidden"), [(0.5, 6), (0.01, 1), (1.0, 12), (0.3, 4)])
def test_occlusion_fills_whole_patches_with_the_mean_color(share: float, hidden: int) -> None:
    batch = images(3, 3, 24, 32)
    occluded = occlude_patches(batch, share, 8, streams(3))
    color = batch.mean((2, 3))[:, :, None].expand(-1, -1, 64).flatten(1)
    filled = (patches(occluded, 8) == color[:, None]).all(-1)
    kept = (patches(occluded, 8) == patches(batch, 8)).all(-1)
    assert filled.sum(1).tolist() == [hidden] * 3
    assert torch.equal(kept, ~filled)


def test_a_larger_share_hides_all_that_a_smaller_one_hides() -> None:
    batch = images(4, 3, 32, 32)
    less, more = (occlude_patches(batch, share, 8, streams(4)) != batch for share in (0.25, 0.5))
    assert not (less & ~more).any()
    assert not torch.equal(less[0], less[1])
