from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.analysis.evidence.claims import LEVEL, q_values
from tests.oracles.benjamini_hochberg import rejected, smallest_rates

P_VALUES = st.lists(st.integers(0, 64), min_size=1, max_size=12)
FLOATS = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=40)


def test_the_example_of_the_paper_has_four_discoveries() -> None:
    # Benjamini and Hochberg 1995, section 4: of 15 tests the first four are significant at 0.05.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    found = q_values(p_values)
    assert (found <= LEVEL).tolist() == [True] * 4 + [False] * 11
    assert found[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])
    # The sixth is significant as soon as the seventh is, whose rate is smaller.
    assert found[4:7] == pytest.approx([0.0201 * 3, 0.0298 * 15 / 7, 0.0298 * 15 / 7])


def test_one_test_keeps_its_p_value_and_equal_ones_keep_theirs() -> None:
    assert q_values([0.03]).tolist() == [0.03]
    assert q_values([0.2] * 7) == pytest.approx([0.2] * 7, rel=1e-15)
    assert q_values([]).shape == (0,)


def test_untested_claims_stay_nan_and_do_not_count() -> None:
    found = q_values([np.nan, 0.01, np.nan, 0.04])
    assert np.isnan(found).tolist() == [True, False, True, False]
    assert found[[1, 3]].tolist() == q_values([0.01, 0.04]).tolist() == [0.02, 0.04]
    assert np.isnan(q_values([np.nan, np.nan])).all()


@given(P_VALUES, st.integers(1, 63))
def test_q_values_are_the_smallest_rates_at_which_the_procedure_rejects(
    values: list[int], rate: int
) -> None:
    exact = [Fraction(value, 64) for value in values]
    found = q_values([float(p) for p in exact])
    expected = [float(rate) for rate in smallest_rates(exact)]
    assert found == pytest.approx(expected, rel=1e-12, abs=0)
    # A threshold between the possible rates, where rounding decides nothing.
    threshold = Fraction(2 * rate + 1, 128) + Fraction(1, 10**9)
    assert set(np.flatnonzero(found <= float(threshold)).tolist()) == rejected(exact, threshold)


@given(FLOATS)
def test_q_values_are_between_the_p_value_and_one_and_keep_their_order(
    values: list[float],
) -> None:
    p_values = np.asarray([value for value in values if not np.isnan(value)])
    found = q_values(values)[~np.isnan(values)]
    assert ((found >= p_values) & (found <= 1)).all()
    assert (np.diff(found[np.argsort(p_values, kind="stable")]) >= 0).all()


@given(FLOATS, st.randoms(use_true_random=False))
def test_the_order_of_the_tests_changes_nothing(values: list[float], random: Random) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    shuffled = q_values([values[index] for index in order])
    assert shuffled.tolist() == pytest.approx(q_values(values)[order].tolist(), nan_ok=True, abs=0)


@given(FLOATS, st.integers(0, 39))
def test_lowering_one_p_value_raises_no_q_value(values: list[float], index: int) -> None:
    lower = np.asarray(values)
    lower[index : index + 1] /= 2
    before, after = q_values(values), q_values(lower)
    known = ~np.isnan(before)
    assert (after[known] <= before[known]).all()


def test_the_share_of_false_discoveries_is_the_level_times_the_share_of_true_nulls() -> None:
    # With independent tests it is exactly that, whatever the distribution of the others.
    generator = np.random.default_rng(0)
    for nulls, signals in ((50, 0), (45, 5), (30, 20)):
        false, repetitions = [], 2000
        for _ in range(repetitions):
            p_values = np.concatenate(
                [generator.random(nulls), generator.beta(0.1, 10, size=signals)]
            )
            discoveries = q_values(p_values) <= LEVEL
            false.append(discoveries[:nulls].sum() / max(discoveries.sum(), 1))
        expected = LEVEL * nulls / (nulls + signals)
        error = np.std(false) / np.sqrt(repetitions)
        assert abs(np.mean(false) - expected) < 4 * error
