from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.analysis.filters.classes import CLASSES, Statistics, classify, statistics
from tests.featviz.analysis.filters.synthetic import RECIPES, layer, make


def filters_of(*planes: Any) -> np.ndarray:
    """Filters of 2 x 2 weights, each from a color (3,) times a pattern (2, 2)."""
    return np.stack([np.multiply.outer(color, pattern) for color, pattern in planes]).astype(float)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from([7, 11, 14, 16, 32]))
def test_every_synthetic_filter_is_in_the_class_that_it_was_made_for(seed: int, side: int) -> None:
    filters, expected = layer(seed, side)
    assert classify(statistics(filters)) == expected


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), shares=st.tuples(*[st.integers(0, 60)] * 4))
def test_classes_do_not_depend_on_how_many_there_are_of_each(
    seed: int, shares: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    # More than a tenth of the filters are strong, or there is nothing to compare the faint with.
    counts = (40, *shares)
    made = [make(rng, name, 16, n) for name, n in zip(RECIPES, counts, strict=True) if n]
    expected = [name for name, count in zip(RECIPES, counts, strict=True) for _ in range(count)]
    assert classify(statistics(np.concatenate(made))) == expected


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_noise_of_the_initialization_makes_no_fading_color_regular(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ["regular", "near-solid colour"]
    clean = np.concatenate([make(rng, name, 16, 48) for name in names])
    clean /= np.linalg.norm(clean.reshape(96, -1), axis=1)[:, None, None, None]
    noisy = clean + rng.standard_normal(clean.shape) * 0.8 / np.sqrt(clean[0].size)
    measured = statistics(noisy)
    assert classify(measured)[48:] == ["near-solid colour"] * 48
    flat = noisy.mean((2, 3), keepdims=True)
    naive = ((noisy - flat) ** 2).sum((1, 2, 3)) / (noisy**2).sum((1, 2, 3))
    assert naive[48:].min() > 0.3 > measured.spatial[48:].max()


def test_a_layer_of_random_weights_has_no_regular_filter() -> None:
    filters = np.random.default_rng(0).standard_normal((384, 3, 16, 16))
    measured = statistics(filters)
    assert set(classify(measured)) <= {"regular dark", "very dark"}
    assert measured.energy.max() < 0.5
    assert measured.noise.min() > 0.9


def test_statistics_of_filters_calculated_by_hand() -> None:
    flat, half, stripes = [[1, 1], [1, 1]], [[1, 0], [1, 0]], [[1, -1], [1, -1]]
    filters = filters_of(
        ([1, 0, 0], flat), ([2, 2, 2], flat), ([1, 1, 1], half), ([3, 0, 0], stripes)
    )
    measured = statistics(np.concatenate([filters, np.zeros((7, 3, 2, 2))]))
    # Norms 2, sqrt(48), sqrt(6), 6 and seven times 0: the quantile 0.9 of the 11 is the second.
    np.testing.assert_allclose(measured.energy[:4], np.array([2, 48**0.5, 6**0.5, 6]) / 6)
    np.testing.assert_allclose(measured.spatial[:4], [0, 0, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(measured.color[:4], [2 / 3, 0, 0, 2 / 3], atol=1e-12)
    for each in vars(measured).values():
        np.testing.assert_allclose(each[4:], 0)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_scale_mirroring_turning_and_negation_change_no_statistic(seed: int, scale: float) -> None:
    filters, _ = layer(seed, 7, 6)
    expected = statistics(filters)
    for other in (filters * scale, filters[..., ::-1], np.rot90(filters, axes=(2, 3)), -filters):
        found = statistics(other)
        for name, values in vars(expected).items():
            np.testing.assert_allclose(vars(found)[name], values, atol=1e-6)


@pytest.mark.parametrize(
    ("energy", "spatial", "color", "noise", "expected"),
    [
        (0.0999, 0.9, 0.0, 0.0, "very dark"),
        (0.0999, 0.0, 0.9, 0.0, "very dark"),
        (0.1001, 0.0024, 0.5, 0.0999, "solid colour"),
        (0.1001, 0.0024, 0.0, 0.0999, "solid colour"),
        (0.9, 0.0024, 0.5, 0.1001, "near-solid colour"),
        (0.9, 0.0026, 0.5, 0.0, "near-solid colour"),
        (0.9, 0.2999, 0.1001, 0.0, "near-solid colour"),
        (0.9, 0.3001, 0.1001, 0.0, "regular"),
        (0.9, 0.1499, 0.0999, 0.0, "near-solid colour"),
        (0.9, 0.1501, 0.0999, 0.0, "regular"),
        (0.4999, 0.9, 0.5, 0.0, "regular dark"),
        (0.5001, 0.9, 0.5, 0.0, "regular"),
    ],
)
def test_each_threshold_separates_two_classes(
    energy: float, spatial: float, color: float, noise: float, expected: str
) -> None:
    measured = Statistics(*(np.array([value]) for value in (energy, spatial, color, noise)))
    assert classify(measured) == [expected]


def test_the_classes_are_the_five_of_the_recipes() -> None:
    assert set(CLASSES) == set(RECIPES)
    assert len(CLASSES) == 5
