from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.metrics import NaturalValues, picture_metrics

PERCENTILES = np.linspace(-3, 1, 101)
"""Of values spread evenly from -3 to 1: the median is -1, the best 1."""


def rows(**changes: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A unit of two samples: its render, its examples and its scores."""
    render = {"activation": np.array([2, -2], np.float32)}
    scores = {
        "held_out": np.array([0.5, 3], np.float32),
        "fine": np.array([0.25, 0.5], np.float32),
        "grid": np.array([0.125, np.nan], np.float32),
        "spectrum": np.array([1, 2], np.float32),
        "rise": np.array([0, 0.0625], np.float32),
    }
    return render, {"percentiles": PERCENTILES.astype(np.float32)}, scores | changes


def test_metrics_of_a_unit_equal_those_computed_by_hand() -> None:
    better, worse = picture_metrics(*rows())
    # The best image is 2 above the median -1, the picture 3, and its held-out views 1.5.
    assert (better.activation, better.ratio, better.percentile) == (2, 1.5, 100)
    assert (better.held_out, better.kept) == (0.5, 0.5)
    assert (better.fine, better.grid, better.spectrum, better.rise) == (0.25, 0.125, 1, 0)
    assert (worse.activation, worse.ratio, worse.percentile) == (-2, -0.5, 25)
    assert np.isnan([worse.kept, worse.grid]).all()


def test_without_examples_or_scores_only_their_metrics_are_unknown() -> None:
    render, examples, scores = rows()
    alone, _ = picture_metrics(render, None, scores)
    assert np.isnan([alone.ratio, alone.percentile, alone.kept]).all()
    assert (alone.held_out, alone.fine) == (0.5, 0.25)
    unscored, _ = picture_metrics(render, examples, None)
    assert np.isnan([unscored.held_out, unscored.kept, unscored.rise]).all()
    assert (unscored.ratio, unscored.percentile) == (1.5, 100)


def test_a_unit_that_does_not_vary_has_no_ratio() -> None:
    constant = NaturalValues(np.full(101, 0.5))
    assert np.isnan(constant.ratio(0.5))
    assert np.isnan(constant.ratio(7))
    assert [constant.percentile(value) for value in (0.4, 0.5, 0.6)] == [0, 50, 100]


def test_a_value_that_many_images_share_has_the_middle_percentile() -> None:
    rectified = NaturalValues(np.maximum(np.linspace(-60, 40, 101), 0))
    assert rectified.percentile(0) == 30
    assert rectified.percentile(10.5) == 70.5
    assert rectified.percentile(40) == 100


def test_nan_has_no_percentile() -> None:
    assert np.isnan(NaturalValues(PERCENTILES).percentile(np.nan))
    assert np.isnan(NaturalValues(np.full(101, np.nan)).percentile(0))


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_higher_value_never_has_a_lower_percentile(first: float, second: float) -> None:
    low, high = sorted([first, second])
    steps = NaturalValues(np.round(PERCENTILES * 4) / 4)
    assert 0 <= steps.percentile(low) <= steps.percentile(high) <= 100


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=300), st.integers(0, 299))
def test_a_percentile_is_within_one_percent_of_the_share_of_lower_images(
    values: list[float], index: int
) -> None:
    data = np.sort(values)
    value = data[index % len(data)]
    # 1 is the resolution of 101 percentiles, the rest the step of the share.
    slack = 1 + 100 / len(data)
    percentile = NaturalValues(np.percentile(data, range(101))).percentile(value)
    assert 100 * (data < value).mean() - slack <= percentile <= 100 * (data <= value).mean() + slack


@given(st.floats(-10, 10), st.floats(0.01, 100), st.floats(-100, 100))
def test_scaling_and_shifting_a_unit_changes_neither_ratio_nor_percentile(
    value: float, scale: float, shift: float
) -> None:
    shifted = NaturalValues(scale * PERCENTILES + shift)
    assert shifted.ratio(scale * value + shift) == pytest.approx(
        NaturalValues(PERCENTILES).ratio(value), abs=1e-9
    )
    assert shifted.percentile(scale * value + shift) == pytest.approx(
        NaturalValues(PERCENTILES).percentile(value), abs=1e-6
    )
