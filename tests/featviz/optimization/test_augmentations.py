from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from featviz.optimization.augmentations import DRAWS, Augmentation, center_crop, crop_noise
from featviz.optimization.presets import PRESETS
from tests.oracles import augmentations as oracle

SHIFT_Y, SHIFT_X, ZOOM, ANGLE = range(4)
TINT, GAIN = slice(4, 7), slice(7, 10)
EVERYTHING = Augmentation(
    shift=16, zoom=0.1, rotation=10, color_shift=0.1, color_gain=0.1, noise=0.05
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def canvases(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=generator(seed))


def row(settings: dict[int, float]) -> Tensor:
    """One view's draws, all zero but for these."""
    draws = torch.zeros(1, DRAWS)
    for place, value in settings.items():
        draws[0, place] = value
    return draws


def schedules(seeds: Sequence[int], steps: int = 4) -> Tensor:
    return torch.cat([Augmentation().draw(steps, generator(seed)) for seed in seeds])


# What a view sees.


@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 13), (9, 14)])
@pytest.mark.parametrize("size", [9, 8])
def test_without_variation_a_view_is_the_exact_middle(height: int, width: int, size: int) -> None:
    canvas = canvases(2, height, width)
    seen = Augmentation().apply(canvas, schedules([1], 2), size, None)
    top, left = (height - size) // 2, (width - size) // 2
    assert torch.equal(seen, canvas[:, :, top : top + size, left : left + size])
    assert torch.equal(seen, center_crop(canvas, size))


def test_draws_of_zero_see_the_exact_middle_of_a_padded_canvas() -> None:
    canvas = canvases(2, 20, 20)
    seen = EVERYTHING.apply(canvas, torch.zeros(2, DRAWS), 12, None)
    torch.testing.assert_close(seen, center_crop(canvas, 12), rtol=0, atol=1e-6)


@pytest.mark.parametrize("down", [-4, -1, 0, 3, 4])
@pytest.mark.parametrize("right", [-4, 2])
def test_a_shift_by_whole_pixels_is_a_slice(down: int, right: int) -> None:
    canvas = canvases(1, 18, 18)
    draws = row({SHIFT_Y: down / 4, SHIFT_X: right / 4})
    seen = Augmentation(shift=4).apply(canvas, draws, 10, None)
    expected = canvas[:, :, 4 + down : 14 + down, 4 + right : 14 + right]
    torch.testing.assert_close(seen, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("height", "width", "size"), [(16, 16, 10), (17, 17, 9), (14, 19, 10)])
def test_one_resampling_looks_where_the_draws_say(height: int, width: int, size: int) -> None:
    views = Augmentation(shift=3, zoom=0.2, rotation=25)
    canvas = canvases(6, height, width)
    draws = schedules([3], 6)
    seen = views.apply(canvas, draws, size, None)
    for picture, draw, found in zip(canvas, draws.double(), seen, strict=True):
        expected = oracle.augment(
            picture.double().numpy(),
            size,
            shift=(3 * float(draw[SHIFT_Y]), 3 * float(draw[SHIFT_X])),
            zoom=math.exp(0.2 * float(draw[ZOOM])),
            degrees=25 * float(draw[ANGLE]),
        )
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4)


