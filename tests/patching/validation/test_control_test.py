from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patching.validation.control_test import (
    SHARE,
    Compared,
    Floats,
    Level,
    compare,
    draw,
    positive,
    rank_of_level,
    resampled_means,
)
from tests.oracles.levels import p_above


def compared(own: Floats, controls: Floats) -> Compared:
    """Compare one effect with controls, (B,) and (K, B); the first resample is the estimate."""
    each = ((control[:1], control[None]) for control in controls)
    return compare((own[:1], own[None]), each, len(controls))


def above(own: Floats, controls: Floats) -> float:
    """Give the p of one effect."""
    return float(compared(own, controls).p[0])


@pytest.mark.parametrize(("count", "rank"), [(18, None), (19, 19), (38, 38), (39, 38), (99, 95)])
def test_the_level_is_the_lowest_control_that_one_in_twenty_exceeds(
    count: int, rank: int | None
) -> None:
    assert rank_of_level(count) == rank


@given(st.integers(1, 500))
def test_one_of_exchangeable_effects_exceeds_the_level_in_at_most_one_case_of_twenty(
    count: int,
) -> None:
    rank = rank_of_level(count)
    if rank is None:
        assert 1 / (count + 1) > SHARE
    else:
        assert (count + 1 - rank) / (count + 1) <= SHARE + 1e-12 < (count + 2 - rank) / (count + 1)


def test_the_level_of_too_few_controls_is_unknown_and_so_is_p() -> None:
    found = compared(np.ones(5), np.zeros((18, 5)))
    assert np.isnan([found.level, found.p]).all()


@given(st.lists(st.floats(-5, 5), min_size=19, max_size=60))
def test_a_level_rises_with_every_control_to_the_order_statistic_of_all(
    effects: list[float],
) -> None:
    found, before = Level(len(effects)), -np.inf
    for effect in effects:
        found.add(np.array([effect]))
        value = -np.inf if found.value is None else float(found.value[0])
        assert value >= before
        before = value
    rank = rank_of_level(len(effects))
    assert rank is not None
    assert before == sorted(effects)[rank - 1]


def test_no_more_controls_are_measured_once_one_effect_is_sure_to_stay_below_its_level() -> None:
    taken = []

    def controls(strong: int) -> Iterator[tuple[Floats, Floats]]:
        for number in range(39):
            taken.append(number)
            effects = np.array([0.0, 3.0 if number >= strong else 0.5])
            yield effects, np.repeat(effects[:, None], 99, 1)

    own = np.array([1.0, 2.0]), np.repeat([[1.0], [2.0]], 99, 1)
    # Of 39 controls the second strongest counts, so that it takes two.
    for strong, measured in ((0, 2), (30, 32), (37, 39), (38, 39)):
        taken.clear()
        found = compare(own, controls(strong), 39)
        assert len(taken) == measured
        assert found.p[1] == (0.01 if strong == 38 else 1)
        assert found.level[1] == (0.5 if strong == 38 else 3)
        # Of the other effect nothing is known before all are measured.
        assert found.p[0] == pytest.approx(0.01 if measured == 39 else np.nan, nan_ok=True)
        assert found.level[0] == pytest.approx(0 if measured == 39 else np.nan, nan_ok=True)


@given(st.integers(0, 10_000))
def test_a_comparison_that_stops_gives_the_verdict_of_all_controls(seed: int) -> None:
    generator = np.random.default_rng(seed)
    own = generator.normal(1.5, 0.3, 99)
    controls = generator.normal(0, 1, (39, 1)) + generator.normal(0, 0.3, (39, 99))
    # In another order it stops elsewhere.
    stopped, whole = compared(own, controls), p_beside(own, controls)
    assert (stopped.p[0] <= SHARE) == (whole <= SHARE)
    assert stopped.p[0] <= whole
    assert stopped.level[0] <= np.sort(controls[:, 0])[37]
    if whole <= SHARE:
        assert stopped.p[0] == whole


def p_beside(own: Floats, controls: Floats) -> float:
    """Compute p with all controls at once."""
    return positive(own - np.maximum(np.sort(controls, axis=0)[-2], 0))


def test_a_resample_keeps_the_number_of_images_of_each_class() -> None:
    classes = np.array([0, 1, 1, 2, 2, 2, 0, 2])
    weights = draw(classes, 50, np.random.default_rng(0))
    for one in range(3):
        assert (weights[:, classes == one].sum(1) == (classes == one).sum()).all()
    assert len({tuple(row) for row in weights.tolist()}) > 30


def test_every_image_is_drawn_once_on_average() -> None:
    weights = draw(np.repeat([0, 1], [5, 20]), 20_000, np.random.default_rng(0))
    # Their deviation is below 1, so that of the mean is below 0.0071.
    assert weights.mean(0) == pytest.approx(np.ones(25), abs=0.03)


def test_the_mean_of_a_resample_is_that_of_its_images_among_those_of_the_values() -> None:
    weights = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    found = resampled_means(weights, np.array([0, 2]), np.array([6.0, 3.0]))
    assert found[[0, 2]].tolist() == [5.0, 4.5]
    assert np.isnan(found[1])


def test_p_is_that_of_resamples_taken_one_by_one() -> None:
    generator = np.random.default_rng(3)
    own = generator.normal(1.8, 1, 12)
    controls = generator.normal(0, 1, (39, 12))
    weights = draw(np.zeros(12, np.int64), 200, generator)
    drawn = [np.repeat(np.arange(12), row.astype(int)).tolist() for row in weights]
    images = np.arange(12)
    means = np.stack([resampled_means(weights, images, each) for each in controls])
    found = above(resampled_means(weights, images, own), means)
    assert found == p_above(own, list(controls), drawn)
    assert 1 / 201 < found <= 0.05


def test_controls_below_zero_do_not_make_an_effect_below_zero_significant() -> None:
    assert above(np.full(99, -1.0), np.full((19, 99), -2.0)) == 1
    assert above(np.full(99, 1.0), np.full((19, 99), -2.0)) == 0.01


def test_what_is_not_a_number_counts_as_not_above_zero() -> None:
    assert positive(np.array([1.0, np.nan, 2.0])) == 0.5


@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed"])
@pytest.mark.parametrize("count", [19, 39])
def test_of_units_that_are_like_their_controls_at_most_one_in_twenty_is_significant(
    shape: str, count: int
) -> None:
    """Units differ truly, with images on top; each is tested against the others."""
    significant, trials = 0, 0
    for seed in range(40):
        generator = np.random.default_rng([seed, count])
        true = {
            "normal": generator.normal(size=count + 1),
            "heavy": generator.standard_cauchy(count + 1),
            "skewed": generator.exponential(size=count + 1),
        }[shape]
        effects = true[:, None] + generator.normal(0, 0.5, (count + 1, 20))
        weights = draw(np.zeros(20, np.int64), 200, generator)
        means = np.stack([resampled_means(weights, np.arange(20), each) for each in effects])
        for unit in range(count + 1):
            significant += above(means[unit], np.delete(means, unit, axis=0)) <= 0.05
            trials += 1
    # No more than are the highest by construction, and nothing but luck could add to it.
    assert 0 < significant <= SHARE * trials
