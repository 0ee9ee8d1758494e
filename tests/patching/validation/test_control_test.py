from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patching.effects.bootstrap import Floats, resampled_means, stratified_counts
from patching.validation.control_test import (
    ALPHA,
    ControlComparison,
    CriticalValue,
    bootstrap_p,
    compare,
    critical_rank,
)
from tests.oracles.control_test import p_above


def compared(own: Floats, controls: Floats) -> ControlComparison:
    """Compare one effect with controls, (B,) and (K, B); the first resample is the estimate."""
    each = ((control[:1], control[None]) for control in controls)
    return compare((own[:1], own[None]), each, len(controls))


def p_of(own: Floats, controls: Floats) -> float:
    """Return the p-value of one effect."""
    return float(compared(own, controls).p[0])


@pytest.mark.parametrize(("count", "rank"), [(18, None), (19, 19), (38, 38), (39, 38), (99, 95)])
def test_the_critical_value_is_the_lowest_control_that_one_in_twenty_exceeds(
    count: int, rank: int | None
) -> None:
    assert critical_rank(count) == rank


@given(st.integers(1, 500))
def test_an_exchangeable_effect_exceeds_the_critical_value_in_at_most_one_case_of_twenty(
    count: int,
) -> None:
    rank = critical_rank(count)
    if rank is None:
        assert 1 / (count + 1) > ALPHA
    else:
        assert (count + 1 - rank) / (count + 1) <= ALPHA + 1e-12 < (count + 2 - rank) / (count + 1)


def test_the_critical_value_and_p_of_too_few_controls_are_unknown() -> None:
    found = compared(np.ones(5), np.zeros((18, 5)))
    assert np.isnan([found.critical_value, found.p]).all()


@given(st.lists(st.floats(-5, 5), min_size=19, max_size=60))
def test_a_critical_value_never_falls_and_ends_at_the_order_statistic_of_all_controls(
    effects: list[float],
) -> None:
    found, before = CriticalValue(len(effects)), -np.inf
    for effect in effects:
        found.add(np.array([effect]))
        value = -np.inf if found.value is None else float(found.value[0])
        assert value >= before
        before = value
    rank = critical_rank(len(effects))
    assert rank is not None
    assert before == sorted(effects)[rank - 1]


def test_no_more_controls_are_measured_once_one_comparison_has_failed() -> None:
    measured = []

    def controls(strong: int) -> Iterator[tuple[Floats, Floats]]:
        for index in range(39):
            measured.append(index)
            effects = np.array([0.0, 3.0 if index >= strong else 0.5])
            yield effects, np.repeat(effects[:, None], 99, 1)

    own = np.array([1.0, 2.0]), np.repeat([[1.0], [2.0]], 99, 1)
    # The critical value of 39 controls is the second largest effect, so at least two are needed.
    for strong, count in ((0, 2), (30, 32), (37, 39), (38, 39)):
        measured.clear()
        found = compare(own, controls(strong), 39)
        assert len(measured) == count
        assert found.p[1] == (0.01 if strong == 38 else 1)
        assert found.critical_value[1] == (0.5 if strong == 38 else 3)
        # The comparison of the other effect is undecided before all are measured.
        assert found.p[0] == pytest.approx(0.01 if count == 39 else np.nan, nan_ok=True)
        assert found.critical_value[0] == pytest.approx(0 if count == 39 else np.nan, nan_ok=True)


@given(st.integers(0, 10_000))
def test_a_comparison_that_stops_gives_the_verdict_of_all_controls(seed: int) -> None:
    generator = np.random.default_rng(seed)
    own = generator.normal(1.5, 0.3, 99)
    controls = generator.normal(0, 1, (39, 1)) + generator.normal(0, 0.3, (39, 99))
    stopped, whole = compared(own, controls), p_of_all(own, controls)
    assert (stopped.p[0] <= ALPHA) == (whole <= ALPHA)
    assert stopped.p[0] <= whole
    assert stopped.critical_value[0] <= np.sort(controls[:, 0])[37]
    if whole <= ALPHA:
        assert stopped.p[0] == whole


def p_of_all(own: Floats, controls: Floats) -> float:
    """Compute the p-value with all controls at once."""
    return bootstrap_p(own - np.maximum(np.sort(controls, axis=0)[-2], 0))


def test_p_equals_that_of_resamples_computed_one_by_one() -> None:
    generator = np.random.default_rng(3)
    own = generator.normal(1.8, 1, 12)
    controls = generator.normal(0, 1, (39, 12))
    weights = stratified_counts(np.zeros(12, np.int64), 200, generator)
    drawn = [np.repeat(np.arange(12), row.astype(int)).tolist() for row in weights]
    images = np.arange(12)
    means = np.stack([resampled_means(weights, images, each) for each in controls])
    found = p_of(resampled_means(weights, images, own), means)
    assert found == p_above(own, list(controls), drawn)
    assert 1 / 201 < found <= 0.05


def test_controls_below_zero_do_not_make_an_effect_below_zero_significant() -> None:
    assert p_of(np.full(99, -1.0), np.full((19, 99), -2.0)) == 1
    assert p_of(np.full(99, 1.0), np.full((19, 99), -2.0)) == 0.01


def test_nan_counts_as_not_above_zero() -> None:
    assert bootstrap_p(np.array([1.0, np.nan, 2.0])) == 0.5


@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed"])
@pytest.mark.parametrize("count", [19, 39])
def test_at_most_one_in_twenty_of_candidates_like_their_controls_is_significant(
    shape: str, count: int
) -> None:
    """True effects differ between units, with image noise added."""
    significant, trials = 0, 0
    for seed in range(40):
        generator = np.random.default_rng([seed, count])
        true = {
            "normal": generator.normal(size=count + 1),
            "heavy": generator.standard_cauchy(count + 1),
            "skewed": generator.exponential(size=count + 1),
        }[shape]
        effects = true[:, None] + generator.normal(0, 0.5, (count + 1, 20))
        weights = stratified_counts(np.zeros(20, np.int64), 200, generator)
        means = np.stack([resampled_means(weights, np.arange(20), each) for each in effects])
        for unit in range(count + 1):
            significant += p_of(means[unit], np.delete(means, unit, axis=0)) <= 0.05
            trials += 1
    # The largest ones are significant by construction, others only by chance.
    assert 0 < significant <= ALPHA * trials
