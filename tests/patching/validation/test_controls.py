from __future__ import annotations

import numpy as np
import pytest
import torch

from patching.validation.controls import (
    DIRECTION_CONTROLS,
    NEURON_CONTROLS,
    control_pool,
    direction_controls,
    nearest_controls,
    random_directions,
    silent,
    strongest_first,
)
from tests.patching.validation.worlds import group


def test_the_pool_is_evenly_spaced_in_the_order_of_levels_and_without_silent_neurons() -> None:
    generator = np.random.default_rng(0)
    levels = generator.permutation(np.concatenate([np.zeros(30), np.linspace(1, 2, 101)]))
    chosen = control_pool(levels, 11)
    assert levels[chosen] == pytest.approx(np.linspace(1, 2, 11))
    assert len(control_pool(levels, 500)) == 101


def test_a_neuron_is_silent_below_a_thousandth_of_the_median_level() -> None:
    levels = np.array([0.0, 1.9e-3, 2.1e-3, 1.0, 2.0, 3.0, 4.0])
    # The median of the positive levels is 1.5.
    assert silent(levels).tolist() == [True, False, False, False, False, False, False]
    levels[1] = 1.4e-3
    assert silent(levels)[:2].tolist() == [True, True]
    assert silent(np.zeros(3)).all()


def test_controls_are_the_other_neurons_of_the_pool_with_the_nearest_ratio_of_levels() -> None:
    levels = np.array([1.0, 2.0, 4.0, 8.0, 0.5, 3.0])
    pool = np.array([0, 2, 3, 4, 5])
    assert nearest_controls(levels, 1, pool, 3).tolist() == [5, 0, 2]
    assert nearest_controls(levels, 2, pool, 9).tolist() == [5, 3, 0, 4]


def test_a_neuron_of_the_pool_has_as_many_controls_as_any_other_and_not_itself() -> None:
    found = nearest_controls(group().levels, 5, group().pool)
    assert len(found) == NEURON_CONTROLS
    assert 5 not in found


def test_random_directions_have_the_norm_of_the_given_one() -> None:
    direction = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    drawn = random_directions(direction, torch.Generator().manual_seed(0))
    assert drawn.shape == (DIRECTION_CONTROLS, 3)
    assert drawn.norm(dim=1).tolist() == pytest.approx([5.0] * DIRECTION_CONTROLS)
    assert drawn.mean(0).norm() < 3


def test_every_direction_control_has_its_own_support_and_class() -> None:
    candidate = group().candidate(0)
    neuron = candidate.neuron
    directions = random_directions(neuron.direction, torch.Generator().manual_seed(0))
    found = direction_controls(candidate, directions)
    assert len({control.label for control in found}) > 1
    for control, direction in zip(found, directions, strict=True):
        alone = candidate.context.support(neuron, direction[None])[0]
        assert control.support == pytest.approx(alone, rel=1e-9)
        assert torch.equal(control.neuron.direction, direction)
        assert torch.equal(control.neuron.activation, neuron.activation)
    ordered = [control.support.max() for control in strongest_first(found)]
    assert ordered == sorted(ordered, reverse=True)
    # First-order support is correlated with the effects.
    effects = [control.effects_for("necessity").estimate[0] for control in strongest_first(found)]
    assert np.mean(effects[:9]) > np.mean(effects[10:])
