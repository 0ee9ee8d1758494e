"""Neurons whose part in the network is known get the right verdict."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks.false_alarms import alarms
from benchmarks.planted import PLANTED, planted, right, verdicts


def test_a_needed_a_correlating_and_a_dead_neuron_are_told_apart() -> None:
    rows = verdicts(0)
    assert all(right(name, row) for name, row in rows.items())
    # All that the needed one does is done on class 0; its twin excites as much and does nothing.
    assert rows["needed"]["level"] == pytest.approx(rows["correlates"]["level"])
    assert rows["needed"]["total"].argmax() == 0
    assert rows["needed"]["converted"][:3].tolist() == sorted(rows["needed"]["converted"][:3])


@pytest.mark.slow
def test_planted_neurons_get_the_right_verdict_in_95_of_100_seeds() -> None:
    count: Counter[str] = Counter()
    for seed in range(100):
        count.update(name for name, row in verdicts(seed).items() if right(name, row))
    assert min(count[name] for name in PLANTED) >= 95


@pytest.mark.slow
def test_of_controls_tested_as_units_at_most_one_in_twenty_is_significant() -> None:
    torch.set_num_threads(1)
    found: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {}
    for seed in range(10):
        for kind, ps in alarms(*planted(seed, plant=False), seed):
            found.setdefault(kind, []).append(ps)
    for kind in ("neurons", "directions"):
        share = (np.concatenate(found[kind]) <= 0.05).mean(0)
        assert (share <= 0.05).all(), (kind, share)
