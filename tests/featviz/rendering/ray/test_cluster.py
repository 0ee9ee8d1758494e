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


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As each worker has: sums of several threads may end in other bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


def made(model: VisionModel, steps: int = 3) -> Recipe:
    return make_recipe(model, steps=steps, size=32)


def job(model: VisionModel, store: Path, steps: int = 3, **options: Any) -> JobSummary:
    """Render SELECTORS, two in a batch."""
    return render_to_store(model, units(model, *SELECTORS), made(model, steps), store, 2, **options)


def same(one: Path, other: Path) -> None:
    """Hold two stores to the same addresses, pictures and values, to the bit."""
    here, there = Store(one), Store(other)
    assert here.addresses() == there.addresses()
    for address in here.addresses():
        left, right = here.row(address), there.row(address)
        for column in ("images", "activation", "trajectory"):
            assert np.array_equal(left[column], right[column]), (address, column)


def test_pictures_are_to_the_bit_those_made_without_ray(vit: VisionModel, tmp_path: Path) -> None:
    job(vit, tmp_path / "local")
    summary = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert summary == JobSummary(stored=11, done=0, failures={})
    same(tmp_path / "local", tmp_path / "ray")
    assert ray.is_initialized()


class Watched(RayPool):
    """A pool that notes what it sends, and kills the first worker in its first batch."""

    pools: list[Watched]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sent: list[list[Unit]] = []
        self.victim: int | None = None
        self.pools.append(self)

    def send(self, worker: int, batch: list[Unit]) -> None:
        super().send(worker, batch)
        self.sent.append(batch)
        if self.victim is None:
            time.sleep(0.2)  # so that it is at work, and far from done
            self.victim = self.processes[worker]
            os.kill(self.victim, signal.SIGKILL)


def test_a_worker_killed_in_mid_job_costs_its_batch_only(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Watched.pools = []
    monkeypatch.setattr(cluster, "RayPool", Watched)
    summary = job(vit, tmp_path / "ray", steps=150, engine=Cluster(2))
    assert summary == JobSummary(stored=11, done=0, failures={})
    (pool,) = Watched.pools
    lost = pool.sent[0]
    assert sum(batch == lost for batch in pool.sent) == 2
    assert sum(map(len, pool.sent)) == 11 + len(lost)
    job(vit, tmp_path / "local", steps=150)
    same(tmp_path / "local", tmp_path / "ray")


class Mortal(Worker):
    """Dies of one unit, as of a segmentation fault."""

    def render(self, batch: Sequence[Unit]) -> list[Packed]:
        if DEADLY in batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().render(batch)


def test_a_unit_that_kills_its_workers_is_recorded_alone_and_made_by_the_next_call(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "Worker", Mortal)
        summary = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert summary.stored == 10
    assert list(summary.failures) == [str(DEADLY)]
    told = summary.failures[str(DEADLY)]
    assert told.startswith("3 workers died that rendered it; the last: ")
    assert "\n" not in told
    assert Store(tmp_path / "ray").failures == {"patch_embed:2": told}
    again = job(vit, tmp_path / "ray", engine=Cluster(2))
    assert again == JobSummary(stored=1, done=10, failures={})
    job(vit, tmp_path / "local")
    here, there = Store(tmp_path / "local"), Store(tmp_path / "ray")
    for address in here.addresses():
        # A product of matrices may round in another way for a batch of another size.
        assert np.allclose(here.row(address)["activation"], there.row(address)["activation"])
        assert np.allclose(here.row(address)["images"], there.row(address)["images"], 0, 1)


def test_workers_that_would_load_other_weights_end_the_job(tmp_path: Path) -> None:
    other = featviz.load("cueworld/vit", device="cpu")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    with pytest.raises(FeatvizError, match="cannot start: cueworld/vit has other weights"):
        job(other, tmp_path / "store", engine=Cluster(2))


def test_more_workers_than_cores_are_refused(vit: VisionModel, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="the Ray cluster offers 2 CPUs, one a worker"):
        job(vit, tmp_path / "store", engine=Cluster(3))


ROOM = 2**30


def little_room(device: torch.device) -> int:
    return ROOM


def measured_in_little_room(*arguments: Any) -> int:
    """Measure in a process where there are `ROOM` bytes, and a batch may be of any size."""
    setattr(memory, "free_memory", little_room)  # noqa: B010  it is imported there
    memory.ENOUGH["cpu"] = sys.maxsize
    return measure(*arguments)


def test_the_batch_is_measured_on_the_cluster_in_a_workers_part_of_the_memory_there(
    vit: VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, settings = Unit("blocks.1.mlp.fc1", 0), made(vit)
    monkeypatch.setattr(cluster, "measure", measured_in_little_room)
    there = Cluster().batch_size(vit, unit, settings)
    monkeypatch.setattr(memory, "free_memory", little_room)
    monkeypatch.setitem(memory.ENOUGH, "cpu", sys.maxsize)
    alone, half = (batch_size(vit, unit, settings, sharing) for sharing in (1, 2))
    assert there == half < alone


def test_nothing_to_do_starts_no_worker(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(vit, tmp_path / "store")
    monkeypatch.setattr(cluster, "RayPool", lambda *_: pytest.fail("workers were started"))
    assert job(vit, tmp_path / "store", engine=Cluster()).done == 11


def test_closing_a_job_half_way_frees_the_cluster(vit: VisionModel, tmp_path: Path) -> None:
    chosen = [[unit] for unit in units(vit, *SELECTORS)]
    outcomes = Cluster(2).run(vit, chosen, made(vit))
    next(outcomes)
    outcomes.close()
    end = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
