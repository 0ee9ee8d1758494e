from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.fdr import LEVEL, q_values
from tests.oracles.discovery import called, smallest_rates

P_VALUES = st.lists(st.integers(0, 64), min_size=1, max_size=12)
FLOATS = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=40)


def test_the_q_values_of_the_paper_call_its_four_hypotheses() -> None:
    # Benjamini and Hochberg 1995, section 4: of 15 tests the first four are called at 0.05.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    found = q_values(p_values)
    assert (found <= LEVEL).tolist() == [True] * 4 + [False] * 11
    assert found[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])
    # The sixth is called as soon as the seventh is, whose rate is the smaller one.
    assert found[4:7] == pytest.approx([0.0201 * 3, 0.0298 * 15 / 7, 0.0298 * 15 / 7])


def test_one_test_keeps_its_p_value_and_equal_ones_keep_theirs() -> None:
    assert q_values([0.03]).tolist() == [0.03]
    assert q_values([0.2] * 7) == pytest.approx([0.2] * 7, rel=1e-15)
    assert q_values([]).shape == (0,)


def test_what_was_not_tested_stays_nan_and_does_not_count() -> None:
    found = q_values([np.nan, 0.01, np.nan, 0.04])
    assert np.isnan(found).tolist() == [True, False, True, False]
    assert found[[1, 3]].tolist() == q_values([0.01, 0.04]).tolist() == [0.02, 0.04]


@given(P_VALUES)
def test_q_values_are_the_smallest_rates_at_which_the_procedure_calls(values: list[int]) -> None:
    exact = [Fraction(value, 64) for value in values]
    expected = [float(rate) for rate in smallest_rates(exact)]
    assert q_values([float(p) for p in exact]) == pytest.approx(expected, rel=1e-12, abs=0)


@given(P_VALUES, st.integers(1, 63))
def test_a_bar_on_q_values_calls_what_the_procedure_calls(values: list[int], rate: int) -> None:
    found = q_values([value / 64 for value in values])
    # Beside the rates at which a test is just called, where rounding decides.
    bar = Fraction(2 * rate + 1, 128) + Fraction(1, 10**9)
    calls = set(np.flatnonzero(found <= float(bar)).tolist())
    assert calls == called([Fraction(value, 64) for value in values], bar)


@given(FLOATS)
def test_q_values_are_never_below_p_values_or_above_one(values: list[float]) -> None:
    found, known = q_values(values), ~np.isnan(values)
    assert (found[known] >= np.asarray(values)[known]).all()
    assert (found[known] <= 1).all()


@given(FLOATS, st.randoms(use_true_random=False))
def test_the_order_of_tests_changes_nothing(values: list[float], random: Random) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    shuffled = q_values([values[place] for place in order])
    assert shuffled.tolist() == pytest.approx(q_values(values)[order].tolist(), nan_ok=True, abs=0)


@given(FLOATS)
def test_a_smaller_p_value_never_has_a_larger_q_value(values: list[float]) -> None:
    known = np.asarray([value for value in values if not np.isnan(value)])
    order = np.argsort(known, kind="stable")
    assert (np.diff(q_values(known)[order]) >= 0).all()


@given(FLOATS, st.integers(0, 39))
def test_lowering_one_p_value_raises_no_q_value(values: list[float], place: int) -> None:
    lower = np.asarray(values)
    lower[place : place + 1] /= 2
    before, after = q_values(values), q_values(lower)
    known = ~np.isnan(before)
    assert (after[known] <= before[known]).all()


def test_the_share_of_false_calls_is_the_rate_times_the_share_of_true_nulls() -> None:
    # With independent tests it is exactly that, however the others are distributed.
    generator = np.random.default_rng(0)
    for nulls, signals in ((50, 0), (45, 5), (30, 20)):
        false, sets = [], 4000
        for _ in range(sets):
            p_values = np.concatenate(
                [generator.random(nulls), generator.beta(0.1, 10, size=signals)]
            )
            calls = q_values(p_values) <= LEVEL
            false.append(calls[:nulls].sum() / max(calls.sum(), 1))
        expected = LEVEL * nulls / (nulls + signals)
        error = np.std(false) / np.sqrt(sets)
        assert abs(np.mean(false) - expected) < 4 * error
