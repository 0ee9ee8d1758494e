from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.checks import MOST_RISE, converged
from featviz.analysis.scores.metrics import late_gain


def test_a_value_that_never_moves_does_not_rise() -> None:
    assert late_gain(np.full((2, 3, 16), -4.0)).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("steps", [4, 16, 17, 512])
def test_a_straight_line_rises_by_what_a_hand_works_out(steps: int) -> None:
    """Of 0, 1, ..., T - 1 the means are those of the ends of each stretch."""
    half, quarter = steps // 2, steps // 4
    late, before = (half + steps - 1) / 2, (quarter + half - 1) / 2
    line = np.arange(steps, dtype=np.float32)
    assert late_gain(3 * line - 7) == pytest.approx((late - before) / late, rel=1e-6)


def test_a_value_that_doubles_its_steps_for_each_gain_rises_by_one_part_of_the_doublings() -> None:
    """A gain of 1 a doubling: 8 of 256 steps' nine, whatever stretch is looked at."""
    steps = np.arange(1, 2**14 + 1)
    late = np.log2(steps[2**13 :]).mean()
    assert late_gain(np.log2(steps)) == pytest.approx(1 / late, rel=1e-3)


def test_a_value_that_is_there_after_a_quarter_has_converged() -> None:
    early = np.minimum(np.arange(64) / 16, 1)
    assert late_gain(early) == 0
    assert converged(late_gain(early))


def test_a_value_that_fell_for_good_has_no_rise_and_is_not_converged() -> None:
    falling = late_gain(-np.arange(32.0))
    assert np.isnan(falling)
    assert not converged(falling)


def test_a_value_that_peaks_early_has_a_rise_below_zero() -> None:
    peak = np.concatenate([np.linspace(0, 2, 16), np.linspace(2, 1, 16)])
    assert late_gain(peak) < 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_few_steps_tell_nothing(steps: int) -> None:
    assert np.isnan(late_gain(np.arange(steps, dtype=np.float64))).all()


@given(
    st.lists(st.floats(0, 1), min_size=8, max_size=40),
    st.floats(0.1, 100),
    st.floats(-100, 100),
)
def test_neither_scale_nor_offset_of_a_unit_changes_its_rise(
    values: list[float], scale: float, offset: float
) -> None:
    trajectory = np.array([-1.0, *values, 2.0])
    assert late_gain(trajectory * scale + offset) == pytest.approx(late_gain(trajectory), abs=1e-6)


def test_the_threshold_is_a_tenth_and_open_at_the_top() -> None:
    assert MOST_RISE == 0.1
    assert converged(np.array([-0.2, 0.0999, 0.1, 0.5, np.nan])).tolist() == [1, 1, 0, 0, 0]
