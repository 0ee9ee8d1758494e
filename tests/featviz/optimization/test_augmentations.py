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
OFFSET, GAIN = slice(4, 7), slice(7, 10)
EVERYTHING = Augmentation(
    shift=16, zoom=0.1, rotation=10, color_shift=0.1, color_gain=0.1, noise=0.05
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=generator(seed))


def one_draw(values: dict[int, float]) -> Tensor:
    """Return the draws of one augmentation, with all others 0."""
    draws = torch.zeros(1, DRAWS)
    for index, value in values.items():
        draws[0, index] = value
    return draws


def schedules(seeds: Sequence[int], steps: int = 4) -> Tensor:
    return torch.cat([Augmentation().draw(steps, generator(seed)) for seed in seeds])


# Geometry.


@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 13), (9, 14)])
@pytest.mark.parametrize("size", [9, 8])
def test_without_ranges_an_augmentation_is_an_exact_center_crop(
    height: int, width: int, size: int
) -> None:
    image = random_images(2, height, width)
    augmented = Augmentation().apply(image, schedules([1], 2), size, None)
    top, left = (height - size) // 2, (width - size) // 2
    assert torch.equal(augmented, image[:, :, top : top + size, left : left + size])
    assert torch.equal(augmented, center_crop(image, size))


def test_draws_of_zero_are_the_center_crop_of_a_padded_image() -> None:
    image = random_images(2, 20, 20)
    augmented = EVERYTHING.apply(image, torch.zeros(2, DRAWS), 12, None)
    torch.testing.assert_close(augmented, center_crop(image, 12), rtol=0, atol=1e-6)


@pytest.mark.parametrize("down", [-4, -1, 0, 3, 4])
@pytest.mark.parametrize("right", [-4, 2])
def test_a_shift_by_whole_pixels_is_a_slice(down: int, right: int) -> None:
    image = random_images(1, 18, 18)
    draws = one_draw({SHIFT_Y: down / 4, SHIFT_X: right / 4})
    augmented = Augmentation(shift=4).apply(image, draws, 10, None)
    expected = image[:, :, 4 + down : 14 + down, 4 + right : 14 + right]
    torch.testing.assert_close(augmented, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("height", "width", "size"), [(16, 16, 10), (17, 17, 9), (14, 19, 10)])
def test_the_fused_resampling_agrees_with_a_loop_over_pixels(
    height: int, width: int, size: int
) -> None:
    augmentation = Augmentation(shift=3, zoom=0.2, rotation=25)
    image = random_images(6, height, width)
    draws = schedules([3], 6)
    augmented = augmentation.apply(image, draws, size, None)
    for original, draw, found in zip(image, draws.double(), augmented, strict=True):
        expected = oracle.augment(
            original.double().numpy(),
            size,
            shift=(3 * float(draw[SHIFT_Y]), 3 * float(draw[SHIFT_X])),
            zoom=math.exp(0.2 * float(draw[ZOOM])),
            degrees=25 * float(draw[ANGLE]),
        )
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4)


