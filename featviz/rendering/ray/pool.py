"""Dispatch of batches to workers, and what happens when a worker dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.rendering.batches import Outcome

# How often a batch, and a single unit, is tried again unsplit after its worker died, which may be a
# coincidence.
BATCH_RETRIES, UNIT_RETRIES = 1, 2


@dataclass(frozen=True)
class Ready:
    """A worker has started, also in place of a dead one, and waits for its first batch."""

    worker: int


@dataclass(frozen=True)
class Stepped:
    """Progress of a worker: the number of finished pictures of its batch; fractions count."""

    worker: int
    pictures: float


@dataclass(frozen=True)
class Finished:
    """A worker has finished its batch and waits for the next."""

    worker: int
    outcomes: Sequence[Outcome]


@dataclass(frozen=True)
class Died:
    """A worker has died, and its batch is lost."""

    worker: int
    reason: str


Event = Ready | Stepped | Finished | Died


class Pool(Protocol):
    """Workers, each of which renders one batch at a time.

    Indices of workers are not reused: the replacement of a dead worker has its own.
    """

    def send(self, worker: int, batch: list[Unit]) -> None:
        """Send a batch to a worker.

        Parameters
        ----------
        worker : int
            One that waits for a batch.
        batch : list of Unit
        """

    def events(self) -> Iterable[Event]:
        """Return the events since the last call; blocks for a moment if there are none."""


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
    """Render batches with the workers of a pool, in order as workers become free.

    A batch whose worker died is sent to the next free worker. After a second death it is split in
    two, and its halves after one more, until a unit that kills workers is alone; after three deaths
    that unit is recorded as failed. All others are rendered.

    Parameters
    ----------
    pool : Pool
    batches : sequence of sequences of Unit
    samples : int
        Pictures per unit.
    progress : callable
        Called with the number of finished pictures and their total.

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
            for outcome in _update(state, event):
                finished += (len(outcome.units) + len(outcome.failures)) * samples
                yield outcome
        if state.begun:
            progress(finished + sum(state.parts.values()), total)


def _update(state: _State, event: Event) -> Sequence[Outcome]:
    """Update the state by an event, and return the outcomes."""
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
        return _retry(state, task, event.reason)
    state.idle.append(event.worker)
    return event.outcomes if isinstance(event, Finished) else ()


def _retry(state: _State, task: _Task, reason: str) -> Sequence[Outcome]:
    """Queue a batch whose worker died first, split from the second death on, or give up a unit."""
    task.deaths += 1
    if task.deaths <= (UNIT_RETRIES if len(task.units) == 1 else BATCH_RETRIES):
        state.waiting.appendleft(task)
        return ()
    if len(task.units) > 1:
        half = len(task.units) // 2
        # Each counts one death: one of the two holds the unit that killed the worker.
        halves = (_Task(some, 1) for some in (task.units[half:], task.units[:half]))
        state.waiting.extendleft(halves)
        return ()
    reason = f"{task.deaths} workers died while rendering it; the last: {reason}"
    return [Outcome([], None, {task.units[0]: reason})]
