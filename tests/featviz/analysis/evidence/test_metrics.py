from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.metrics import Natural, numbers

LADDER = np.linspace(-3, 1, 101)
"""Percentiles of values that are spread evenly from -3 to 1: the median is -1, the best 1."""


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
    return render, {"percentiles": LADDER.astype(np.float32)}, scores | changes


def test_numbers_of_a_hand_computed_unit_are_these() -> None:
    better, worse = numbers(*rows())
    # From the median -1 to the best 1 it is 2 up; the picture is 3 up, its held-out views 1.5.
    assert (better.activation, better.ratio, better.percentile) == (2, 1.5, 100)
    assert (better.held_out, better.kept) == (0.5, 0.5)
    assert (better.fine, better.grid, better.spectrum, better.rise) == (0.25, 0.125, 1, 0)
    # Below the median there is no way up that held-out views could keep.
    assert (worse.activation, worse.ratio, worse.percentile) == (-2, -0.5, 25)
    assert np.isnan([worse.kept, worse.grid]).all()


def test_without_examples_or_scores_only_their_numbers_are_unknown() -> None:
    render, examples, scores = rows()
    alone, _ = numbers(render, None, scores)
    assert np.isnan([alone.ratio, alone.percentile, alone.kept]).all()
    assert (alone.held_out, alone.fine) == (0.5, 0.25)
    unscored, _ = numbers(render, examples, None)
    assert np.isnan([unscored.held_out, unscored.kept, unscored.rise]).all()
    assert (unscored.ratio, unscored.percentile) == (1.5, 100)


def test_a_unit_that_does_not_vary_has_no_ratio() -> None:
    constant = Natural(np.full(101, 0.5))
    assert np.isnan(constant.share(0.5))
    assert np.isnan(constant.share(7))
    assert [constant.rank(value) for value in (0.4, 0.5, 0.6)] == [0, 50, 100]


def test_of_values_that_many_images_share_the_rank_is_the_middle_one() -> None:
    rectified = Natural(np.maximum(np.linspace(-60, 40, 101), 0))
    assert rectified.rank(0) == 30
    assert rectified.rank(10.5) == 70.5
    assert rectified.rank(40) == 100


def test_what_is_no_number_has_no_rank() -> None:
    assert np.isnan(Natural(LADDER).rank(np.nan))
    assert np.isnan(Natural(np.full(101, np.nan)).rank(0))


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_higher_value_never_ranks_lower(first: float, second: float) -> None:
    low, high = sorted([first, second])
    stairs = Natural(np.round(LADDER * 4) / 4)
    assert 0 <= stairs.rank(low) <= stairs.rank(high) <= 100


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=300), st.integers(0, 299))
def test_a_rank_is_within_one_percent_of_the_share_of_lower_images(
    values: list[float], place: int
) -> None:
    data = np.sort(values)
    value = data[place % len(data)]
    # A hundredth more is what 101 percentiles cannot tell; one image more is a step of the share.
    slack = 1 + 100 / len(data)
    rank = Natural(np.percentile(data, range(101))).rank(value)
    assert 100 * (data < value).mean() - slack <= rank <= 100 * (data <= value).mean() + slack


@given(st.floats(-10, 10), st.floats(0.01, 100), st.floats(-100, 100))
def test_scaling_and_moving_a_unit_changes_neither_ratio_nor_rank(
    value: float, scale: float, shift: float
) -> None:
    moved = Natural(scale * LADDER + shift)
    assert moved.share(scale * value + shift) == pytest.approx(
        Natural(LADDER).share(value), abs=1e-9
    )
    assert moved.rank(scale * value + shift) == pytest.approx(Natural(LADDER).rank(value), abs=1e-6)
