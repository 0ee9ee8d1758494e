from __future__ import annotations

import math

import numpy as np
import pytest

from featviz.analysis.filters.noise import denoised
from tests.featviz.analysis.filters.synthetic import RECIPES, make


def cosines(side: int) -> np.ndarray:
    """The orthonormal cosine transform as a matrix, from its definition."""
    k, n = np.mgrid[:side, :side]
    scale = np.where(k == 0, math.sqrt(1 / side), math.sqrt(2 / side))
    waves: np.ndarray = np.cos(math.pi * (2 * n + 1) * k / (2 * side))
    matrix: np.ndarray = scale * waves
    return matrix


def test_filters_without_noise_are_unchanged() -> None:
    rng = np.random.default_rng(0)
    made = np.concatenate([make(rng, name, 16, 24) for name in RECIPES if name != "very dark"])
    lost = np.linalg.norm(denoised(made) - made) / np.linalg.norm(made)
    assert lost < 1e-3


@pytest.mark.parametrize("side", [4, 7, 16])
def test_less_than_a_tenth_of_the_power_of_white_noise_remains(side: int) -> None:
    filters = np.random.default_rng(0).standard_normal((128, 3, side, side))
    assert (denoised(filters) ** 2).sum() < 0.1 * (filters**2).sum()


def test_structure_under_noise_of_a_third_of_its_norm_is_recovered() -> None:
    rng = np.random.default_rng(0)
    structure = make(rng, "regular", 16, 128)
    noisy = structure + rng.standard_normal(structure.shape) / math.sqrt(structure[0].size) / 3
    before = np.linalg.norm(noisy - structure, axis=(2, 3))
    after = np.linalg.norm(denoised(noisy) - structure, axis=(2, 3))
    assert np.median(after) < 0.5 * np.median(before)


def test_a_coefficient_is_kept_or_removed_by_the_universal_threshold() -> None:
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((64, 3, 5, 5))
    filters[:, :, :, :] += 2 * rng.standard_normal((64, 1, 1, 1))
    gray, red, yellow = np.array([1, 1, 1]), np.array([1, -1, 0]), np.array([1, 1, -2])
    basis = np.stack([each / np.linalg.norm(each) for each in (gray, red, yellow)])
    transform = cosines(5)

    def spectrum(images: np.ndarray) -> np.ndarray:
        made: np.ndarray = np.einsum("kc,ui,vj,ncij->nkuv", basis, transform, transform, images)
        return made

    power = spectrum(filters) ** 2
    typical = np.sort(np.median(power, axis=0).ravel())
    # 0.6745 is the upper quartile of a normal distribution: half of its squares are below this.
    threshold = 2 * math.log(75) * np.quantile(typical, 0.25) / 0.6745**2
    clear = np.abs(power / threshold - 1) > 1e-3
    expected = np.where(power > threshold, spectrum(filters), 0)
    np.testing.assert_allclose(spectrum(denoised(filters))[clear], expected[clear], atol=1e-9)
    assert 0 < np.count_nonzero(expected) < expected.size / 4
