from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from featviz.analysis.scores.spectrum_distance import natural_power_law, spectrum_distance
from featviz.data.datasets import open_data
from featviz.parametrization.spectrum import Spectrum, mean_spectrum

SIDE = 64


def pixels_of(images: torch.Tensor) -> NDArray[np.uint8]:
    return (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()


def power_law_picture(decay: float, seed: int = 0) -> NDArray[np.uint8]:
    """A gray picture whose magnitudes fall as 1 / f**decay, with random phases."""
    phases = np.fft.rfft2(np.random.default_rng(seed).normal(size=(SIDE, SIDE)))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = 1
    plane = np.fft.irfft2(phases / np.abs(phases) / frequency**decay, s=(SIDE, SIDE))
    plane = (plane - plane.mean()) / np.abs(plane).max()
    return np.repeat((127.5 + 127 * plane).round().astype(np.uint8)[..., None], 3, 2)


def scaled(spectrum: Spectrum, slope: float, contrast: float) -> Spectrum:
    """The same spectrum times a power of the frequency, and times a contrast."""
    levels = tuple(
        tuple(
            contrast * level * frequency**slope
            for level, frequency in zip(plane, spectrum.frequencies, strict=True)
        )
        for plane in spectrum.levels
    )
    return Spectrum("scaled", spectrum.mean, spectrum.frequencies, levels)


def own_spectrum(picture: NDArray[np.uint8]) -> Spectrum:
    return mean_spectrum("own", [torch.from_numpy(picture).permute(2, 0, 1)[None] / 255])


def test_a_picture_has_no_distance_from_its_own_spectrum_at_any_contrast() -> None:
    picture = power_law_picture(1.0)
    assert spectrum_distance(picture, own_spectrum(picture)) == 0
    assert spectrum_distance(picture, scaled(own_spectrum(picture), 0, 7)) == pytest.approx(
        0, abs=1e-9
    )


def test_the_distance_of_another_slope_is_the_deviation_of_its_logarithms() -> None:
    """The powers differ by a factor f**(2 slope), whose logarithm is linear."""
    picture = power_law_picture(1.0)
    spectrum = own_spectrum(picture)
    frequencies = np.log10(spectrum.frequencies)
    for slope in (0.25, -1.0):
        expected = 2 * abs(slope) * frequencies.std()
        assert spectrum_distance(picture, scaled(spectrum, slope, 3)) == pytest.approx(expected)


def test_of_several_power_laws_the_natural_one_is_nearest() -> None:
    distances = [
        spectrum_distance(power_law_picture(decay), natural_power_law(SIDE))
        for decay in (0.0, 0.5, 1.0, 1.5)
    ]
    assert distances.index(min(distances)) == 2
    assert min(distances) < 0.25 < sorted(distances)[1]


def test_white_noise_is_farther_from_cueworld_than_any_of_its_images() -> None:
    images, _ = next(open_data("cueworld:36").batches(SIDE, 36))
    natural = mean_spectrum("cueworld", [images])
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    farthest = max(spectrum_distance(picture, natural) for picture in pixels_of(images))
    assert spectrum_distance(noise, natural) > farthest


def test_a_uniform_picture_has_no_distance() -> None:
    assert np.isnan(
        spectrum_distance(np.full((SIDE, SIDE, 3), 9, np.uint8), natural_power_law(SIDE))
    )


def test_color_hardly_changes_the_distance() -> None:
    gray = power_law_picture(1.0)
    tinted = (gray * np.array([1, 0.8, 0.6])).round().astype(np.uint8)
    assert spectrum_distance(tinted, natural_power_law(SIDE)) == pytest.approx(
        spectrum_distance(gray, natural_power_law(SIDE)), abs=0.01
    )
