"""Neurons whose part in the network is known get the right verdict."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.false_alarms import RATIO, _fresh, alarms, counts
from benchmarks.planted import ORDINARY, PLANTED, planted, right, verdicts
from patching.validation.controls import pool


def test_a_needed_a_correlating_and_a_dead_neuron_are_told_apart() -> None:
    found, ordinary = verdicts(0)
    assert all(right(name, each) for name, each in found.items())
    rows = {name: each.row for name, each in found.items()}
    # All that the needed one does is done on class 0; its twin excites as much and does nothing.
    assert rows["needed"]["level"] == pytest.approx(rows["correlates"]["level"])
    assert rows["needed"]["total"].argmax() == 0
    assert rows["needed"]["converted"][:3].tolist() == sorted(rows["needed"]["converted"][:3])
    # The right verdict is no other neuron's, so that scoring can fail.
    assert not right("correlates", found["needed"])
    assert not right("dead", found["correlates"])
    assert not any(right("needed", each) for each in (found["correlates"], *ordinary))
    assert len(ordinary) == len(ORDINARY)


@pytest.mark.slow
def test_planted_neurons_get_the_right_verdict_in_95_of_100_seeds() -> None:
    count: Counter[str] = Counter()
    for seed in range(100):
        found = verdicts(seed)[0]
        count.update(name for name, each in found.items() if right(name, each))
    assert min(count[name] for name in PLANTED) >= 95


def test_false_alarms_are_counted_of_neurons_validated_as_units_are() -> None:
    found = alarms(*planted(3, plant=False, ratio=2), 3, fresh=2)
    assert len(found.rows) == 4
    assert {row["address"].partition(":")[0] for row in found.rows} == {
        f"blocks.{layer}.mlp.fc1" for layer in range(2)
    }
    told = counts([found])
    tests = told["neurons"]["tests"]
    assert {name: each["tested"] for name, each in tests.items()} == dict.fromkeys(
        ("ablations", "dose", "response", "picture"), 4
    )
    assert tests["ablations"]["low"] == sum(
        bool((row["necessity_p"][:, 0] <= 0.05).all()) for row in found.rows
    )
    assert told["neurons"]["claims"]["necessary"]["by_rank"] == pytest.approx(0.2)
    assert told["directions"]["tests"]["dose"]["tested"] == 4


def test_neurons_tested_for_false_alarms_are_in_no_pool() -> None:
    levels = np.linspace(1, 2, 100)
    levels[7] = 0
    chosen = _fresh(levels, seed=1, layer=2, count=16)
    assert len(set(chosen)) == 16
    assert 7 not in chosen
    assert not set(chosen) & set(pool(levels).tolist())
    assert _fresh(levels, seed=2, layer=2, count=16) != chosen
    assert _fresh(levels[:60], seed=1, layer=2, count=16) == []


@pytest.mark.slow
def test_of_random_networks_no_more_is_claimed_than_ranks_explain() -> None:
    found = counts([alarms(*planted(seed, plant=False, ratio=RATIO), seed) for seed in range(3)])
    tests = found["neurons"]["tests"]
    for name in ("ablations", "dose"):
        # Three deviations above one in twenty of 96.
        assert tests[name]["low"] <= 4.8 + 3 * (96 * 0.05 * 0.95) ** 0.5
    for claim in found["neurons"]["claims"].values():
        assert claim["tested"] == 96
        assert claim["made"] <= claim["by_rank"]
    # Without controls one picture does more than another of as good as every second neuron.
    assert 0.3 < tests["picture"]["low"] / 96 < 0.7
