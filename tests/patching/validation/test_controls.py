from __future__ import annotations

import numpy as np
import pytest
import torch

from patching.validation.controls import (
    DIRECTIONS,
    NEURONS,
    nearest,
    pool,
    random_directions,
    silent,
    strongest_first,
    written_directions,
)
from tests.patching.validation.worlds import group


def test_the_pool_is_spread_evenly_over_the_order_of_levels_and_leaves_silent_neurons_out() -> None:
    generator = np.random.default_rng(0)
    levels = generator.permutation(np.concatenate([np.zeros(30), np.linspace(1, 2, 101)]))
    chosen = pool(levels, 11)
    assert levels[chosen] == pytest.approx(np.linspace(1, 2, 11))
    assert len(pool(levels, 500)) == 101


def test_a_neuron_is_silent_below_a_thousandth_of_the_median_level() -> None:
    levels = np.array([0.0, 1.9e-3, 2.1e-3, 1.0, 2.0, 3.0, 4.0])
    # Of those that vary at all the median is 1.5.
    assert silent(levels).tolist() == [True, False, False, False, False, False, False]
    levels[1] = 1.4e-3
    assert silent(levels)[:2].tolist() == [True, True]
    assert silent(np.zeros(3)).all()


def test_controls_are_the_others_of_the_pool_that_are_nearest_in_ratio() -> None:
    levels = np.array([1.0, 2.0, 4.0, 8.0, 0.5, 3.0])
    among = np.array([0, 2, 3, 4, 5])
    assert among[nearest(levels, 1, among, 3)].tolist() == [5, 0, 2]
    assert among[nearest(levels, 2, among, 9)].tolist() == [5, 3, 0, 4]


def test_as_many_controls_are_taken_as_an_order_statistic_needs() -> None:
    found = nearest(group().levels, 5, group().pool)
    assert len(found) == NEURONS
    assert 5 not in group().pool[found]


def test_random_directions_have_the_norm_of_the_own_one() -> None:
    direction = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    drawn = random_directions(direction, torch.Generator().manual_seed(0))
    assert drawn.shape == (DIRECTIONS, 3)
    assert drawn.norm(dim=1).tolist() == pytest.approx([5.0] * DIRECTIONS)
    assert drawn.mean(0).norm() < 3


def test_written_directions_are_chosen_and_measured_each_for_itself() -> None:
    own = group().tested(0)
    directions = random_directions(own.neuron.direction, torch.Generator().manual_seed(0))
    found = written_directions(own, directions)
    assert len({control.place for control in found}) > 1
    for control, direction in zip(found, directions, strict=True):
        alone = own.context.support(own.neuron.writing(direction), direction[None])[0]
        assert control.support == pytest.approx(alone, rel=1e-9)
        assert torch.equal(control.neuron.direction, direction)
        assert torch.equal(control.neuron.activation, own.neuron.activation)
    ordered = [control.support.max() for control in strongest_first(found)]
    assert ordered == sorted(ordered, reverse=True)
    # First order is a guess, and a better one than none.
    effects = [control.measured("necessity").estimate[0] for control in strongest_first(found)]
    assert np.mean(effects[:9]) > np.mean(effects[10:])
