from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.examples.statistics import BINS, QUANTILES, sparsity, statistics
from tests.oracles.examples import brute_force

Array = npt.NDArray[Any]
FEW = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.25, 0.5, 3.0])
ANY = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)
ORDERS = ("top", "bottom", "spread")


def described(values: list[float], labels: list[int], classes: int, top: int) -> dict[str, Array]:
    found = statistics(np.array([values], np.float32), np.array(labels, np.int32), classes, top)
    return {name: column[0] for name, column in found.items()}


@given(
    st.one_of(st.lists(FEW, min_size=1, max_size=60), st.lists(ANY, min_size=1, max_size=60)),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_everything_equals_sorting_and_counting_by_hand_ties_included(
    values: list[float], top: int, rng: Random
) -> None:
    labels = [rng.choice([-1, 0, 1, 2, 7]) for _ in values]
    found = described(values, labels, 3, top)
    right = brute_force(values, labels, 3, top, QUANTILES, BINS)
    missing = max(0, top - len(values))
    for name in ORDERS:
        more = 0 if name == "spread" else missing
        assert found[name].tolist() == right[name] + [-1] * more
        stored = np.array(right[f"{name}_values"] + [math.nan] * more, np.float32)
        np.testing.assert_array_equal(found[f"{name}_values"], stored)
    np.testing.assert_array_equal(found["histogram"], right["histogram"])
    scale = max(map(abs, values))
    for name in ("percentiles", "mean", "deviation", "classes"):
        np.testing.assert_allclose(found[name], right[name], rtol=1e-6, atol=1e-6 * scale)
    np.testing.assert_allclose(found["active"], right["active"], rtol=1e-6)
    np.testing.assert_allclose(found["sparsity"], right["sparsity"], rtol=1e-6, atol=1e-6)


def test_statistics_of_five_images_calculated_by_hand() -> None:
    """Values 1, -1, 3, 1, 0 of classes 0, 0, 1, 1, and none.

    The squares of 1, 0, 3, 1, 0 sum to 11 and the numbers to 5: (1 - 5 * 5 / 5 / 11) * 5 / 4.
    From the mean of 0.8, the squares are 0.04, 3.24, 4.84, 0.04 and 0.64: 8.8 together.
    """
    found = described([1, -1, 3, 1, 0], [0, 0, 1, 1, -1], 3, 3)
    assert {name: found[name].tolist() for name in ("top", "bottom")} == {
        "top": [2, 0, 3],
        "bottom": [1, 4, 0],
    }
    # In rising order: 1, 4, 0, 3, 2. Ranks 4 * q: 0.04, 0.4, 1, 2, 3, 3.6, 3.8, 3.92, 3.96.
    assert found["spread"].tolist() == [1, 1, 4, 0, 3, 2, 2, 2, 2]
    np.testing.assert_allclose(found["classes"], [0, 2, np.nan], atol=1e-7)
    np.testing.assert_allclose(
        np.stack([found[name] for name in ("mean", "deviation", "active", "sparsity")]),
        np.array([0.8, math.sqrt(8.8 / 5), 0.6, 7.5 / 11]),
        rtol=1e-6,
    )
    percentiles = found["percentiles"]
    assert percentiles[[0, 25, 50, 75, 100]].tolist() == [-1, 0, 1, 1, 3]
    # Edges every 4 / 64 from -1: -1 is in bin 0, 0 in 16, both ones in 32, and 3 in the last.
    histogram = np.zeros(64, int)
    histogram[[0, 16, 32, 63]] = 1, 1, 2, 1
    np.testing.assert_array_equal(found["histogram"], histogram)


def test_of_equal_values_the_first_images_are_top_and_bottom() -> None:
    found = described([0.5] * 40, [0] * 40, 1, 9)
    assert found["top"].tolist() == found["bottom"].tolist() == list(range(9))
    assert found["histogram"].tolist() == [40] + [0] * 63
    assert set(found["percentiles"].tolist()) == {0.5}
    assert float(found["deviation"]) == float(found["sparsity"]) == 0


@given(st.permutations(range(23)), st.integers(0, 3))
def test_the_order_of_the_images_changes_indices_and_no_statistic(
    order: list[int], seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=23).astype(np.float32)
    labels = np.arange(23, dtype=np.int32) % 4
    before = described(values.tolist(), labels.tolist(), 4, 5)
    after = described(values[order].tolist(), labels[order].tolist(), 4, 5)
    for name in before:
        if name in ORDERS:
            np.testing.assert_array_equal(np.array(order)[after[name]], before[name])
        else:
            np.testing.assert_allclose(after[name], before[name], rtol=1e-6, atol=1e-7)


def test_sparsity_is_1_for_one_active_image_and_0_for_equal_values() -> None:
    assert sparsity(np.array([[0.0, 0.0, 4.0, -9.0]])) == 1
    assert sparsity(np.full((1, 7), 2.0)) == pytest.approx(0, abs=1e-12)
    # Of k equal ones among n: (1 - k / n) / (1 - 1 / n).
    assert sparsity(np.array([[5.0, 5, 0, 0, 0]])) == pytest.approx((1 - 2 / 5) / (1 - 1 / 5))
    assert np.isnan(sparsity(np.array([[-1.0, 0.0], [0.0, 0.0]]))).all()
    assert np.isnan(sparsity(np.array([[3.0]]))).all()
    # Each row by itself.
    assert sparsity(np.array([[0.0, 4.0], [2.0, 2.0]])) == pytest.approx([1, 0], abs=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(1e-3, 1e3))
def test_sparsity_is_scale_free_and_between_0_and_1(values: list[float], scale: float) -> None:
    (found,) = sparsity(np.array([values]))
    if max(values) > 1e-200:
        assert 0 <= found <= 1
        assert sparsity(np.array([values]) * scale) == pytest.approx(found, abs=1e-9)


def test_a_dataset_without_classes_has_no_class_means() -> None:
    assert described([1, 2], [-1, -1], 0, 1)["classes"].shape == (0,)
