from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.parametrization.fourier import color_mixing
from featviz.parametrization.spectrum import (
    CONTRAST,
    Spectrum,
    mean_spectrum,
    power_law,
    spectrum_of_dataset,
)
from tests.oracles.spectrum import coefficient

GRAY = (0.5, 0.5, 0.5)


def noise(count: int, side: int, decay: float, seed: int = 0) -> Tensor:
    """Images (count, 3, side, side) of Gaussian noise whose waves fall as 1 / f**decay, in RGB.

    Cut out of twice the side, so that, as in photographs, opposite edges do not meet.
    """
    dice = np.random.default_rng(seed)
    white = np.fft.fft2(dice.standard_normal((count, 3, 2 * side, 2 * side)))
    frequency = np.hypot(np.fft.fftfreq(2 * side)[:, None], np.fft.fftfreq(2 * side))
    frequency[0, 0] = np.inf
    planes = np.fft.ifft2(white * frequency**-decay).real[:, :, :side, :side]
    planes *= 0.1 / planes.std((2, 3), keepdims=True)
    return 0.5 + torch.einsum("ck,nkhw->nchw", color_mixing().double(), torch.from_numpy(planes))


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0, 1.4])
def test_the_measured_spectrum_of_falling_noise_falls_as_fast(decay: float) -> None:
    """The slope of a straight line through the levels, where a band holds many waves."""
    found = mean_spectrum("noise", [noise(24, 64, decay)])
    frequency = np.log(found.frequencies)
    some = frequency > math.log(3 / 64)
    for levels in found.levels:
        slope, _ = np.polyfit(frequency[some], np.log(levels)[some], 1)
        assert slope == pytest.approx(-decay, abs=0.04)


def test_the_levels_of_white_noise_are_its_mean_magnitude() -> None:
    """Coefficients of noise of variance v are Gaussian: magnitude sqrt(pi v / 4) in the mean."""
    dice = torch.Generator().manual_seed(0)
    planes = 0.1 * torch.randn(90, 3, 48, 48, generator=dice, dtype=torch.float64)
    images = 0.5 + torch.einsum("ck,nkhw->nchw", color_mixing().double(), planes)
    found = mean_spectrum("noise", images.chunk(9))
    some = np.array(found.frequencies) > 0.1
    for levels in found.levels:
        mean = np.array(levels)[some].mean()
        assert mean == pytest.approx(0.1 * math.sqrt(math.pi / 4), rel=0.01)


def test_how_images_are_batched_does_not_change_their_spectrum() -> None:
    images = noise(7, 16, 1.0)
    whole = mean_spectrum("noise", [images])
    assert mean_spectrum("noise", images.chunk(3)) == whole
    assert mean_spectrum("noise", iter(images.chunk(7))).digest == whole.digest


def test_the_mean_is_the_mean_color_of_the_images() -> None:
    shifted = noise(5, 16, 1.0) + torch.tensor([0.1, 0.0, -0.2], dtype=torch.float64)[:, None, None]
    expected = shifted.mean((0, 2, 3)).tolist()
    assert mean_spectrum("noise", shifted.chunk(2)).mean == pytest.approx(expected, rel=5e-3)


def test_a_color_that_the_images_lack_is_faint_but_there() -> None:
    gray = noise(6, 16, 1.0)
    gray[:] = 0.5 + 0.1 * torch.linspace(-1, 1, 16)
    light, *colors = mean_spectrum("ramps", [gray.double()]).levels
    for levels in colors:
        assert 0 < max(levels) < 0.1 * max(light)


@pytest.mark.parametrize(
    ("images", "line"),
    [
        ([], "nothing has no images to measure a spectrum of"),
        (
            [torch.full((4, 3, 16, 16), 0.25)],
            "all images of nothing are uniform, so they have no spectrum",
        ),
    ],
)
def test_images_without_a_spectrum_are_refused(images: list[Tensor], line: str) -> None:
    with pytest.raises(FeatvizError) as refusal:
        mean_spectrum("nothing", images)
    assert str(refusal.value) == line


def made_up(levels: float = 2.0) -> Spectrum:
    return Spectrum("mine", GRAY, (0.1, 0.2, 0.4), ((levels, 1.0, 0.25), (3, 3, 3), (1, 2, 3)))


