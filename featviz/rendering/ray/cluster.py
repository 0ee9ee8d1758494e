"""Workers on a Ray cluster, of one machine or many.

Ray: Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", 2018.
"""

from __future__ import annotations

import itertools
import logging
import re
import time
import warnings
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import Outcome
from featviz.rendering.ray.pool import Died, Event, Finished, Ready, Stepped, dispatch
from featviz.rendering.ray.worker import Source, Worker, measure, unpack

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Seconds between two looks at how far the workers are.
PAUSE = 0.5
# How often a worker is started anew that dies while it loads the model.
RETRIES = 2
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
            If there is no such cluster, the model is not to be had there, or the worker that
            measures dies.
        """
        self._connect()
        try:
            return self._measured(model, unit, recipe)
        except BaseException as error:
            self._leave()
            if isinstance(error, RayError):
                raise _refusal(error) from error
            raise

    def _measured(self, model: VisionModel, unit: Unit, recipe: Recipe) -> int:
        count, needs = self._offer()
        gpu = bool(needs["num_gpus"])
        crowd = 1 if gpu else min(count, self._most_cores())
        task: Any = ray.remote(measure)
        call = task.options(**needs).remote(Source.of(model, gpu), unit, recipe, crowd)
        return int(ray.get(call))

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
            If there is no such cluster, or no worker can start there.
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
            self._leave()

    def _leave(self) -> None:
        """End the cluster that this job has started, if it has."""
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
    """The workers of a job as Ray actors; see `featviz.rendering.ray.pool.Pool`.

    A dead one is replaced. Those for which the cluster has no room yet join when it has. One that
    cannot load the model is left out with a warning, as is one that dies of loading three times.

    Parameters
    ----------
    count : int
        How many there shall be.
    needs : dict
        What each takes of the cluster: ``num_gpus`` and ``num_cpus``.
    source, recipe
        See `featviz.rendering.ray.worker.Worker`.

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
        self._attempts: dict[int, int] = {}
        self._left_out: list[str] = []
        self.processes: dict[int, int] = {}
        for _ in range(count):
            self._start(1)

    def _start(self, attempt: int) -> None:
        worker = next(self._numbers)
        self._attempts[worker] = attempt
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
            If no worker is left, and the last could not start.
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
        self.processes[worker] = result
        self._warn()
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
        """Replace a dead worker, or leave it out where another could not start either."""
        ray.kill(self._actors.pop(worker))
        attempt = self._attempts.pop(worker) if loading else 0
        # What it raised, such as over other weights, another would raise there too.
        if loading and (isinstance(error, RayTaskError) or attempt > RETRIES):
            if not self._actors:
                raise _refusal(error) from error
            self._left_out.append(reason(error))
            self._warn()
        else:
            self._start(attempt + 1)
        return Died(worker, reason(error))

    def _warn(self) -> None:
        """Tell which workers the job does without, once it goes on; else it ends with that."""
        while self.processes and self._left_out:
            line = f"a worker is left out: {self._left_out.pop()}"
            warnings.warn(line, RuntimeWarning, stacklevel=2)

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