def test_a_view_that_leaves_the_canvas_sees_its_mirror_image() -> None:
    canvas = canvases(1, 8, 8)
    seen = Augmentation(shift=5).apply(canvas, row({SHIFT_Y: -1, SHIFT_X: 1}), 8, None)
    mirrored = np.pad(canvas[0].numpy(), ((0, 0), (5, 5), (5, 5)), mode="symmetric")
    np.testing.assert_allclose(seen[0].numpy(), mirrored[:, :8, 10:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("preset", ["vit", "cnn"])
def test_no_view_of_a_plain_canvas_has_dark_corners(preset: str) -> None:
    views = PRESETS[preset].augmentation
    size = 64
    extreme = torch.tensor([-1.0, 1.0])
    corners = torch.cartesian_prod(extreme, extreme, extreme, extreme)
    draws = torch.zeros(16 + 64, DRAWS)
    draws[:16, :4] = corners
    draws[16:, :4] = schedules([0], 64)[:, :4]
    canvas = torch.full((len(draws), 3, size + 2 * views.padding, size + 2 * views.padding), 0.7)
    seen = views.apply(canvas, draws, size, None)
    torch.testing.assert_close(seen, torch.full_like(seen, 0.7), rtol=0, atol=1e-5)


def test_shifts_alone_stay_on_a_canvas_with_the_margin() -> None:
    """A canvas that gets brighter to the right: mirroring at an edge would break the slope."""
    views = Augmentation(shift=5.5)
    side = 10 + 2 * views.padding
    canvas = torch.arange(float(side)).expand(1, 3, side, side)
    for right in (-1.0, 1.0):
        seen = views.apply(canvas, row({SHIFT_X: right}), 10, None)
        steps = seen[..., 1:] - seen[..., :-1]
        torch.testing.assert_close(steps, torch.ones_like(steps), rtol=0, atol=1e-4)


def test_every_picture_gets_its_own_view() -> None:
    one = canvases(1, 24, 24)
    draws = schedules(range(5), 1)
    field = EVERYTHING.noise_field(8, generator())
    together = EVERYTHING.apply(one.expand(5, -1, -1, -1), draws, 8, field)
    for first in range(5):
        for second in range(first):
            assert (together[first] - together[second]).abs().mean() > 0.01
    for k in range(5):
        alone = EVERYTHING.apply(one, draws[k : k + 1], 8, field)
        torch.testing.assert_close(alone[0], together[k], rtol=0, atol=1e-6)


def test_views_pass_a_gradient_to_the_picture_they_see_and_to_no_other() -> None:
    canvas = canvases(2, 40, 40).requires_grad_()
    seen = EVERYTHING.apply(canvas, schedules([1], 2), 8, EVERYTHING.noise_field(8, generator()))
    (gradient,) = torch.autograd.grad(seen[0].sum(), canvas)
    assert gradient[0].any()
    assert not gradient[1].any()


# How far views reach.


def measured_shift(draws: Tensor, shift: float) -> Tensor:
    """Where views look, (N, 2), read off canvases that hold their own coordinates."""
    side = 8 + 2 * math.ceil(shift)
    axis = torch.arange(float(side)) - (side - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    canvas = torch.stack([y, x, x]).expand(len(draws), -1, -1, -1)
    seen = Augmentation(shift=shift).apply(canvas, draws, 8, None)
    return seen[:, :2].mean((2, 3))


def test_shifts_of_the_vit_preset_reach_a_whole_patch_either_way_and_no_further() -> None:
    shift = PRESETS["vit"].augmentation.shift
    assert shift >= 16
    where = measured_shift(schedules(range(100), 20), shift)
    assert where.abs().max() <= shift + 1e-4
    assert (where.amin(0) < -0.99 * shift).all()
    assert (where.amax(0) > 0.99 * shift).all()


def test_every_place_of_the_patch_grid_is_equally_likely() -> None:
    """Chi-squared of 4 x 4 bins of the phase modulo 16: 15 degrees of freedom, p = 0.001."""
    where = measured_shift(schedules(range(200), 20), PRESETS["vit"].augmentation.shift)
    bins = where.remainder(16).div(4, rounding_mode="floor").clamp_max(3).long()
    counts = torch.bincount(bins[:, 0] * 4 + bins[:, 1], minlength=16).double()
    expected = counts.sum() / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7


def test_zoom_and_angle_stay_within_bounds_and_approach_them() -> None:
    """Read off the step from pixel to pixel on canvases that hold their own coordinates."""
    draws = schedules(range(50), 20)
    axis = torch.arange(24.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    canvas = torch.stack([y, x, x]).expand(len(draws), -1, -1, -1)
    seen = Augmentation(zoom=0.1, rotation=10).apply(canvas, draws, 8, None)
    step = (seen[:, :2, :, 1:] - seen[:, :2, :, :-1]).mean((2, 3))
    scale, degrees = step.norm(dim=1), torch.atan2(step[:, 0], step[:, 1]).rad2deg()
    assert math.exp(-0.1) - 1e-4 < scale.min() < math.exp(-0.098)
    assert math.exp(0.098) < scale.max() < math.exp(0.1) + 1e-4
    assert -10.01 < degrees.min() < -9.8
    assert 9.8 < degrees.max() < 10.01


# Colors and noise.


def test_colors_are_multiplied_and_shifted_as_drawn() -> None:
    views = Augmentation(color_shift=0.2, color_gain=0.3)
    canvas = canvases(5, 6, 6)
    draws = schedules([2], 5)
    expected = canvas.double().numpy().copy()
    for picture in range(5):
        for channel in range(3):
            expected[picture, channel] *= math.exp(0.3 * float(draws[picture, GAIN][channel]))
            expected[picture, channel] += 0.2 * float(draws[picture, TINT][channel])
    np.testing.assert_allclose(views.apply(canvas, draws, 6, None).numpy(), expected, atol=1e-6)


def test_noise_has_the_standard_deviation_asked_for() -> None:
    views = Augmentation(noise=0.05)
    field = views.noise_field(128, generator())
    canvas = torch.zeros(4, 3, 128, 128)
    noise = views.apply(canvas, schedules([1]), 128, field)
    assert noise.std((1, 2, 3)).numpy() == pytest.approx(0.05, rel=0.02)
    assert noise.mean().abs() < 0.002


def test_pictures_and_steps_get_different_noise() -> None:
    views = Augmentation(noise=1.0)
    field = views.noise_field(16, generator())
    draws = schedules(range(10), 10)
    noise = views.apply(torch.zeros(len(draws), 3, 16, 16), draws, 16, field)
    alike = np.corrcoef(noise.flatten(1).numpy()) - np.eye(len(draws))
    # Of 4,950 pairs of windows at 64 x 64 places, one or two are expected to be the same.
    assert (np.abs(alike) > 0.3).sum() / 2 < 10


def test_noise_is_cut_from_everywhere_in_its_field() -> None:
    field = torch.arange(66 * 66.0).view(1, 66, 66).expand(3, -1, -1)
    draws = torch.tensor([[-1.0, -1.0], [0.0, 0.0], [0.9999999, 0.9999999], [-1.0, 0.5]])
    corners = crop_noise(field, draws, 2)[:, :, 0, 0]
    places = [(0, 0), (32, 32), (63, 63), (0, 48)]
    expected = torch.tensor([[66.0 * down + right] * 3 for down, right in places])
    assert torch.equal(corners, expected)


def test_without_noise_there_is_no_field() -> None:
    assert Augmentation(shift=3).noise_field(8, generator()) is None


# Schedules.


def test_a_schedule_depends_on_its_generator_alone() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        before = torch.get_rng_state()
        first = EVERYTHING.draw(30, generator(5))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, EVERYTHING.draw(30, generator(5)))
    assert not torch.equal(first, EVERYTHING.draw(30, generator(6)))


def test_draws_fill_their_range_evenly() -> None:
    draws = schedules(range(50), 40)
    assert draws.shape == (2000, DRAWS)
    assert -1 <= draws.min() < -0.999
    assert 0.999 < draws.max() < 1
    # The mean and mean square of a uniform number in [-1, 1] are 0 and 1/3.
    assert draws.mean(0).numpy() == pytest.approx(np.zeros(DRAWS), abs=0.06)
    assert draws.square().mean(0).numpy() == pytest.approx(np.full(DRAWS, 1 / 3), abs=0.04)


def test_what_is_drawn_for_one_thing_says_nothing_about_another() -> None:
    alike = np.corrcoef(schedules(range(50), 40).T.numpy()) - np.eye(DRAWS)
    assert np.abs(alike).max() < 0.1


# Presets.


def test_the_naive_preset_sees_the_picture_as_it_is() -> None:
    views = PRESETS["naive"].augmentation
    canvas = canvases(3, 16, 16)
    assert views.padding == 0
    assert torch.equal(views.apply(canvas, schedules([1], 3), 16, None), canvas)


def test_the_cnn_preset_is_lucids_list_without_colors_and_noise() -> None:
    """Lucid jitters by 8 and by 4 pixels, each half either way, and scales by 0.9 to 1.1."""
    views = PRESETS["cnn"].augmentation
    assert views.shift == 8 / 2 + 4 / 2
    assert math.exp(views.zoom) == pytest.approx(1.1, rel=0.01)
    assert math.exp(-views.zoom) == pytest.approx(0.9, rel=0.01)
    assert views.rotation == 10
    assert views.color_shift == views.color_gain == views.noise == 0


def test_the_vit_preset_varies_everything() -> None:
    views = PRESETS["vit"].augmentation
    amounts = (views.zoom, views.rotation, views.color_shift, views.color_gain, views.noise)
    assert all(amount > 0 for amount in amounts)
