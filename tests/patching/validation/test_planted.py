"""Verdicts on neurons whose role in the network is known, and counts of false alarms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.false_alarms import RATIO, _outside_pool, alarms, counts
from benchmarks.planted import ORDINARY, PLANTED, is_right, planted, validate_planted
from patching.validation.controls import control_pool


def test_needed_correlating_and_dead_neurons_get_different_verdicts() -> None:
    found, ordinary = validate_planted(0)
    assert all(is_right(name, each) for name, each in found.items())
    rows = {name: each.row for name, each in found.items()}
    # The needed neuron acts on class 0; the other has the same activations and no effect.
    assert rows["needed"]["level"] == pytest.approx(rows["correlates"]["level"])
    assert rows["needed"]["total"].argmax() == 0
    assert rows["needed"]["converted"][:3].tolist() == sorted(rows["needed"]["converted"][:3])
    # A right verdict is wrong for every other neuron.
    assert not is_right("correlates", found["needed"])
    assert not is_right("dead", found["correlates"])
    assert not any(is_right("needed", each) for each in (found["correlates"], *ordinary))
    assert len(ordinary) == len(ORDINARY)


@pytest.mark.parametrize("seed", range(2))
def test_needed_correlating_and_dead_latents_get_different_verdicts(seed: int) -> None:
    found, ordinary = validate_planted(seed, latents=True)
    assert all(is_right(name, each) for name, each in found.items())
    rows = {name: each.row for name, each in found.items()}
    assert rows["needed"]["level"] == pytest.approx(rows["correlates"]["level"])
    assert rows["needed"]["total"].argmax() == 0
    assert rows["dead"]["level"] == 0
    assert not any(is_right("needed", each) for each in (found["correlates"], *ordinary))


@pytest.mark.slow
@pytest.mark.parametrize("latents", [False, True], ids=["neurons", "latents"])
def test_planted_units_get_the_right_verdict_in_at_least_95_of_100_seeds(latents: bool) -> None:
    count: Counter[str] = Counter()
    for seed in range(100):
        found = validate_planted(seed, latents)[0]
        count.update(name for name, each in found.items() if is_right(name, each))
    assert min(count[name] for name in PLANTED) >= 95


def test_false_alarms_are_counted_over_neurons_of_every_layer() -> None:
    found = alarms(*planted(3, plant=False, ratio=2), 3, count=2)
    assert len(found.rows) == 4
    assert {row["address"].partition(":")[0] for row in found.rows} == {
        f"blocks.{layer}.mlp.fc1" for layer in range(2)
    }
    report = counts([found])
    tests = report["neurons"]["tests"]
    assert {name: each["tested"] for name, each in tests.items()} == dict.fromkeys(
        ("ablations", "dose", "response", "picture"), 4
    )
    assert tests["ablations"]["low"] == sum(
        bool((row["necessity_p"][:, 0] <= 0.05).all()) for row in found.rows
    )
    assert report["neurons"]["claims"]["necessary"]["by_rank"] == pytest.approx(0.2)
    assert report["directions"]["tests"]["dose"]["tested"] == 4


def test_neurons_tested_for_false_alarms_are_not_silent_and_in_no_pool() -> None:
    levels = np.linspace(1, 2, 100)
    levels[7] = 0
    chosen = _outside_pool(levels, seed=1, layer=2, count=16)
    assert len(set(chosen)) == 16
    assert 7 not in chosen
    assert not set(chosen) & set(control_pool(levels).tolist())
    assert _outside_pool(levels, seed=2, layer=2, count=16) != chosen
    assert _outside_pool(levels[:60], seed=1, layer=2, count=16) == []


@pytest.mark.slow
def test_no_more_is_claimed_of_random_networks_than_expected_by_rank() -> None:
    found = counts([alarms(*planted(seed, plant=False, ratio=RATIO), seed) for seed in range(3)])
    tests = found["neurons"]["tests"]
    for name in ("ablations", "dose"):
        # Three standard deviations above one in twenty of 96.
        assert tests[name]["low"] <= 4.8 + 3 * (96 * 0.05 * 0.95) ** 0.5
    for claim in found["neurons"]["claims"].values():
        assert claim["tested"] == 96
        assert claim["made"] <= claim["by_rank"]
    # Without controls, one image does more than another for about half of the neurons.
    assert 0.3 < tests["picture"]["low"] / 96 < 0.7
