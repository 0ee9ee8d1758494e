"""Which worker renders which batch, and what happens when one dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.rendering.batches import Outcome

# How often what is rendered is tried again whole after the worker that had it died: a batch, whose
# worker may have been taken from it by chance, and a unit alone, which nothing else can excuse.
BATCH_RETRIES, UNIT_RETRIES = 1, 2


@dataclass(frozen=True)
class Ready:
    """A worker has started and waits for its first batch; also one in place of a dead one."""

    worker: int


@dataclass(frozen=True)
class Stepped:
    """A worker has finished so many pictures of its batch, counting parts."""

    worker: int
    pictures: float


@dataclass(frozen=True)
class Finished:
    """A worker has finished its batch, and waits for the next."""

    worker: int
    outcomes: Sequence[Outcome]


@dataclass(frozen=True)
class Died:
    """A worker is gone, with the batch that it had."""

    worker: int
    reason: str


Event = Ready | Stepped | Finished | Died


class Pool(Protocol):
    """Workers, each of which renders one batch at a time.

    The numbers of workers are never used again: one in place of a dead one has its own.
    """

    def send(self, worker: int, batch: list[Unit]) -> None:
        """Give a batch to a worker that waits for one."""

    def events(self) -> Iterable[Event]:
        """Return what has happened since the last call; waits a moment if it is nothing."""


@dataclass
class _Task:
    units: list[Unit]
    deaths: int = 0


@dataclass
class _State:
    waiting: deque[_Task]
    idle: deque[int] = field(default_factory=deque)
    running: dict[int, _Task] = field(default_factory=dict)
    parts: dict[int, float] = field(default_factory=dict)
    begun: bool = False


def dispatch(
    pool: Pool,
    batches: Sequence[Sequence[Unit]],
    samples: int,
    progress: Progress = ignore,
) -> Generator[Outcome, None, None]:
    """Have the workers of a pool render batches, in their order as workers become free.

    A batch whose worker died is rendered anew by the next free worker. One that has lost two is
    halved, and so are its halves when they lose one, until the unit that kills workers stands
    alone; having lost three, it is recorded as failed. The others are rendered.

    Parameters
    ----------
    samples : int
        Pictures of each unit.

    Yields
    ------
    Outcome
        Every unit is in exactly one outcome.
    """
    state = _State(deque(_Task(list(batch)) for batch in batches))
    total, finished = sum(map(len, batches)) * samples, 0
    while state.waiting or state.running:
        while state.waiting and state.idle:
            worker, task = state.idle.popleft(), state.waiting.popleft()
            state.running[worker], state.begun = task, True
            pool.send(worker, task.units)
        for event in pool.events():
            for outcome in _take(state, event):
                finished += (len(outcome.units) + len(outcome.failures)) * samples
                yield outcome
        if state.begun:
            progress(finished + sum(state.parts.values()), total)


def _take(state: _State, event: Event) -> Sequence[Outcome]:
    """Change the state as an event tells, and return what became of units."""
    if isinstance(event, Stepped):
        if event.worker in state.running:
            state.parts[event.worker] = event.pictures
        return ()
    state.parts.pop(event.worker, None)
    task = state.running.pop(event.worker, None)
    if isinstance(event, Died):
        if task is None:
            state.idle = deque(worker for worker in state.idle if worker != event.worker)
            return ()
        return _again(state, task, event.reason)
    state.idle.append(event.worker)
    return event.outcomes if isinstance(event, Finished) else ()


def _again(state: _State, task: _Task, reason: str) -> Sequence[Outcome]:
    """Put what lost its worker in front, halved if it has before; give up a unit that kills."""
    task.deaths += 1
    if task.deaths <= (UNIT_RETRIES if len(task.units) == 1 else BATCH_RETRIES):
        state.waiting.appendleft(task)
        return ()
    if len(task.units) > 1:
        half = len(task.units) // 2
        # Both count one death: one of them holds what killed the worker, but not which.
        halves = (_Task(some, 1) for some in (task.units[half:], task.units[:half]))
        state.waiting.extendleft(halves)
        return ()
    reason = f"{task.deaths} workers died that rendered it; the last: {reason}"
    return [Outcome([], None, {task.units[0]: reason})]
