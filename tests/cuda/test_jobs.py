"""Jobs on a GPU: memory that runs out, the choice of the device, engines, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import featviz
from benchmarks.gpu.timing import peak_bytes
from cli.main import status
from featviz._util.device_memory import MEMORY_SHARE
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering.batch_size import batch_size, bytes_per_picture
from featviz.rendering.batches import BatchLimit, run
from featviz.store.reader import Store
from tests.cuda.devices import load, on_cuda, on_each_device

COMMAND = """
import signal
from cli.main import main
# A shell that runs the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@contextmanager
def at_most(free: int) -> Iterator[None]:
    """Let this process allocate at most so many bytes more than now, on the current GPU."""
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved() + free
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def peak(model: featviz.VisionModel, units: list[featviz.Unit], recipe: Recipe) -> int:
    found = peak_bytes(model, lambda: optimize(model, units, recipe))
    assert found is not None
    return found


@on_cuda
def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    model = load("vit", "cuda")
    units = featviz.units(model, "blocks.6.mlp.fc1:0-127")
    recipe = make_recipe(model, steps=2, precision="float32")
    whole, half = (peak(model, units[:count], recipe) for count in (128, 64))
    assert whole > 1.5 * half
    limit = BatchLimit()
    # Half of the batch may not fit, as the allocator needs more than is used; a quarter does.
    with at_most((whole + half) // 2):
        outcomes = list(run(model, [units], recipe, limit=limit))
    assert limit.units in (64, 32)
    assert [unit for outcome in outcomes for unit in outcome.units] == units
    assert all(outcome.failures == {} for outcome in outcomes)


@on_cuda
def test_a_step_of_the_chosen_batch_fits_into_the_memory_it_was_chosen_for() -> None:
    model = load("vit", "cuda")
    (unit,) = featviz.units(model, "blocks.11.mlp.fc1:0")
    count = 64
    for precision in ("float32", "bfloat16"):
        recipe = make_recipe(model, steps=1, precision=precision)
        assert 1 <= batch_size(model, unit, recipe) <= 512
        predicted = count * bytes_per_picture(model, unit, recipe) / MEMORY_SHARE
        assert peak(model, [unit] * count, recipe) < predicted


@pytest.mark.cuda
@pytest.mark.parametrize("index", range(2))
def test_the_option_device_chooses_the_gpu(index: int, tmp_path: Path) -> None:
    if torch.cuda.device_count() <= index:
        pytest.skip(f"needs {index + 1} CUDA devices")
    torch.cuda.init()  # type: ignore[no-untyped-call]
    cards = range(torch.cuda.device_count())
    for card in cards:
        torch.cuda.reset_peak_memory_stats(card)
    before = [torch.cuda.memory_allocated(card) for card in cards]
    words = ["render", "cueworld/vit", "blocks.0.mlp.fc1:0-1", "--steps", "2", "--size", "32"]
    words += ["--device", f"cuda:{index}", "-o", str(tmp_path / "store")]
    assert status(words) == 0
    assert len(Store(tmp_path / "store")) == 2
    used = [torch.cuda.max_memory_allocated(card) > before[card] for card in cards]
    assert used == [card == index for card in cards]


@on_each_device
def test_ctrl_c_leaves_a_store_that_the_next_run_completes(device: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ["render", "cueworld/vit", "blocks.0.mlp.fc1:0-39", "-o", str(store), "--batch", "2"]
    words += ["--steps", "30", "--size", "32", "--device", device]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not list(store.glob("shards/*.h5")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    kept = len(Store(store))
    assert 0 < kept < 40
    assert status(words) == 0
    assert len(Store(store)) == 40


@on_cuda
def test_a_worker_of_ray_has_a_gpu_and_gives_the_same_pictures(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from featviz.rendering.engine import make_engine  # noqa: PLC0415  needs Ray
    from featviz.rendering.job import render_to_store  # noqa: PLC0415

    model = load("vit", "cuda")
    units = featviz.units(model, "blocks.0.mlp.fc1:0-3")
    recipe = make_recipe(model, steps=4, precision="float32", size=32)
    render_to_store(model, units, recipe, tmp_path / "ray", engine=make_engine("ray", 1))
    render_to_store(model, units, recipe, tmp_path / "local")
    found, expected = Store(tmp_path / "ray"), Store(tmp_path / "local")
    assert sorted(found.addresses()) == sorted(map(str, units))
    for unit in found.addresses():
        ours, theirs = (np.asarray(each.row(unit)["images"], int) for each in (found, expected))
        assert abs(ours - theirs).max() <= 2
