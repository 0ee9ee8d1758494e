"""A Ray cluster on this machine, with two workers."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batch_size as memory
from featviz.rendering.batch_size import batch_size
from featviz.rendering.job import render_to_store
from featviz.rendering.ray import cluster
from featviz.rendering.ray.cluster import Cluster, RayPool
from featviz.rendering.ray.worker import Packed, Worker, measure
from featviz.store.jobs import JobSummary
from featviz.store.reader import Store

pytestmark = pytest.mark.slow

SELECTORS = ("patch_embed:0-3", "blocks.0.attn.qk:0-1@same", "blocks.1.mlp.fc1:0-3,5@cls")
DEADLY = Unit("patch_embed", 2)


@pytest.fixture(scope="module", autouse=True)
def two_workers() -> Iterator[None]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


def recipe(model: VisionModel, steps: int = 3) -> Recipe:
    return make_recipe(model, steps=steps, size=32)


def job(model: VisionModel, store: Path, steps: int = 3, **options: Any) -> JobSummary:
    """Render SELECTORS in batches of two."""
    return render_to_store(
        model, units(model, *SELECTORS), recipe(model, steps), store, 2, **options
    )


def assert_same(one: Path, other: Path) -> None:
    """Assert that two stores have equal addresses, pictures and values, bit for bit."""
    first, second = Store(one), Store(other)
    assert first.addresses() == second.addresses()
    for address in first.addresses():
        left, right = first.row(address), second.row(address)
        for column in ("images", "activation", "trajectory"):
            assert np.array_equal(left[column], right[column]), (address, column)


def test_pictures_are_bit_for_bit_those_rendered_without_ray(
    vit: VisionModel, tmp_path: Path
) -> None:
    job(vit, tmp_path / "local")
    summary = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert summary == JobSummary(stored=11, done=0, failures={})
    assert_same(tmp_path / "local", tmp_path / "ray")
    assert ray.is_initialized()


class RecordingPool(RayPool):
    """A pool that records what it sends, and kills the first worker in its first batch."""

    pools: list[RecordingPool]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sent: list[list[Unit]] = []
        self.victim: int | None = None
        self.pools.append(self)

    def send(self, worker: int, batch: list[Unit]) -> None:
        super().send(worker, batch)
        self.sent.append(batch)
        if self.victim is None:
            time.sleep(0.2)  # so that the worker is rendering, and far from done
            self.victim = self.processes[worker]
            os.kill(self.victim, signal.SIGKILL)


def test_a_worker_that_is_killed_loses_only_its_batch(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RecordingPool.pools = []
    monkeypatch.setattr(cluster, "RayPool", RecordingPool)
    summary = job(vit, tmp_path / "ray", steps=150, engine=Cluster(2))
    assert summary == JobSummary(stored=11, done=0, failures={})
    (pool,) = RecordingPool.pools
    lost = pool.sent[0]
    assert sum(batch == lost for batch in pool.sent) == 2
    assert sum(map(len, pool.sent)) == 11 + len(lost)
    job(vit, tmp_path / "local", steps=150)
    assert_same(tmp_path / "local", tmp_path / "ray")


class CrashingWorker(Worker):
    """A worker whose process is killed by one unit."""

    def render(self, batch: Sequence[Unit]) -> list[Packed]:
        if DEADLY in batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().render(batch)


def test_a_unit_that_kills_workers_fails_alone_and_is_rendered_by_the_next_call(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "Worker", CrashingWorker)
        summary = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert summary.stored == 10
    assert list(summary.failures) == [str(DEADLY)]
    reason = summary.failures[str(DEADLY)]
    assert reason.startswith("3 workers died while rendering it; the last: ")
    assert "\n" not in reason
    assert Store(tmp_path / "ray").failures == {"patch_embed:2": reason}
    resumed = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert resumed == JobSummary(stored=1, done=10, failures={})
    job(vit, tmp_path / "local")
    local, remote = Store(tmp_path / "local"), Store(tmp_path / "ray")
    for address in local.addresses():
        # Matrix products may round differently for another batch size.
        assert np.allclose(local.row(address)["activation"], remote.row(address)["activation"])
        assert np.allclose(local.row(address)["images"], remote.row(address)["images"], 0, 1)


def test_workers_with_other_weights_end_the_job(tmp_path: Path) -> None:
    other = featviz.load("cueworld/vit", device="cpu")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    with pytest.raises(FeatvizError, match="cannot start: cueworld/vit has other weights"):
        job(other, tmp_path / "store", engine=Cluster(2))


def test_more_workers_than_cores_are_refused(vit: VisionModel, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="has 2 CPUs, so at most 2 workers"):
        job(vit, tmp_path / "store", engine=Cluster(3))


FREE = 2**30


def fake_free_memory(device: torch.device) -> int:
    return FREE


def measure_with_fake_memory(*arguments: Any) -> int:
    """Measure in a process with `FREE` bytes and no largest batch size."""
    setattr(memory, "free_memory", fake_free_memory)  # noqa: B010 - mypy does not allow the assignment
    memory.ENOUGH["cpu"] = sys.maxsize
    return measure(*arguments)


def test_the_batch_size_is_measured_on_the_cluster_with_a_workers_share_of_memory(
    vit: VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, settings = Unit("blocks.1.mlp.fc1", 0), recipe(vit)
    monkeypatch.setattr(cluster, "measure", measure_with_fake_memory)
    measured = Cluster().batch_size(vit, unit, settings)
    monkeypatch.setattr(memory, "free_memory", fake_free_memory)
    monkeypatch.setitem(memory.ENOUGH, "cpu", sys.maxsize)
    alone, half = (batch_size(vit, unit, settings, sharing) for sharing in (1, 2))
    assert measured == half < alone


def test_no_worker_starts_if_all_units_are_rendered(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(vit, tmp_path / "store")
    monkeypatch.setattr(cluster, "RayPool", lambda *_: pytest.fail("workers were started"))
    assert job(vit, tmp_path / "store", engine=Cluster()).done == 11


def test_closing_an_unfinished_job_frees_the_cluster(vit: VisionModel, tmp_path: Path) -> None:
    batches = [[unit] for unit in units(vit, *SELECTORS)]
    outcomes = Cluster(2).run(vit, batches, recipe(vit))
    next(outcomes)
    outcomes.close()
    end = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
