"""Which worker gets what, with workers that are acted out."""

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


def named(numbers: Sequence[int]) -> list[Unit]:
    return [Unit("layer", number) for number in numbers]


def pictures(units: Sequence[Unit]) -> Outcome:
    zeros = torch.zeros(len(units), 1)
    return Outcome(list(units), Pictures(zeros, zeros, zeros), {})


class Acted:
    """Workers that do as a script says: one event a call, in an order drawn by chance.

    A batch that holds a unit of `deadly` kills its worker each time; one of `unlucky` once.
    """

    def __init__(
        self,
        workers: int,
        deadly: Sequence[Unit] = (),
        unlucky: Sequence[Unit] = (),
        seed: int = 0,
    ) -> None:
        self.chance = random.Random(seed)
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
        worker = self.chance.choice([*self.starting, *self.busy])
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
def test_whoever_dies_only_units_that_kill_fail_and_each_is_in_one_outcome(
    data: st.DataObject,
) -> None:
    cut = [
        named(range(10 * number, 10 * number + data.draw(st.integers(1, 3))))
        for number in range(data.draw(st.integers(0, 8)))
    ]
    units = [unit for batch in cut for unit in batch]
    some = st.sets(st.sampled_from(units)) if units else st.just(set[Unit]())
    deadly, unlucky = data.draw(some), data.draw(some)
    workers, seed = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 99))
    pool = Acted(workers, sorted(deadly, key=str), sorted(unlucky, key=str), seed)
    told: list[float] = []
    outcomes = list(dispatch(pool, cut, 1, lambda finished, _: told.append(finished)))
    made = [unit for outcome in outcomes for unit in [*outcome.units, *outcome.failures]]
    assert sorted(made, key=str) == sorted(units, key=str)
    failed = {unit for outcome in outcomes for unit in outcome.failures}
    assert failed == deadly
    assert pool.most <= workers
    assert told[-1:] == ([len(units)] if units else [])


def test_a_death_costs_its_batch_alone_and_it_is_next() -> None:
    cut = [named([number]) for number in range(4)]
    pool = Acted(1, unlucky=cut[1])
    assert len(list(dispatch(pool, cut, 1))) == 4
    assert pool.sent == [cut[0], cut[1], cut[1], cut[2], cut[3]]


def test_a_unit_that_kills_is_found_by_halves_and_alone_fails() -> None:
    cut = [named(range(8)), named([8])]
    pool = Acted(1, deadly=named([5]))
    outcomes = list(dispatch(pool, cut, 1))
    assert pool.sent == [
        *[named(range(8))] * 2,
        named(range(4)),
        named(range(4, 8)),
        named([4, 5]),
        named([4]),
        *[named([5])] * 2,
        named([6, 7]),
        named([8]),
    ]
    reason = "3 workers died that rendered it; the last: killed"
    (failed,) = (outcome for outcome in outcomes if outcome.failures)
    assert failed == Outcome([], None, dict.fromkeys(named([5]), reason))
    assert [unit for each in outcomes for unit in each.units] == named([0, 1, 2, 3, 4, 6, 7, 8])


def test_a_unit_alone_in_its_batch_is_given_up_after_three_workers_and_says_why() -> None:
    cut = [named([0]), named([1])]
    pool = Acted(1, deadly=cut[0])
    first, second = dispatch(pool, cut, 1)
    assert pool.sent == [cut[0]] * 3 + [cut[1]]
    reason = "3 workers died that rendered it; the last: killed"
    assert first == Outcome([], None, dict.fromkeys(cut[0], reason))
    assert second.units == cut[1]


class Script:
    """Tells the events given, one list a call, and notes what was sent to whom."""

    def __init__(self, *calls: list[Event]) -> None:
        self.calls = iter(calls)
        self.sent: list[tuple[int, list[Unit]]] = []

    def send(self, worker: int, batch: list[Unit]) -> None:
        self.sent.append((worker, batch))

    def events(self) -> list[Event]:
        return next(self.calls)


def test_progress_adds_the_parts_of_all_workers() -> None:
    one, other = named([0, 1]), named([2, 3])
    pool = Script(
        [Ready(7), Ready(8)],
        [Stepped(7, 0.5), Stepped(8, 1.25)],
        [Finished(8, [pictures(other)])],
        [Stepped(7, 1.5)],
        [Finished(7, [pictures(one)])],
    )
    told: list[tuple[float, int]] = []
    list(dispatch(pool, [one, other], 1, lambda *now: told.append(now)))
    assert told == [(1.75, 4), (2.5, 4), (3.5, 4), (4, 4)]


def test_parts_of_a_batch_whose_worker_died_are_taken_back() -> None:
    one = named([0])
    pool = Script(
        [Ready(0)],
        [Stepped(0, 3)],
        [Died(0, "killed")],
        [Ready(1)],
        [Finished(1, [pictures(one)])],
    )
    told: list[float] = []
    list(dispatch(pool, [one], 4, lambda finished, _: told.append(finished)))
    assert told == [3, 0, 0, 4]


def test_nothing_is_told_while_workers_start() -> None:
    pool = Script([], [Died(0, "killed")], [Ready(1)], [Finished(1, [pictures(named([0]))])])
    told: list[float] = []
    list(dispatch(pool, [named([0])], 1, lambda finished, _: told.append(finished)))
    assert told == [1]


def test_an_idle_worker_that_dies_gets_nothing_more() -> None:
    one = named([0])
    pool = Script(
        [Ready(0)],
        [Ready(1), Died(1, "node lost"), Died(0, "killed")],
        [Ready(2)],
        [Finished(2, [pictures(one)])],
    )
    assert [outcome.units for outcome in dispatch(pool, [one], 1)] == [one]
    assert pool.sent == [(0, one), (2, one)]


def test_a_late_word_of_a_worker_that_is_gone_is_not_counted() -> None:
    one = named([0])
    pool = Script(
        [Ready(0)],
        [Died(0, "killed"), Stepped(0, 0.9)],
        [Ready(1)],
        [Stepped(1, 0.25)],
        [Finished(1, [pictures(one)])],
    )
    told: list[float] = []
    list(dispatch(pool, [one], 1, lambda finished, _: told.append(finished)))
    assert max(told[:-1]) == pytest.approx(0.25)
