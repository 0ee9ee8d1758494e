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
    """Return Gaussian noise (count, 3, side, side) whose magnitudes fall as 1 / f**decay.

    The images are cropped from twice the side, so that they are not periodic.
    """
    rng = np.random.default_rng(seed)
    white = np.fft.fft2(rng.standard_normal((count, 3, 2 * side, 2 * side)))
    frequency = np.hypot(np.fft.fftfreq(2 * side)[:, None], np.fft.fftfreq(2 * side))
    frequency[0, 0] = np.inf
    planes = np.fft.ifft2(white * frequency**-decay).real[:, :, :side, :side]
    planes *= 0.1 / planes.std((2, 3), keepdims=True)
    return 0.5 + torch.einsum("ck,nkhw->nchw", color_mixing().double(), torch.from_numpy(planes))


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0, 1.4])
def test_the_measured_spectrum_of_power_law_noise_has_its_exponent(decay: float) -> None:
    """Fitted to bands that contain many frequencies."""
    found = mean_spectrum("noise", [noise(24, 64, decay)])
    frequency = np.log(found.frequencies)
    fitted = frequency > math.log(3 / 64)
    for levels in found.levels:
        slope, _ = np.polyfit(frequency[fitted], np.log(levels)[fitted], 1)
        assert slope == pytest.approx(-decay, abs=0.04)


def test_the_levels_of_white_noise_are_its_mean_magnitude() -> None:
    """Coefficients of noise of variance v are Gaussian with mean magnitude sqrt(pi v / 4)."""
    generator = torch.Generator().manual_seed(0)
    planes = 0.1 * torch.randn(90, 3, 48, 48, generator=generator, dtype=torch.float64)
    images = 0.5 + torch.einsum("ck,nkhw->nchw", color_mixing().double(), planes)
    found = mean_spectrum("noise", images.chunk(9))
    averaged = np.array(found.frequencies) > 0.1
    for levels in found.levels:
        mean = np.array(levels)[averaged].mean()
        assert mean == pytest.approx(0.1 * math.sqrt(math.pi / 4), rel=0.01)


def test_the_spectrum_does_not_depend_on_the_batches() -> None:
    images = noise(7, 16, 1.0)
    whole = mean_spectrum("noise", [images])
    assert mean_spectrum("noise", images.chunk(3)) == whole
    assert mean_spectrum("noise", iter(images.chunk(7))).digest == whole.digest


def test_the_mean_is_the_mean_color_of_the_images() -> None:
    shifted = noise(5, 16, 1.0) + torch.tensor([0.1, 0.0, -0.2], dtype=torch.float64)[:, None, None]
    expected = shifted.mean((0, 2, 3)).tolist()
    assert mean_spectrum("noise", shifted.chunk(2)).mean == pytest.approx(expected, rel=5e-3)


def test_a_color_that_the_images_lack_has_small_positive_levels() -> None:
    gray = noise(6, 16, 1.0)
    gray[:] = 0.5 + 0.1 * torch.linspace(-1, 1, 16)
    luminance, *colors = mean_spectrum("ramps", [gray.double()]).levels
    for levels in colors:
        assert 0 < max(levels) < 0.1 * max(luminance)


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
    with pytest.raises(FeatvizError) as error:
        mean_spectrum("nothing", images)
    assert str(error.value) == line


def example_spectrum(levels: float = 2.0) -> Spectrum:
    return Spectrum("mine", GRAY, (0.1, 0.2, 0.4), ((levels, 1.0, 0.25), (3, 3, 3), (1, 2, 3)))


def test_levels_are_interpolated_linearly_in_logarithms() -> None:
    magnitude = example_spectrum().magnitude(40, 40) / 40
    # In the first row, the levels of 4, 8 and 16 cycles per 40 pixels are given.
    assert magnitude[0, 0, [4, 8, 16]].tolist() == pytest.approx([2, 1, 0.25])
    assert magnitude[1, 0, 1:].tolist() == pytest.approx([3] * 20)
    # 6 cycles lie at log(6 / 4) / log(8 / 4) between 4 and 8.
    fraction = math.log(6 / 4) / math.log(2)
    assert magnitude[0, 0, 6].item() == pytest.approx(2 ** (1 - fraction))
    assert magnitude[2, 0, 6].item() == pytest.approx(2**fraction)
    # Outside the range the nearest level applies, also on the diagonal.
    assert magnitude[0, 0, [1, 2, 3, 20]].tolist() == pytest.approx([2, 2, 2, 0.25])
    assert magnitude[0, 20, 20].item() == pytest.approx(0.25)
    # 24 vertical cycles are -16.
    assert magnitude[0, 24, 0].item() == pytest.approx(0.25)


