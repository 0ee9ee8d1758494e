"""Dispatching batches to workers, with fake pools."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.addressing.address import Unit
from featviz.optimization.optimize import Pictures
from featviz.rendering.batches import Outcome
from featviz.rendering.ray.pool import Died, Event, Finished, Ready, Stepped, dispatch


def neurons(indices: Sequence[int]) -> list[Unit]:
    return [Unit("layer", index) for index in indices]


def pictures(units: Sequence[Unit]) -> Outcome:
    zeros = torch.zeros(len(units), 1)
    return Outcome(list(units), Pictures(zeros, zeros, zeros, zeros > 0), {})


class RandomPool:
    """A pool of fake workers that returns one event per call, in random order.

    A batch with a unit of `deadly` always kills its worker; one with a unit of `unlucky` does once.
    """

    def __init__(
        self,
        workers: int,
        deadly: Sequence[Unit] = (),
        unlucky: Sequence[Unit] = (),
        seed: int = 0,
    ) -> None:
        self.random = random.Random(seed)
        self.deadly, self.unlucky = set(deadly), set(unlucky)
        self.starting, self.busy = list(range(workers)), dict[int, list[Unit]]()
        self.idle: set[int] = set()
        self.next = workers
        self.sent: list[list[Unit]] = []
        self.most = 0

    def send(self, worker: int, batch: list[Unit]) -> None:
        self.idle.remove(worker)
        assert worker not in self.busy
        self.busy[worker] = batch
        self.sent.append(batch)
        self.most = max(self.most, len(self.busy))

    def events(self) -> list[Event]:
        worker = self.random.choice([*self.starting, *self.busy])
        if worker in self.starting:
            self.starting.remove(worker)
            self.idle.add(worker)
            return [Ready(worker)]
        batch = self.busy.pop(worker)
        if set(batch) & (self.deadly | self.unlucky):
            self.unlucky -= set(batch)
            self.starting.append(self.next)
            self.next += 1
            return [Stepped(worker, 0.5), Died(worker, "killed")]
        self.idle.add(worker)
        return [Stepped(worker, len(batch) / 2), Finished(worker, [pictures(batch)])]


@given(st.data())
def test_only_units_that_always_kill_fail_and_every_unit_is_in_one_outcome(
    data: st.DataObject,
) -> None:
    batches = [
        neurons(range(10 * index, 10 * index + data.draw(st.integers(1, 3))))
        for index in range(data.draw(st.integers(0, 8)))
    ]
    units = [unit for batch in batches for unit in batch]
    subsets = st.sets(st.sampled_from(units)) if units else st.just(set[Unit]())
    deadly, unlucky = data.draw(subsets), data.draw(subsets)
    workers, seed = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 99))
    pool = RandomPool(workers, sorted(deadly, key=str), sorted(unlucky, key=str), seed)
    reported: list[float] = []
    outcomes = list(dispatch(pool, batches, 1, lambda finished, _: reported.append(finished)))
    rendered = [unit for outcome in outcomes for unit in [*outcome.units, *outcome.failures]]
    assert sorted(rendered, key=str) == sorted(units, key=str)
    failed = {unit for outcome in outcomes for unit in outcome.failures}
    assert failed == deadly
    assert pool.most <= workers
    assert reported[-1:] == ([len(units)] if units else [])


def test_only_the_batch_of_a_dead_worker_is_repeated_and_it_is_next() -> None:
    batches = [neurons([index]) for index in range(4)]
    pool = RandomPool(1, unlucky=batches[1])
    assert len(list(dispatch(pool, batches, 1))) == 4
    assert pool.sent == [batches[0], batches[1], batches[1], batches[2], batches[3]]


def test_a_unit_that_kills_is_found_by_bisection_and_fails_alone() -> None:
    batches = [neurons(range(8)), neurons([8])]
    pool = RandomPool(1, deadly=neurons([5]))
    outcomes = list(dispatch(pool, batches, 1))
    assert pool.sent == [
        *[neurons(range(8))] * 2,
        neurons(range(4)),
        neurons(range(4, 8)),
        neurons([4, 5]),
        neurons([4]),
        *[neurons([5])] * 2,
        neurons([6, 7]),
        neurons([8]),
    ]
    reason = "3 workers died while rendering it; the last: killed"
    (failed,) = (outcome for outcome in outcomes if outcome.failures)
    assert failed == Outcome([], None, dict.fromkeys(neurons([5]), reason))
    assert [unit for each in outcomes for unit in each.units] == neurons([0, 1, 2, 3, 4, 6, 7, 8])


def test_a_single_unit_fails_after_three_workers_with_the_reason() -> None:
    batches = [neurons([0]), neurons([1])]
    pool = RandomPool(1, deadly=batches[0])
    first, second = dispatch(pool, batches, 1)
    assert pool.sent == [batches[0]] * 3 + [batches[1]]
    reason = "3 workers died while rendering it; the last: killed"
    assert first == Outcome([], None, dict.fromkeys(batches[0], reason))
    assert second.units == batches[1]


class ScriptedPool:
    """Returns the given events, one list per call, and records what is sent to which worker."""

    def __init__(self, *calls: list[Event]) -> None:
        self.calls = iter(calls)
        self.sent: list[tuple[int, list[Unit]]] = []

    def send(self, worker: int, batch: list[Unit]) -> None:
        self.sent.append((worker, batch))

    def events(self) -> list[Event]:
        return next(self.calls)


def test_progress_is_the_sum_over_workers() -> None:
    one, other = neurons([0, 1]), neurons([2, 3])
    pool = ScriptedPool(
        [Ready(7), Ready(8)],
        [Stepped(7, 0.5), Stepped(8, 1.25)],
        [Finished(8, [pictures(other)])],
        [Stepped(7, 1.5)],
        [Finished(7, [pictures(one)])],
    )
    reported: list[tuple[float, int]] = []
    list(dispatch(pool, [one, other], 1, lambda *now: reported.append(now)))
    assert reported == [(1.75, 4), (2.5, 4), (3.5, 4), (4, 4)]


def test_progress_of_a_batch_is_subtracted_when_its_worker_dies() -> None:
    one = neurons([0])
    pool = ScriptedPool(
        [Ready(0)],
        [Stepped(0, 3)],
        [Died(0, "killed")],
        [Ready(1)],
        [Finished(1, [pictures(one)])],
    )
    reported: list[float] = []
    list(dispatch(pool, [one], 4, lambda finished, _: reported.append(finished)))
    assert reported == [3, 0, 0, 4]


def test_progress_is_not_reported_while_workers_start() -> None:
    pool = ScriptedPool(
        [], [Died(0, "killed")], [Ready(1)], [Finished(1, [pictures(neurons([0]))])]
    )
    reported: list[float] = []
    list(dispatch(pool, [neurons([0])], 1, lambda finished, _: reported.append(finished)))
    assert reported == [1]


def test_an_idle_worker_that_died_gets_no_batch() -> None:
    one = neurons([0])
    pool = ScriptedPool(
        [Ready(0)],
        [Ready(1), Died(1, "node lost"), Died(0, "killed")],
        [Ready(2)],
        [Finished(2, [pictures(one)])],
    )
    assert [outcome.units for outcome in dispatch(pool, [one], 1)] == [one]
    assert pool.sent == [(0, one), (2, one)]


def test_late_progress_of_a_dead_worker_is_ignored() -> None:
    one = neurons([0])
    pool = ScriptedPool(
        [Ready(0)],
        [Died(0, "killed"), Stepped(0, 0.9)],
        [Ready(1)],
        [Stepped(1, 0.25)],
        [Finished(1, [pictures(one)])],
    )
    reported: list[float] = []
    list(dispatch(pool, [one], 1, lambda finished, _: reported.append(finished)))
    assert max(reported[:-1]) == pytest.approx(0.25)
