"""Workers that cannot start, with a fake Ray, and the reason for the death of a worker."""

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
from featviz.rendering.ray.cluster import RETRIES, Cluster, RayPool, reason
from featviz.rendering.ray.pool import Died, Finished, Ready

NEEDS = {"num_gpus": 0, "num_cpus": 1}
KILLED = RayError("The node is gone.")
UNIT = Unit("layer", 0)


def refused() -> RayError:
    error: Any = RayTaskError("load", "Traceback ...", FeatvizError("other weights"))
    return cast("RayError", error)


class FakeRay:
    """Answers the latest call first, those to `load` before others, with the given results."""

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

        actor_class = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))
        return lambda _: actor_class

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
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRay]:
    def make(*answers: object) -> FakeRay:
        fake = FakeRay(*answers)
        monkeypatch.setattr(cluster, "ray", fake)
        # Progress is not requested, so each answer is of a load or a batch.
        monkeypatch.setattr(RayPool, "_ask", lambda _: None)
        return fake

    return make


def pool(count: int) -> RayPool:
    return RayPool(count, NEEDS, cast("Any", None), cast("Any", None))


def test_the_other_workers_continue_if_a_replacement_cannot_start(
    fake_ray: Callable[..., FakeRay],
) -> None:
    fake = fake_ray(11, 12, KILLED, refused(), [])
    workers = pool(2)
    assert [*workers.events(), *workers.events()] == [Ready(1), Ready(0)]
    workers.send(0, [UNIT])
    workers.send(1, [UNIT])
    assert workers.events() == [Died(1, "The node is gone.")]
    with pytest.warns(RuntimeWarning, match="a worker is left out: FeatvizError: other weights"):
        assert workers.events() == [Died(2, "FeatvizError: other weights")]
    assert workers.events() == [Finished(0, [])]
    assert len(fake.killed) == 2


def test_a_machine_with_other_weights_is_left_out_before_another_has_started(
    fake_ray: Callable[..., FakeRay],
) -> None:
    fake_ray(refused(), 12)
    workers = pool(2)
    assert workers.events() == [Died(1, "FeatvizError: other weights")]
    with pytest.warns(RuntimeWarning, match="a worker is left out: FeatvizError: other weights"):
        assert workers.events() == [Ready(0)]


def test_the_job_ends_with_the_reason_if_no_worker_can_start(
    fake_ray: Callable[..., FakeRay],
) -> None:
    fake_ray(refused(), refused())
    workers = pool(2)
    assert workers.events() == [Died(1, "FeatvizError: other weights")]
    with pytest.raises(FeatvizError, match="a worker cannot start: other weights"):
        workers.events()


def test_a_worker_that_dies_while_loading_is_started_three_times(
    fake_ray: Callable[..., FakeRay],
) -> None:
    fake = fake_ray(*[KILLED] * (RETRIES + 1))
    workers = pool(1)
    for number in range(RETRIES):
        assert workers.events() == [Died(number, "The node is gone.")]
    with pytest.raises(FeatvizError, match=r"a worker cannot start: The node is gone\."):
        workers.events()
    assert len(fake.killed) == 3


@pytest.mark.parametrize("is_own", [False, True])
def test_a_killed_measurement_is_reported_in_one_line_and_stops_the_jobs_own_cluster(
    is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutdowns: list[bool] = []
    fake = SimpleNamespace(shutdown=lambda: shutdowns.append(True), is_initialized=lambda: False)
    monkeypatch.setattr(cluster, "ray", fake)

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
    assert shutdowns == [True] * is_own


# The message of Ray 2.60 for a process that died, shortened.
MESSAGE = """The actor died unexpectedly before finishing this task.
\tclass_name: Worker
\tactor_id: 8a670803
\tpid: 4129
\tip: 192.0.2.2
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit \
detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes \
include: (1) the process was killed by the OOM killer due to high memory usage, (2) ...
"""


def raised(cause: Exception) -> Any:
    return RayTaskError("render", "Traceback ...", cause)


def test_the_reason_is_the_detail_in_the_message_of_ray() -> None:
    assert reason(RayError(MESSAGE)) == "Worker unexpectedly exits with a connection error code 2"


def test_an_unknown_message_is_shortened_to_its_first_line() -> None:
    assert reason(RayError("\nThe node is gone.\nSee the logs.")) == "The node is gone."


def test_the_reason_names_an_exception_of_the_worker() -> None:
    assert reason(raised(ValueError("no kernel\nfor this"))) == "ValueError: no kernel"
    assert reason(raised(KeyError())) == "KeyError: no reason given"
    assert reason(raised(FeatvizError("no model x"))) == "FeatvizError: no model x"
