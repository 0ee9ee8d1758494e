from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from featviz.analysis.scores.metrics import spectrum_distance, usual
from featviz.data.datasets import open_data
from featviz.parametrization.spectrum import Spectrum, measure

SIDE = 64


def bytes_of(images: torch.Tensor) -> NDArray[np.uint8]:
    return (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()


def falling(decay: float, seed: int = 0) -> NDArray[np.uint8]:
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


def own(picture: NDArray[np.uint8]) -> Spectrum:
    return measure("own", [torch.from_numpy(picture).permute(2, 0, 1)[None] / 255])


def test_a_picture_is_at_no_distance_from_its_own_spectrum_at_any_contrast() -> None:
    picture = falling(1.0)
    assert spectrum_distance(picture, own(picture)) == 0
    assert spectrum_distance(picture, scaled(own(picture), 0, 7)) == pytest.approx(0, abs=1e-9)


def test_another_slope_is_at_the_distance_that_its_logarithms_have() -> None:
    """The powers differ by f**(2 slope); of a line's logarithms the deviation is known."""
    picture = falling(1.0)
    spectrum = own(picture)
    frequencies = np.log10(spectrum.frequencies)
    for slope in (0.25, -1.0):
        expected = 2 * abs(slope) * frequencies.std()
        assert spectrum_distance(picture, scaled(spectrum, slope, 3)) == pytest.approx(expected)


def test_of_powers_the_usual_one_is_nearest() -> None:
    distances = [spectrum_distance(falling(decay), usual(SIDE)) for decay in (0.0, 0.5, 1.0, 1.5)]
    assert distances.index(min(distances)) == 2
    assert min(distances) < 0.25 < sorted(distances)[1]


def test_noise_is_farther_from_cueworld_than_any_of_its_images() -> None:
    images, _ = next(open_data("cueworld:36").batches(SIDE, 36))
    natural = measure("cueworld", [images])
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    farthest = max(spectrum_distance(picture, natural) for picture in bytes_of(images))
    assert spectrum_distance(noise, natural) > farthest


def test_a_flat_picture_has_no_distance() -> None:
    assert np.isnan(spectrum_distance(np.full((SIDE, SIDE, 3), 9, np.uint8), usual(SIDE)))


def test_color_beside_the_same_light_hardly_counts() -> None:
    gray = falling(1.0)
    reddish = (gray * np.array([1, 0.8, 0.6])).round().astype(np.uint8)
    assert spectrum_distance(reddish, usual(SIDE)) == pytest.approx(
        spectrum_distance(gray, usual(SIDE)), abs=0.01
    )