def test_levels_between_frequencies_lie_on_straight_lines_in_logarithms() -> None:
    magnitude = made_up().magnitude(40, 40) / 40
    # Along the first row: 4, 8 and 16 cycles of 40 pixels are given; 0.1 * sqrt(2) lies halfway.
    assert magnitude[0, 0, [4, 8, 16]].tolist() == pytest.approx([2, 1, 0.25])
    assert magnitude[1, 0, 1:].tolist() == pytest.approx([3] * 20)
    # 6 cycles: log(6 / 4) / log(8 / 4) of the way.
    way = math.log(6 / 4) / math.log(2)
    assert magnitude[0, 0, 6].item() == pytest.approx(2 ** (1 - way))
    assert magnitude[2, 0, 6].item() == pytest.approx(2**way)
    # Beyond the ends the nearest holds, on the diagonals too.
    assert magnitude[0, 0, [1, 2, 3, 20]].tolist() == pytest.approx([2, 2, 2, 0.25])
    assert magnitude[0, 20, 20].item() == pytest.approx(0.25)
    # 24 down is 16 up.
    assert magnitude[0, 24, 0].item() == pytest.approx(0.25)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_magnitude_fits_any_size_has_no_constant_part_and_scales_with_the_root_of_the_pixels(
    height: int, width: int
) -> None:
    found, twice = made_up().magnitude(height, width), made_up().magnitude(2 * height, 2 * width)
    assert found.shape == (3, height, width // 2 + 1)
    assert found.isfinite().all()
    assert (found[:, 0, 0] == 0).all()
    # The same frequencies, at twice the size.
    same = twice[:, ::2, : 2 * (width // 2) + 1 : 2] / 2
    torch.testing.assert_close(same, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.75])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 12), (64, 48)])
def test_a_power_law_has_the_contrast_of_natural_images(
    decay: float, height: int, width: int
) -> None:
    """By Parseval's theorem the energy of the waves is that of the pixels."""
    magnitude = power_law(decay, height, width).magnitude(height, width).double()
    planes = torch.fft.irfft2(magnitude.to(torch.complex128), s=(height, width))
    colors = torch.einsum("ck,khw->chw", color_mixing().double(), planes)
    # One phase for all: the planes are equal, and so are their covariances; count each alone.
    variance = sum(
        (color_mixing().double()[:, k, None, None] * planes[k]).var((1, 2), correction=0).mean()
        for k in range(3)
    )
    assert colors.shape == (3, height, width)
    assert math.sqrt(variance) == pytest.approx(CONTRAST, rel=1e-4)


@pytest.mark.parametrize("decay", [0.5, 1.0, 2.0])
def test_a_power_law_falls_as_its_power_at_every_frequency(decay: float) -> None:
    magnitude = power_law(decay, 24, 30).magnitude(24, 30)
    for (ky, kx), (qy, qx) in itertools.combinations([(0, 1), (1, 0), (5, 7), (12, 15)], 2):
        ratio = math.hypot(ky / 24, kx / 30) / math.hypot(qy / 24, qx / 30)
        expected = ratio**-decay
        assert (magnitude[1, ky, kx] / magnitude[1, qy, qx]).item() == pytest.approx(
            expected, rel=1e-4
        )


def test_a_digest_counts_every_number_and_not_the_name() -> None:
    one = made_up()
    assert dataclasses.replace(one, name="other").digest == one.digest
    others = [
        made_up(2.01),
        dataclasses.replace(one, mean=(0.5, 0.5, 0.51)),
        dataclasses.replace(one, frequencies=(0.1, 0.2, 0.41)),
        dataclasses.replace(one, levels=one.levels[::-1]),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5
    assert one == made_up()
    assert hash(one) == hash(made_up())


def test_a_measured_coefficient_is_the_windowed_sum_over_pixels() -> None:
    """One image of 4 pixels: each band's level by hand, from the windowed waves."""
    image = noise(1, 4, 0.0)
    unmixed = np.einsum("kc,chw->khw", np.linalg.inv(color_mixing().double()), image[0].numpy())
    ramp = np.array([0.0, 0.5, 1.0, 0.5])
    window = ramp[:, None] * ramp
    found = mean_spectrum("one", [image])
    for plane, levels in zip(unmixed, found.levels, strict=True):
        faded = (plane - (plane * window).sum() / window.sum()) * window
        faded /= np.sqrt((window**2).sum())
        slow = [abs(coefficient(faded, ky, kx)) for ky, kx in ((0, 1), (1, 0), (3, 0))]
        assert levels[0] == pytest.approx(math.prod(slow) ** (1 / 3), rel=5e-3)
        fine = abs(coefficient(faded, 2, 2))
        assert levels[-1] == pytest.approx(fine, rel=5e-3)


def test_the_spectrum_of_a_dataset_is_that_of_its_images() -> None:
    images = torch.stack([open_data("cueworld:5").image(number, 24) for number in range(5)])
    found = spectrum_of_dataset("cueworld:5", 24)
    assert found == mean_spectrum("cueworld:5", [images])
    assert found.digest != spectrum_of_dataset("cueworld:4", 24).digest
