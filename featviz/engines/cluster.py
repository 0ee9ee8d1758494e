"""Workers on a Ray cluster, of one machine or many.

Ray: Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", 2018.
"""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

from featviz.batches import Outcome, Progress, ignore
from featviz.engines.pool import RETRIES, Died, Event, Finished, Ready, Stepped, dispatch
from featviz.engines.worker import Source, Worker, measure, unpack
from featviz.errors import FeatvizError
from featviz.recipes import Recipe
from featviz.units import Unit

if TYPE_CHECKING:
    from featviz.models import VisionModel

# Seconds between two looks at how far the workers are.
PAUSE = 0.5
# Each in a thread of its own: a worker tells how far it is while it renders.
GROUPS = {"render": 1, "tell": 1}


class Cluster:
    """Renders batches on a Ray cluster: one worker a GPU or, where there are none, a core.

    It is the cluster that this process is connected to already, else the one that the environment
    variable ``RAY_ADDRESS`` names, else one that was started on this machine, else one that
    lives on this machine as long as the job.

    Parameters
    ----------
    workers : int, optional
        How many render at once; as many as the cluster has GPUs or cores if not given.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._wanted = workers
        self._own = False

    def batch_size(self, model: VisionModel, unit: Unit, recipe: Recipe) -> int:
        """Choose how many pictures go into a batch, measured where a worker will run.

        Raises
        ------
        FeatvizError
            If there is no such cluster, or the model is not to be had there.
        """
        self._connect()
        count, needs = self._offer()
        gpu = bool(needs["num_gpus"])
        crowd = 1 if gpu else min(count, self._most_cores())
        task: Any = ray.remote(measure)
        call = task.options(**needs).remote(Source.of(model, gpu), unit, recipe, crowd)
        try:
            return int(ray.get(call))
        except RayTaskError as error:
            raise _refusal(error) from error

    def run(
        self,
        model: VisionModel,
        batches: Sequence[Sequence[Unit]],
        recipe: Recipe,
        progress: Progress = ignore,
    ) -> Generator[Outcome, None, None]:
        """Render batches, in the order in which workers finish them.

        Raises
        ------
        FeatvizError
            If there is no such cluster, or workers cannot start there.
        """
        try:
            if batches:
                self._connect()
                count, needs = self._offer()
                source = Source.of(model, bool(needs["num_gpus"]))
                pool = RayPool(min(count, len(batches)), needs, source, recipe)
                try:
                    yield from dispatch(pool, batches, recipe.samples, progress)
                finally:
                    pool.stop()
        finally:
            if self._own:
                ray.shutdown()
                self._own = False

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises just that where a node does not start
            ray.shutdown()
            line = str(error).strip().partition("\n")[0]
            raise FeatvizError(f"cannot reach or start a Ray cluster: {line}") from error
        self._own = True

    def _offer(self) -> tuple[int, dict[str, int]]:
        """Return how many workers there will be, and what each takes of the cluster."""
        held = ray.cluster_resources()
        name = "GPU" if held.get("GPU") else "CPU"
        offered = int(held.get(name, 0))
        wanted = self._wanted or offered
        if not 0 < wanted <= offered:
            raise FeatvizError(f"the Ray cluster offers {offered} {name}s, one a worker")
        return wanted, {"num_gpus": int(name == "GPU"), "num_cpus": int(name == "CPU")}

    @staticmethod
    def _most_cores() -> int:
        return max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])


class RayPool:
    """The workers of a job as Ray actors; see `featviz.engines.pool.Pool`.

    A dead one is replaced. Those for which the cluster has no room yet join when it has.

    Parameters
    ----------
    count : int
        How many there shall be.
    needs : dict
        What each takes of the cluster: ``num_gpus`` and ``num_cpus``.
    source, recipe
        See `featviz.engines.worker.Worker`.

    Attributes
    ----------
    processes : dict of int to int
        The process on its machine of each worker that has started.
    """

    def __init__(self, count: int, needs: dict[str, int], source: Source, recipe: Recipe) -> None:
        self._remote: Any = ray.remote(concurrency_groups=GROUPS)(Worker)
        self._needs, self._arguments = needs, (source, recipe)
        self._numbers = itertools.count()
        self._actors: dict[int, Any] = {}
        self._loading: dict[Any, int] = {}
        self._rendering: dict[Any, int] = {}
        self._asked: dict[Any, int] = {}
        self._next = 0.0
        self._stillborn = 0
        self.processes: dict[int, int] = {}
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        worker = next(self._numbers)
        actor = self._remote.options(**self._needs).remote(*self._arguments)
        self._actors[worker] = actor
        self._loading[actor.load.options(concurrency_group="render").remote()] = worker

    def send(self, worker: int, batch: list[Unit]) -> None:
        """Give a batch to a worker that waits for one."""
        render = self._actors[worker].render.options(concurrency_group="render")
        self._rendering[render.remote(batch)] = worker

    def events(self) -> Sequence[Event]:
        """Return what has happened; waits half a second at most.

        Raises
        ------
        FeatvizError
            If workers cannot start.
        """
        self._ask()
        calls = [*self._rendering, *self._loading, *self._asked]
        done, _ = ray.wait(calls, timeout=PAUSE)
        if not done:
            return []
        (call,) = done
        if call in self._asked:
            return self._hear(call)
        loading = call in self._loading
        worker = (self._loading if loading else self._rendering).pop(call)
        self._asked = {asked: other for asked, other in self._asked.items() if other != worker}
        try:
            result = ray.get(call)
        except RayError as error:
            return [self._bury(worker, error, loading)]
        if not loading:
            return [Finished(worker, [unpack(packed) for packed in result])]
        self._stillborn, self.processes[worker] = 0, result
        return [Ready(worker)]

    def _ask(self) -> None:
        """Ask all that render how far they are, if that was some time ago."""
        if self._asked or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PAUSE
        for worker in self._rendering.values():
            tell = self._actors[worker].finished.options(concurrency_group="tell")
            self._asked[tell.remote()] = worker

    def _hear(self, call: Any) -> list[Event]:
        worker = self._asked.pop(call)
        try:
            return [Stepped(worker, ray.get(call))]
        except RayError:
            # It died, as its batch will tell.
            return []

    def _bury(self, worker: int, error: RayError, loading: bool) -> Died:
        ray.kill(self._actors.pop(worker))
        if loading:
            self._stillborn += 1
            if isinstance(error, RayTaskError) or self._stillborn > RETRIES:
                raise _refusal(error) from error
        self._start()
        return Died(worker, reason(error))

    def stop(self) -> None:
        """End all workers, whatever they do."""
        for actor in self._actors.values():
            ray.kill(actor)


def reason(error: RayError) -> str:
    """Say in one line why a worker died, from what Ray says in many."""
    if isinstance(error, RayTaskError):
        text = str(error.cause).strip().splitlines()
        return f"{type(error.cause).__name__}: {text[0] if text else 'no reason given'}"
    detail = re.search(r"Worker exit detail: ([^\n]*?)(\. |\.?$)", str(error), re.MULTILINE)
    return detail[1] if detail else str(error).strip().partition("\n")[0]


def _refusal(error: RayError) -> FeatvizError:
    if isinstance(error, RayTaskError) and isinstance(error.cause, FeatvizError):
        return FeatvizError(f"a worker cannot start: {error.cause}")
    return FeatvizError(f"a worker cannot start: {reason(error)}")