def test_outside_the_image_its_reflection_is_sampled() -> None:
    image = random_images(1, 8, 8)
    augmented = Augmentation(shift=5).apply(image, one_draw({SHIFT_Y: -1, SHIFT_X: 1}), 8, None)
    mirrored = np.pad(image[0].numpy(), ((0, 0), (5, 5), (5, 5)), mode="symmetric")
    np.testing.assert_allclose(augmented[0].numpy(), mirrored[:, :8, 10:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("preset", ["vit", "cnn"])
def test_augmentations_of_a_constant_image_are_constant(preset: str) -> None:
    augmentation = PRESETS[preset].augmentation
    size = 64
    extreme = torch.tensor([-1.0, 1.0])
    corners = torch.cartesian_prod(extreme, extreme, extreme, extreme)
    draws = torch.zeros(16 + 64, DRAWS)
    draws[:16, :4] = corners
    draws[16:, :4] = schedules([0], 64)[:, :4]
    image = torch.full(
        (len(draws), 3, size + 2 * augmentation.padding, size + 2 * augmentation.padding), 0.7
    )
    augmented = augmentation.apply(image, draws, size, None)
    torch.testing.assert_close(augmented, torch.full_like(augmented, 0.7), rtol=0, atol=1e-5)


def test_shifts_stay_inside_an_image_with_padding() -> None:
    """The image is a ramp: a reflection at an edge would change its slope."""
    augmentation = Augmentation(shift=5.5)
    side = 10 + 2 * augmentation.padding
    image = torch.arange(float(side)).expand(1, 3, side, side)
    for right in (-1.0, 1.0):
        augmented = augmentation.apply(image, one_draw({SHIFT_X: right}), 10, None)
        steps = augmented[..., 1:] - augmented[..., :-1]
        torch.testing.assert_close(steps, torch.ones_like(steps), rtol=0, atol=1e-4)


def test_every_image_gets_its_own_augmentation() -> None:
    image = random_images(1, 24, 24)
    draws = schedules(range(5), 1)
    field = EVERYTHING.noise_field(8, generator())
    together = EVERYTHING.apply(image.expand(5, -1, -1, -1), draws, 8, field)
    for first in range(5):
        for second in range(first):
            assert (together[first] - together[second]).abs().mean() > 0.01
    for k in range(5):
        alone = EVERYTHING.apply(image, draws[k : k + 1], 8, field)
        torch.testing.assert_close(alone[0], together[k], rtol=0, atol=1e-6)


def test_the_gradient_of_an_augmented_image_reaches_only_its_own_image() -> None:
    image = random_images(2, 40, 40).requires_grad_()
    augmented = EVERYTHING.apply(
        image, schedules([1], 2), 8, EVERYTHING.noise_field(8, generator())
    )
    (gradient,) = torch.autograd.grad(augmented[0].sum(), image)
    assert gradient[0].any()
    assert not gradient[1].any()


# Ranges.


def measured_shift(draws: Tensor, shift: float) -> Tensor:
    """Return shifts (N, 2), read from images that hold their own coordinates."""
    side = 8 + 2 * math.ceil(shift)
    axis = torch.arange(float(side)) - (side - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    image = torch.stack([y, x, x]).expand(len(draws), -1, -1, -1)
    augmented = Augmentation(shift=shift).apply(image, draws, 8, None)
    return augmented[:, :2].mean((2, 3))


def test_shifts_of_the_vit_preset_cover_a_whole_patch_in_both_directions() -> None:
    shift = PRESETS["vit"].augmentation.shift
    assert shift >= 16
    where = measured_shift(schedules(range(100), 20), shift)
    assert where.abs().max() <= shift + 1e-4
    assert (where.amin(0) < -0.99 * shift).all()
    assert (where.amax(0) > 0.99 * shift).all()


def test_shifts_modulo_the_patch_size_are_uniform() -> None:
    """Chi-squared of 4 x 4 bins of the phase modulo 16: 15 degrees of freedom, p = 0.001."""
    where = measured_shift(schedules(range(200), 20), PRESETS["vit"].augmentation.shift)
    bins = where.remainder(16).div(4, rounding_mode="floor").clamp_max(3).long()
    counts = torch.bincount(bins[:, 0] * 4 + bins[:, 1], minlength=16).double()
    expected = counts.sum() / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7


def test_zoom_and_angle_stay_within_their_ranges_and_approach_the_ends() -> None:
    """Measured by differences between pixels of images that hold their own coordinates."""
    draws = schedules(range(50), 20)
    axis = torch.arange(24.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    image = torch.stack([y, x, x]).expand(len(draws), -1, -1, -1)
    augmented = Augmentation(zoom=0.1, rotation=10).apply(image, draws, 8, None)
    step = (augmented[:, :2, :, 1:] - augmented[:, :2, :, :-1]).mean((2, 3))
    scale, degrees = step.norm(dim=1), torch.atan2(step[:, 0], step[:, 1]).rad2deg()
    assert math.exp(-0.1) - 1e-4 < scale.min() < math.exp(-0.098)
    assert math.exp(0.098) < scale.max() < math.exp(0.1) + 1e-4
    assert -10.01 < degrees.min() < -9.8
    assert 9.8 < degrees.max() < 10.01


# Colors and noise.


def test_colors_are_scaled_and_shifted_by_the_draws() -> None:
    augmentation = Augmentation(color_shift=0.2, color_gain=0.3)
    image = random_images(5, 6, 6)
    draws = schedules([2], 5)
    expected = image.double().numpy().copy()
    for index in range(5):
        for channel in range(3):
            expected[index, channel] *= math.exp(0.3 * float(draws[index, GAIN][channel]))
            expected[index, channel] += 0.2 * float(draws[index, OFFSET][channel])
    np.testing.assert_allclose(
        augmentation.apply(image, draws, 6, None).numpy(), expected, atol=1e-6
    )


def test_noise_has_the_given_standard_deviation() -> None:
    augmentation = Augmentation(noise=0.05)
    field = augmentation.noise_field(128, generator())
    image = torch.zeros(4, 3, 128, 128)
    noise = augmentation.apply(image, schedules([1]), 128, field)
    assert noise.std((1, 2, 3)).numpy() == pytest.approx(0.05, rel=0.02)
    assert noise.mean().abs() < 0.002


def test_images_and_steps_get_different_noise() -> None:
    augmentation = Augmentation(noise=1.0)
    field = augmentation.noise_field(16, generator())
    draws = schedules(range(10), 10)
    noise = augmentation.apply(torch.zeros(len(draws), 3, 16, 16), draws, 16, field)
    correlation = np.corrcoef(noise.flatten(1).numpy()) - np.eye(len(draws))
    # Of 4,950 pairs of 64 x 64 offsets, one or two are expected to be equal.
    assert (np.abs(correlation) > 0.3).sum() / 2 < 10


def test_noise_is_cropped_at_all_offsets_of_its_field() -> None:
    field = torch.arange(66 * 66.0).view(1, 66, 66).expand(3, -1, -1)
    draws = torch.tensor([[-1.0, -1.0], [0.0, 0.0], [0.9999999, 0.9999999], [-1.0, 0.5]])
    corners = crop_noise(field, draws, 2)[:, :, 0, 0]
    offsets = [(0, 0), (32, 32), (63, 63), (0, 48)]
    expected = torch.tensor([[66.0 * down + right] * 3 for down, right in offsets])
    assert torch.equal(corners, expected)


def test_without_noise_there_is_no_field() -> None:
    assert Augmentation(shift=3).noise_field(8, generator()) is None


# Schedules.


def test_draws_depend_on_their_generator_only() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        before = torch.get_rng_state()
        first = EVERYTHING.draw(30, generator(5))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, EVERYTHING.draw(30, generator(5)))
    assert not torch.equal(first, EVERYTHING.draw(30, generator(6)))


def test_draws_are_uniform_in_their_range() -> None:
    draws = schedules(range(50), 40)
    assert draws.shape == (2000, DRAWS)
    assert -1 <= draws.min() < -0.999
    assert 0.999 < draws.max() < 1
    # The mean and mean square of a uniform variable in [-1, 1] are 0 and 1/3.
    assert draws.mean(0).numpy() == pytest.approx(np.zeros(DRAWS), abs=0.06)
    assert draws.square().mean(0).numpy() == pytest.approx(np.full(DRAWS, 1 / 3), abs=0.04)


def test_draws_of_different_ranges_are_uncorrelated() -> None:
    correlation = np.corrcoef(schedules(range(50), 40).T.numpy()) - np.eye(DRAWS)
    assert np.abs(correlation).max() < 0.1


# Presets.


def test_the_naive_preset_does_not_augment() -> None:
    augmentation = PRESETS["naive"].augmentation
    image = random_images(3, 16, 16)
    assert augmentation.padding == 0
    assert torch.equal(augmentation.apply(image, schedules([1], 3), 16, None), image)


def test_the_cnn_preset_has_the_ranges_of_lucid_and_no_colors_or_noise() -> None:
    """Lucid jitters by 8 and by 4 pixels, half in each direction, and scales by 0.9 to 1.1."""
    augmentation = PRESETS["cnn"].augmentation
    assert augmentation.shift == 8 / 2 + 4 / 2
    assert math.exp(augmentation.zoom) == pytest.approx(1.1, rel=0.01)
    assert math.exp(-augmentation.zoom) == pytest.approx(0.9, rel=0.01)
    assert augmentation.rotation == 10
    assert augmentation.color_shift == augmentation.color_gain == augmentation.noise == 0


def test_the_vit_preset_uses_every_augmentation() -> None:
    augmentation = PRESETS["vit"].augmentation
    amounts = (
        augmentation.zoom,
        augmentation.rotation,
        augmentation.color_shift,
        augmentation.color_gain,
        augmentation.noise,
    )
    assert all(amount > 0 for amount in amounts)
