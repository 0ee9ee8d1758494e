from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import featviz
from benchmarks.gpu import lucent_loop
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.report import Part, Report, SkippedError
from benchmarks.gpu.timing import neurons, step_flops, step_seconds
from featviz.optimization.recipe import make_recipe


@pytest.fixture(scope="module")
def vit() -> featviz.VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return found


def program(path: Path, seconds: float) -> list[str]:
    """A run with a part that measures at once, and one that never returns."""
    text = f"""
        import time
        from pathlib import Path
        from benchmarks.gpu.report import Report
        end = time.monotonic() + {seconds}
        report = Report(Path({str(path)!r}), end, {{"benchmark": "gpu"}})
        report.stop_in_time()
        report.run({{
            "first": (1, lambda part: part.add("value", 1)),
            "endless": (1, lambda part: time.sleep(600)),
            "last": (1, lambda part: part.add("value", 2)),
        }})
    """
    return [sys.executable, "-c", textwrap.dedent(text)]


def test_a_run_ends_in_time_inside_a_call_that_does_not_return(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    done = subprocess.run(
        program(path, 5.5), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {name: part["status"] for name, part in read(path).items()} == {
        "first": "done",
        "endless": "out of time",
        "last": "out of time",
    }
    assert "endless: out of time" in done.stdout


def test_a_killed_run_leaves_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    process = subprocess.Popen(program(path, 600))
    while process.poll() is None and (
        not path.exists() or read(path).get("endless", {}).get("status") != "running"
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert read(path)["first"]["value"] == 1
    assert read(path)["last"] == {"status": "waiting"}
    assert json.loads(path.read_text(encoding="utf-8"))["finished"] is False


def test_running_out_of_memory_and_errors_are_results(tmp_path: Path) -> None:
    def fails(part: Part) -> None:
        def out_of_memory() -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        part.measure("large", out_of_memory)
        part.measure("small", lambda: 3)
        part.measure("long", lambda: 4, seconds=1e6)

    def skipped(_part: Part) -> None:
        raise SkippedError("no file")

    def broken(_part: Part) -> None:
        raise RuntimeError("first line\nsecond")

    report = Report(tmp_path / "gpu.json", time.monotonic() + 60, {})
    report.run({"a": (1, fails), "b": (1, broken), "c": (1, skipped)})
    found = read(tmp_path / "gpu.json")
    assert found["a"]["large"] == "out of memory"
    assert found["a"]["small"] == 3
    assert found["a"]["long"] == found["a"]["status"] == "out of time"
    assert found["b"]["status"] == "failed: RuntimeError: first line"
    assert found["c"]["status"] == "skipped: no file"
    assert [line for line in report.table().splitlines() if line.startswith("  small")]


def test_time_that_a_part_leaves_is_shared_by_those_after_it(tmp_path: Path) -> None:
    left: list[float] = []
    report = Report(tmp_path / "gpu.json", time.monotonic() + 105, {})
    parts = {
        str(index): (share, lambda part: left.append(part.left()))
        for index, share in enumerate((0.5, 0.3, 0.2))
    }
    report.run(parts)
    assert left == pytest.approx([50, 60, 100], abs=3)
    assert sum(share for share, _ in PARTS.values()) == pytest.approx(1)


def test_floating_point_operations_of_a_step_are_those_of_its_matrix_products(
    vit: featviz.VisionModel,
) -> None:
    module: Any = vit.module
    block, width = 2, module.embed_dim
    tokens, patch = module.pos_embed.shape[1], module.patch_embed.patch_size[0]
    hidden = module.blocks[0].mlp.fc1.out_features
    patches = tokens - module.num_prefix_tokens
    embedding = 2 * patches * 3 * patch**2 * width
    attention = 2 * tokens * width * 4 * width
    logits = 2 * 2 * tokens**2 * width
    mlp = 2 * 2 * tokens * width * hidden
    # The backward pass has one product for each linear layer, and two for each of attention's.
    expected = 2 * embedding + (block + 1) * (2 * attention + 3 * logits) + block * 2 * mlp
    recipe = make_recipe(vit, precision="bfloat16")
    found = step_flops(vit, neurons(block, 1)[0], recipe)
    assert found == pytest.approx(expected, rel=0.03)


def test_a_timed_step_takes_no_longer_than_the_whole_measurement(
    vit: featviz.VisionModel,
) -> None:
    start = time.perf_counter()
    seconds = step_seconds(vit, neurons(0, 1), make_recipe(vit, precision="float32"), 0.05)
    assert 0 < seconds < time.perf_counter() - start


def test_the_loop_like_lucents_maximizes_its_neurons(vit: featviz.VisionModel) -> None:
    index, side = torch.tensor([3, 8]), vit.image_size
    units = [featviz.Unit("blocks.1.mlp.fc1", neuron) for neuron in index.tolist()]

    def values(steps: int) -> torch.Tensor:
        images = lucent_loop.render(vit, 1, index, steps, side, lambda images: images)
        assert images.shape == (2, 3, side, side)
        with torch.no_grad():
            return featviz.readout(vit, units).paired(images)

    assert (values(12) > values(0) + 0.1).all()
