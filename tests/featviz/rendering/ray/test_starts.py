"""What happens when workers cannot start, with a Ray that is acted out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.exceptions import RayError, RayTaskError

from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.rendering.ray import cluster
from featviz.rendering.ray.cluster import RETRIES, Cluster, RayPool
from featviz.rendering.ray.pool import Died, Finished, Ready

NEEDS = {"num_gpus": 0, "num_cpus": 1}
KILLED = RayError("The node is gone.")
UNIT = Unit("layer", 0)


def refused() -> RayError:
    error: Any = RayTaskError("load", "Traceback ...", FeatvizError("other weights"))
    return cast("RayError", error)


class ActedRay:
    """Answers calls, the latest first and those to load before all, with what a script says."""

    def __init__(self, *answers: object) -> None:
        self.answers = deque(answers)
        self.killed: list[object] = []

    def remote(self, *_: object, **__: object) -> Any:
        def call(*_: object) -> object:
            return object()

        method = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=call))
        actor = dict.fromkeys(("load", "render"), method)

        def start(*_: object) -> SimpleNamespace:
            return SimpleNamespace(**actor)

        made = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))
        return lambda _: made

    def wait(self, calls: list[object], **_: float) -> tuple[list[object], list[object]]:
        return calls[-1:], calls[:-1]

    def get(self, _: object) -> object:
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor: object) -> None:
        self.killed.append(actor)


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ActedRay]:
    def make(*answers: object) -> ActedRay:
        played = ActedRay(*answers)
        monkeypatch.setattr(cluster, "ray", played)
        # Nobody asks how far a worker is: each answer is of a load or a batch.
        monkeypatch.setattr(RayPool, "_ask", lambda _: None)
        return played

    return make


def pool(count: int) -> RayPool:
    return RayPool(count, NEEDS, cast("Any", None), cast("Any", None))


def test_a_replacement_that_cannot_start_leaves_the_other_workers_at_work(
    acted: Callable[..., ActedRay],
) -> None:
    played = acted(11, 12, KILLED, refused(), [])
    workers = pool(2)
    assert [*workers.events(), *workers.events()] == [Ready(1), Ready(0)]
    workers.send(0, [UNIT])
    workers.send(1, [UNIT])
    assert workers.events() == [Died(1, "The node is gone.")]
    with pytest.warns(RuntimeWarning, match="a worker is left out: FeatvizError: other weights"):
        assert workers.events() == [Died(2, "FeatvizError: other weights")]
    assert workers.events() == [Finished(0, [])]
    assert len(played.killed) == 2


def test_a_machine_with_other_weights_is_left_out_though_no_other_has_started_yet(
    acted: Callable[..., ActedRay],
) -> None:
    acted(refused(), 12)
    workers = pool(2)
    assert workers.events() == [Died(1, "FeatvizError: other weights")]
    with pytest.warns(RuntimeWarning, match="a worker is left out: FeatvizError: other weights"):
        assert workers.events() == [Ready(0)]


def test_the_job_ends_with_that_alone_when_no_worker_can_start(
    acted: Callable[..., ActedRay],
) -> None:
    acted(refused(), refused())
    workers = pool(2)
    assert workers.events() == [Died(1, "FeatvizError: other weights")]
    with pytest.raises(FeatvizError, match="a worker cannot start: other weights"):
        workers.events()


def test_a_worker_that_dies_of_loading_is_started_three_times_in_all(
    acted: Callable[..., ActedRay],
) -> None:
    played = acted(*[KILLED] * (RETRIES + 1))
    workers = pool(1)
    for number in range(RETRIES):
        assert workers.events() == [Died(number, "The node is gone.")]
    with pytest.raises(FeatvizError, match=r"a worker cannot start: The node is gone\."):
        workers.events()
    assert len(played.killed) == 3


@pytest.mark.parametrize("is_own", [False, True])
def test_a_probe_that_is_killed_is_told_in_one_line_and_ends_the_jobs_own_cluster(
    is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    downs: list[bool] = []
    played = SimpleNamespace(shutdown=lambda: downs.append(True), is_initialized=lambda: False)
    monkeypatch.setattr(cluster, "ray", played)

    def connect(self: Cluster) -> None:
        self._own = is_own

    def killed(*_: object) -> int:
        raise RayError("Task was killed due to the node running low on memory.\nMemory ...")

    monkeypatch.setattr(Cluster, "_connect", connect)
    monkeypatch.setattr(Cluster, "_measured", killed)
    nothing = cast("Any", None)
    line = r"a worker cannot start: Task was killed due to the node running low on memory\.$"
    with pytest.raises(FeatvizError, match=line):
        Cluster().batch_size(nothing, UNIT, nothing)
    assert downs == [True] * is_own
