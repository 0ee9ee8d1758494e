"""Intervals, against closed forms, a plain loop, and the truth of synthetic effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg, stats

from patching.effects.bootstrap import (
    LEAST_SPREAD,
    Floats,
    Intervals,
    difference_intervals,
    intervals,
    resampled_means,
    stratified_counts,
)
from tests.oracles.bootstrap import half_widths, ratio_of_means
from tests.oracles.effects import MEANS, skewed

LEAST = {"few flip": 100, "lognormal": 200}
ENDS = ("estimate", "low", "high", "all_low", "all_high")


def draw(kind: str, *shape: int, seed: int = 0) -> Floats:
    return skewed(kind, np.random.default_rng(seed).standard_normal(shape))


def stacked(found: Intervals) -> Floats:
    return np.stack([getattr(found, end) for end in ENDS])


def covered(low: Floats, high: Floats, mean: float) -> NDArray[np.bool_]:
    return (low <= mean) & (mean <= high)


def test_the_estimates_are_means_and_ratios_of_means() -> None:
    values, over = draw("exponential", 30, 3), draw("exponential", 30, seed=1)
    np.testing.assert_allclose(intervals(values).estimate, values.mean(0))
    np.testing.assert_allclose(intervals(values, over).estimate, values.mean(0) / over.mean())


def test_an_interval_of_normal_values_is_student_s() -> None:
    values = stats.norm.ppf((np.arange(100) + 0.5) / 100)[:, None] + 3
    found = intervals(values, resamples=40_000)
    low, high = stats.t.interval(0.95, 99, values.mean(), stats.sem(values)[0])
    tolerance = 0.02 * (high - low)
    assert found.low[0] == pytest.approx(low, abs=tolerance)
    assert found.high[0] == pytest.approx(high, abs=tolerance)
    assert found.all_low[0] == pytest.approx(low, abs=tolerance)
    assert found.all_high[0] == pytest.approx(high, abs=tolerance)


@pytest.mark.parametrize("ratio", [False, True])
def test_intervals_are_those_of_one_resample_at_a_time(ratio: bool) -> None:
    values, over = draw("chi-square", 15, 3), 0.5 + draw("exponential", 15, seed=1)
    values[:, 2] = np.arange(15) == 4  # many resamples have no spread at all
    below = over if ratio else np.ones(15)
    found = intervals(values, over if ratio else None, 0.9, 700, seed=3)
    own, together = half_widths(values, below, 0.9, 700, 3, LEAST_SPREAD)
    for site in range(3):
        estimate, error = ratio_of_means(values[:, site], below)
        assert found.estimate[site] == pytest.approx(estimate)
        assert found.low[site] == pytest.approx(estimate - own[site] * error)
        assert found.high[site] == pytest.approx(estimate + own[site] * error)
        assert found.all_low[site] == pytest.approx(estimate - together * error)
        assert found.all_high[site] == pytest.approx(estimate + together * error)


def test_a_constant_share_is_known_exactly() -> None:
    over = draw("exponential", 50)
    found = intervals(over[:, None] * [0.3, -2.0], over)
    np.testing.assert_allclose(stacked(found), np.tile([0.3, -2.0], (5, 1)), atol=1e-12)


def test_equal_effects_have_an_interval_without_width() -> None:
    found = intervals(np.full((20, 2), 0.1))
    np.testing.assert_allclose(stacked(found), np.full((5, 2), 0.1), rtol=1e-12)
    assert not stacked(intervals(np.zeros((20, 2)))).any()


@given(shift=st.floats(-5, 5), scale=st.floats(0.01, 100))
def test_intervals_move_and_stretch_with_the_effects(shift: float, scale: float) -> None:
    values = draw("chi-square", 12, 2)
    found = stacked(intervals(values, resamples=200))
    moved = stacked(intervals(scale * values + shift, resamples=200))
    np.testing.assert_allclose(moved, scale * found + shift, rtol=1e-6, atol=1e-6 * scale)


def test_negating_effects_negates_and_swaps_the_ends_of_intervals() -> None:
    values = draw("exponential", 40, 3)
    found, turned = intervals(values), intervals(-values)
    np.testing.assert_allclose(turned.low, -found.high)
    np.testing.assert_allclose(turned.all_low, -found.all_high)


def test_the_interval_of_a_site_does_not_depend_on_the_others() -> None:
    values = draw("exponential", 25, 300)
    found, alone = intervals(values, resamples=500), intervals(values[:, 280:281], resamples=500)
    np.testing.assert_allclose(alone.low[0], found.low[280])
    np.testing.assert_allclose(alone.high[0], found.high[280])


def test_intervals_depend_on_their_seed_alone() -> None:
    values = draw("exponential", 25, 2)
    state = str(np.random.get_state())  # noqa: NPY002 - the global one, which must not move
    first, repeated, other = (stacked(intervals(values, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, repeated)
    assert not np.array_equal(first, other)
    assert str(np.random.get_state()) == state  # noqa: NPY002


def test_one_image_or_a_denominator_of_zero_has_no_interval() -> None:
    values = draw("exponential", 10, 2)
    for found in (intervals(values[:1]), intervals(values, np.zeros(10))):
        assert np.isnan(stacked(found)[1:]).all()
    np.testing.assert_allclose(intervals(values[:1]).estimate, values[0])


def test_an_effect_of_one_image_leaves_intervals_finite_and_open_as_to_its_sign() -> None:
    values = np.zeros((100, 1))
    values[17] = 0.9
    found = intervals(values)
    # More than a third of all resamples miss the image. The mean of 0.009 is its standard error,
    # and of that their spread is taken for a tenth.
    np.testing.assert_allclose(found.low, 0.009 - 0.09)
    np.testing.assert_allclose(found.high, 0.009 + 0.09)


def test_intervals_for_all_sites_hold_those_of_each_and_widen_with_unrelated_sites() -> None:
    values = draw("exponential", 60, 40)
    few, many = intervals(values[:, :3]), intervals(values)
    assert (many.all_low <= many.low).all()
    assert (many.all_high >= many.high).all()
    assert (many.all_high[:3] > few.all_high).all()
    assert (many.all_low[:3] < few.all_low).all()


def test_copies_of_a_site_widen_nothing() -> None:
    values = draw("exponential", 60, 1)
    one, many = intervals(values), intervals(np.repeat(values, 30, axis=1))
    np.testing.assert_allclose(many.all_low, one.all_low[0], rtol=1e-9)
    np.testing.assert_allclose(many.all_high, one.all_high[0], rtol=1e-9)


def test_independent_sites_have_the_critical_value_of_independent_normals() -> None:
    # Columns of a Hadamard matrix are orthogonal, and none but the first is skewed.
    values = linalg.hadamard(128)[:, 1:21].astype(float)
    found = intervals(values, resamples=20_000)
    critical = stats.t.isf(stats.norm.sf(stats.norm.ppf((1 + 0.95 ** (1 / 20)) / 2)), 127)
    error = values.std(0, ddof=1) / 128**0.5
    np.testing.assert_allclose(found.all_high / error, critical, rtol=0.02)
    np.testing.assert_allclose(found.all_low / error, -critical, rtol=0.02)


def coverage(kind: str, count: int, sets: int) -> float:
    """Share of intervals that hold the truth, over ten times as many sets as are said.

    Each tenth has resamples of its own: in one set of resamples errors of many intervals agree.
    """
    hits = []
    for seed in range(10):
        found = intervals(draw(kind, count, sets, seed=seed), resamples=1000, seed=seed)
        hits.append(covered(found.low, found.high, MEANS[kind]).mean())
    return float(np.mean(hits))


@pytest.mark.parametrize("kind", ["normal", "exponential", "probabilities", "some flip"])
def test_intervals_of_50_images_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    assert 0.93 <= coverage(kind, 50, 1000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (kind, count)
        for kind in MEANS
        for count in (50, 100, 200, 500, 1000)
        # With fewer images too few of them carry the effect.
        if count >= LEAST.get(kind, 50)
    ],
)
def test_intervals_of_any_number_of_images_hold_the_truth(kind: str, count: int) -> None:
    assert 0.93 <= coverage(kind, count, 1000 if count <= 200 else 400) <= 0.97


def test_percentiles_fall_short_of_their_level_where_these_intervals_do_not() -> None:
    values, drawn = draw("chi-square", 50, 2000, seed=2), np.random.default_rng(0)
    weights = drawn.multinomial(50, [1 / 50] * 50, size=1000).astype(float)
    low, high = np.quantile(weights @ values / 50, [0.025, 0.975], axis=0)
    found = intervals(values, resamples=1000)
    assert covered(low, high, 1.0).mean() < 0.93
    assert covered(found.low, found.high, 1.0).mean() >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("count", [50, 100, 200])
def test_intervals_of_ratios_hold_the_truth(count: int) -> None:
    hits = []
    for seed in range(2000):
        generator = np.random.default_rng(seed)
        over = generator.beta(2.0, 0.6, count)
        values = over * generator.beta(1.0, 1.5, count) + 0.2 * generator.standard_normal(count)
        found = intervals(values[:, None], over, resamples=1000, seed=seed)
        hits.append(found.low[0] <= 0.4 <= found.high[0])
    assert 0.93 <= np.mean(hits) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"),
    [("normal", 50), ("exponential", 50), ("chi-square", 100), ("few flip", 500)],
)
def test_intervals_for_all_sites_hold_all_truths_at_once(kind: str, count: int) -> None:
    hits = []
    for seed in range(1000):
        generator = np.random.default_rng(seed)
        shared = generator.standard_normal((count, 1))
        own = generator.standard_normal((count, 48))
        found = intervals(skewed(kind, (shared + own) / 2**0.5), resamples=1000, seed=seed)
        hits.append(covered(found.all_low, found.all_high, MEANS[kind]).all())
    assert 0.93 <= np.mean(hits) <= 0.98


def test_a_difference_of_normal_values_has_the_interval_of_welch() -> None:
    ranks = stats.norm.ppf((np.arange(100) + 0.5) / 100)[:, None]
    first, second = ranks + 3, 2 * ranks[::2]
    found = difference_intervals(first, second, resamples=40_000)
    wanted = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False).confidence_interval()
    tolerance = 0.03 * (wanted.high - wanted.low)
    assert found.estimate[0] == pytest.approx(3 - 2 * ranks[::2].mean())
    assert found.low[0] == pytest.approx(wanted.low, abs=tolerance)
    assert found.high[0] == pytest.approx(wanted.high, abs=tolerance)


def test_exchanging_groups_negates_their_difference() -> None:
    first, second = draw("exponential", 30, 3), draw("normal", 20, 3, seed=1)
    found, turned = difference_intervals(first, second), difference_intervals(second, first)
    np.testing.assert_allclose(turned.estimate, -found.estimate)
    width = found.high - found.low
    np.testing.assert_allclose(turned.low, -found.high, atol=0.05 * width.max())
    assert (found.all_low <= found.low).all()
    assert (found.all_high >= found.high).all()


@pytest.mark.parametrize(
    ("kinds", "scale"),
    [
        (("normal", "normal"), 3.0),
        (("exponential", "exponential"), 1.0),
        (("exponential", "falling exponential"), 1.0),
        (("some flip", "probabilities"), 1.0),
    ],
)
def test_intervals_of_differences_of_50_and_50_images_hold_the_truth_as_often_as_they_say(
    kinds: tuple[str, str], scale: float
) -> None:
    hits = []
    for seed in range(10):
        first, second = (
            draw(kind, 50, 500, seed=2 * seed + side) for side, kind in enumerate(kinds)
        )
        found = difference_intervals(first, scale * second, resamples=1000, seed=seed)
        truth = MEANS[kinds[0]] - scale * MEANS[kinds[1]]
        hits.append(covered(found.low, found.high, truth).mean())
    assert 0.93 <= np.mean(hits) <= 0.97


def test_equal_groups_differ_at_one_of_many_sites_as_often_as_the_level_says() -> None:
    alarms, single = [], []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        first, second = generator.exponential(size=(2, 50, 12))
        found = difference_intervals(first, second, resamples=600, seed=seed)
        alarms.append(not covered(found.all_low, found.all_high, 0).all())
        single.append((~covered(found.low, found.high, 0)).mean())
    assert 0.03 <= np.mean(single) <= 0.07
    assert 0.02 <= np.mean(alarms) <= 0.08  # the standard error is 1.1 %


def test_a_stratified_resample_keeps_the_number_of_images_of_each_stratum() -> None:
    strata = np.array([0, 1, 1, 2, 2, 2, 0, 2])
    counts = stratified_counts(strata, 50, np.random.default_rng(0))
    for one in range(3):
        assert (counts[:, strata == one].sum(1) == (strata == one).sum()).all()
    assert len({tuple(row) for row in counts.tolist()}) > 30


def test_every_image_is_drawn_once_on_average() -> None:
    counts = stratified_counts(np.repeat([0, 1], [5, 20]), 20_000, np.random.default_rng(0))
    # The standard deviation of a count is below 1, that of its mean below 0.0071.
    assert counts.mean(0) == pytest.approx(np.ones(25), abs=0.03)


def test_the_mean_of_a_resample_is_over_its_images_that_have_values() -> None:
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    found = resampled_means(counts, np.array([0, 2]), np.array([6.0, 3.0]))
    assert found[[0, 2]].tolist() == [5.0, 4.5]
    assert np.isnan(found[1])