@given(st.integers(1, 40), st.integers(1, 40))
def test_magnitudes_are_finite_without_mean_and_scale_with_the_root_of_the_pixels(
    height: int, width: int
) -> None:
    found, twice = (
        example_spectrum().magnitude(height, width),
        example_spectrum().magnitude(2 * height, 2 * width),
    )
    assert found.shape == (3, height, width // 2 + 1)
    assert found.isfinite().all()
    assert (found[:, 0, 0] == 0).all()
    # The same frequencies at twice the size.
    same = twice[:, ::2, : 2 * (width // 2) + 1 : 2] / 2
    torch.testing.assert_close(same, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.75])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 12), (64, 48)])
def test_a_power_law_has_the_contrast_of_natural_images(
    decay: float, height: int, width: int
) -> None:
    """By Parseval's theorem."""
    magnitude = power_law(decay, height, width).magnitude(height, width).double()
    planes = torch.fft.irfft2(magnitude.to(torch.complex128), s=(height, width))
    colors = torch.einsum("ck,khw->chw", color_mixing().double(), planes)
    # All phases are equal here, which correlates the planes; their variances are added instead.
    variance = sum(
        (color_mixing().double()[:, k, None, None] * planes[k]).var((1, 2), correction=0).mean()
        for k in range(3)
    )
    assert colors.shape == (3, height, width)
    assert math.sqrt(variance) == pytest.approx(CONTRAST, rel=1e-4)


@pytest.mark.parametrize("decay", [0.5, 1.0, 2.0])
def test_a_power_law_has_its_exponent_at_every_frequency(decay: float) -> None:
    magnitude = power_law(decay, 24, 30).magnitude(24, 30)
    for (ky, kx), (qy, qx) in itertools.combinations([(0, 1), (1, 0), (5, 7), (12, 15)], 2):
        ratio = math.hypot(ky / 24, kx / 30) / math.hypot(qy / 24, qx / 30)
        expected = ratio**-decay
        assert (magnitude[1, ky, kx] / magnitude[1, qy, qx]).item() == pytest.approx(
            expected, rel=1e-4
        )


def test_a_digest_depends_on_every_value_and_not_on_the_name() -> None:
    one = example_spectrum()
    assert dataclasses.replace(one, name="other").digest == one.digest
    others = [
        example_spectrum(2.01),
        dataclasses.replace(one, mean=(0.5, 0.5, 0.51)),
        dataclasses.replace(one, frequencies=(0.1, 0.2, 0.41)),
        dataclasses.replace(one, levels=one.levels[::-1]),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5
    assert one == example_spectrum()
    assert hash(one) == hash(example_spectrum())


def test_measured_levels_are_those_of_windowed_fourier_coefficients() -> None:
    """The levels of an image of 4 x 4 pixels, computed by hand."""
    image = noise(1, 4, 0.0)
    unmixed = np.einsum("kc,chw->khw", np.linalg.inv(color_mixing().double()), image[0].numpy())
    ramp = np.array([0.0, 0.5, 1.0, 0.5])
    window = ramp[:, None] * ramp
    found = mean_spectrum("one", [image])
    for plane, levels in zip(unmixed, found.levels, strict=True):
        windowed = (plane - (plane * window).sum() / window.sum()) * window
        windowed /= np.sqrt((window**2).sum())
        lowest = [abs(coefficient(windowed, ky, kx)) for ky, kx in ((0, 1), (1, 0), (3, 0))]
        assert levels[0] == pytest.approx(math.prod(lowest) ** (1 / 3), rel=5e-3)
        highest = abs(coefficient(windowed, 2, 2))
        assert levels[-1] == pytest.approx(highest, rel=5e-3)


def test_the_spectrum_of_a_dataset_is_that_of_its_images() -> None:
    images = torch.stack([open_data("cueworld:5").image(index, 24) for index in range(5)])
    found = spectrum_of_dataset("cueworld:5", 24)
    assert found == mean_spectrum("cueworld:5", [images])
    assert found.digest != spectrum_of_dataset("cueworld:4", 24).digest
