"""The parts of a run, in the order of their value."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import featviz
from benchmarks import peer
from benchmarks.compiled_step import compiled, cuda_graph
from benchmarks.gpu import lucent_loop
from benchmarks.gpu.report import Part, SkippedError
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import (
    fixed_seconds,
    matmul_rate,
    neurons,
    peak_bytes,
    step_flops,
    step_seconds,
    unchanged,
)
from benchmarks.gpu.utilization import Utilization
from benchmarks.step import floor, now
from benchmarks.sweep import by_batched_forward, sweeps
from featviz._util.device_memory import MEMORY_SHARE, free_memory
from featviz.models.hooks import eval_mode
from featviz.optimization.optimize import PaddedImage, Step, optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering.batch_size import batch_size, bytes_per_picture
from featviz.rendering.job import render_to_store
from featviz.store.writer import StoreWriter
from patching.attribution.attribution_patching import attribute
from patching.forward.cache import run_with_cache
from patching.vit.residual_vit import residual_vit

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 110
STEPS = 512


@dataclass
class Bench:
    """What the parts share.

    Attributes
    ----------
    device : str
    sizes : Sizes
    weights : Path or None
        Of DINOv2 ViT-S/14.
    per_image : dict of str to float
        Seconds per image and step over all depths, by contender; set by the parts.
    """

    device: str
    sizes: Sizes
    weights: Path | None
    per_image: dict[str, float]

    @cached_property
    def model(self) -> featviz.VisionModel:
        """The model of the sizes, with random weights: they do not change the time."""
        return featviz.load(self.sizes.model, untrained=True, device=self.device)

    @cached_property
    def recipe(self) -> Recipe:
        """The default one, in bfloat16."""
        return make_recipe(self.model, precision="bfloat16")

    @cached_property
    def batch(self) -> int:
        """Pictures per batch of a job."""
        deepest = featviz.Unit("blocks.11.mlp.fc1", 0)
        return self.sizes.batch or batch_size(self.model, deepest, self.recipe)

    def step(
        self, block: int, batch: int, transform: Callable[[Step], Step] = unchanged
    ) -> dict[str, float]:
        """Time a step of featviz; see `step_seconds`."""
        seconds = 0.0

        def run() -> None:
            nonlocal seconds
            units = neurons(block, batch)
            seconds = step_seconds(
                self.model, units, self.recipe, self.sizes.timing, transform=transform
            )

        peak = peak_bytes(self.model, run)
        found = {"ms": 1e3 * seconds, "images_per_second_512_steps": batch / seconds / STEPS}
        return found if peak is None else found | {"peak_gib": peak / 2**30}

    def floor(self, block: int, batch: int) -> dict[str, float]:
        """Time the lower bounds of `benchmarks.step` in milliseconds."""
        found = {}
        for name, matmul in (("floor_ms", False), ("lowest_ms", True)):
            run = floor(self.model, block, torch.arange(batch), self.recipe, matmul)
            run(3)
            steps = max(3, min(200, int(self.sizes.timing / max(run(2), 1e-4))))
            found[name] = 1e3 * run(steps)
        return found


def tests(bench: Bench, part: Part) -> None:
    """Run the tests that need a GPU, in a process of their own."""
    words = ["-v", "-m", "cuda", "--noconftest", "-o", "filterwarnings=default", "--tb=short"]
    words += ["-p", "no:cacheprovider"]
    # The most important ones first, as they may run out of time.
    words += [f"tests/cuda/test_{name}.py" for name in ("values", "jobs", "steps")]
    seconds = min(TEST_SECONDS, part.left())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        output, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        text = late.stdout or b""
        output, code = text.decode(errors="replace") if isinstance(text, bytes) else text, None
        part.is_cut = True
    lines = output.strip().splitlines()
    part.add("exit_status", "out of time" if code is None else code)
    part.add("summary", lines[-1] if lines else "")
    part.add("failures", [line for line in lines if line.startswith(("FAILED ", "ERROR "))])
    if code not in (0, 5):
        part.add("output", lines[-150:])
    if bench.device == "cpu":
        part.add("note", "on a processor all of them are skipped")


def steps(bench: Bench, part: Part) -> None:
    """Time a step relative to its floor: eager, as CUDA graphs, and compiled."""
    sizes = bench.sizes
    for batch in sizes.batches:
        for block in sizes.blocks:

            def eager(block: int = block, batch: int = batch) -> dict[str, float]:
                found = bench.floor(block, batch) | bench.step(block, batch)
                return found | {
                    "over_floor": found["ms"] / found["floor_ms"],
                    "over_lowest": found["ms"] / found["lowest_ms"],
                }

            part.measure(f"block {block}, batch {batch}, eager", eager)
    has_graphs = bench.device != "cpu"
    large_and_small = (sizes.batches[0], min(sizes.batches))
    if has_graphs:
        _time_graphs(bench, part, large_and_small)
    kinds: dict[str, Callable[[Step], Step]] = {"compiled": compiled}
    if has_graphs:
        kinds["compiled, CUDA graph"] = lambda compute: cuda_graph(compiled(compute))
    for block, batch in sizes.compiled:
        for name, transform in kinds.items():

            def measure(
                block: int = block, batch: int = batch, transform: Any = transform
            ) -> dict[str, float]:
                start = time.perf_counter()
                found = bench.step(block, batch, transform)
                return found | {"seconds_with_compiling": time.perf_counter() - start}

            key = f"block {block}, batch {batch}, {name}"
            part.measure(key, measure, sizes.compile_seconds)
    if has_graphs:
        _time_graphs(bench, part, [each for each in sizes.batches if each not in large_and_small])


def _time_graphs(bench: Bench, part: Part, batches: Iterable[int]) -> None:
    for batch in batches:
        for block in bench.sizes.blocks:
            key = f"block {block}, batch {batch}, CUDA graph"
            part.measure(key, partial(bench.step, block, batch, cuda_graph))


def whole_model(bench: Bench, part: Part) -> None:
    """Time a step at each depth, and extrapolate the time of all neurons."""
    model, recipe, sizes = bench.model, bench.recipe, bench.sizes
    rate = part.measure(
        "bfloat16_flops_of_matmul", partial(matmul_rate, model.device, sizes.matmul)
    )
    part.add("batch", bench.batch)
    module: Any = model.module
    depth = len(module.blocks)
    ends = (depth - 1, 0, depth // 2)
    timed: dict[int, dict[str, float]] = {}
    for block in (*ends, *(block for block in range(depth) if block not in ends)):

        def measure(block: int = block) -> dict[str, float]:
            units = neurons(block, bench.batch)
            seconds = step_seconds(model, units, recipe, sizes.timing)
            fixed = fixed_seconds(model, units, recipe, seconds)
            found = {"step_ms": 1e3 * seconds, "fixed_seconds_per_batch": fixed}
            flops = step_flops(model, units[0], recipe) * bench.batch / seconds
            found["flops"] = flops
            return found | ({"share_of_matmul": flops / rate} if rate else {})

        found = part.measure(f"block {block}", measure)
        if found:
            timed[block] = found
    if not timed:
        return
    known = sorted(timed)
    step, fixed = (
        np.interp(range(depth), known, [timed[block][key] for block in known])
        for key in ("step_ms", "fixed_seconds_per_batch")
    )
    width = model.site("blocks.0.mlp.fc1").width
    each = (fixed + STEPS * step / 1e3) / bench.batch
    bench.per_image["featviz"] = float(step.mean()) / 1e3 / bench.batch
    part.add("images_per_second", float(1 / each.mean()))
    part.add(
        "extrapolated",
        {
            "job": f"{depth * width} neurons, {STEPS} steps, not rendered: time per step and batch "
            f"at {len(known)} of {depth} depths, multiplied",
            "minutes": float(width * each.sum() / 60),
            "share_fixed": float(fixed.sum() / (each.sum() * bench.batch)),
        },
    )


def lucent(bench: Bench, part: Part) -> None:
    """Time Lucent, or a loop that computes the same."""
    model, sizes = bench.model, bench.sizes
    installed = find_spec("lucent") is not None
    name, render = (
        ("Lucent", peer.render) if installed else ("Lucent-like loop", lucent_loop.render)
    )
    generator = torch.Generator().manual_seed(0)
    augmentation = bench.recipe.augmentation
    noise = augmentation.noise_field(model.image_size, generator)
    noise = None if noise is None else noise.to(model.device)
    side = PaddedImage(bench.recipe, model.image_size).input_side

    def augment(images: Tensor) -> Tensor:
        draws = torch.cat([augmentation.draw(1, generator) for _ in images]).to(images)
        return augmentation.apply(images, draws, model.image_size, noise)

    block = sizes.blocks[len(sizes.blocks) // 2]
    found = []
    # Its default is one image; a large batch is the best case.
    for batch in (1, sizes.batches[0]):

        def measure(batch: int = batch) -> dict[str, float]:
            index = torch.arange(batch)

            def seconds(count: int) -> float:
                start = now(model)
                render(model, block, index, count, side, augment)
                return now(model) - start

            seconds(1)
            short = seconds(1)
            step = max(1e-4, seconds(3) - short) / 2
            count = max(3, min(STEPS, int(sizes.timing / step)))
            step = max(1e-9, seconds(1 + count) - short) / count
            return {"ms": 1e3 * step, "images_per_second_512_steps": batch / step / STEPS}

        result = part.measure(f"{name}, block {block}, batch {batch}", measure)
        if result:
            found.append(1e-3 * result["ms"] / batch)
            ours = bench.per_image.get("featviz")
            if ours:
                key = f"featviz_over_{name}_batch_{batch}".replace(" ", "_")
                part.add(key, found[-1] / ours)
    part.add("note", "the loop runs the whole model, so its time hardly depends on the block")


def job(bench: Bench, part: Part) -> None:
    """Render a small job: utilization, memory, the time of writing, and whether it repeats."""
    model, sizes = bench.model, bench.sizes
    recipe = make_recipe(model, precision="bfloat16", steps=sizes.job_steps)
    units = [unit for block in sizes.blocks for unit in neurons(block, sizes.job_units)]

    def memory() -> dict[str, float]:
        deepest = neurons(sizes.blocks[-1], bench.batch)
        saved = bytes_per_picture(model, deepest[0], recipe) * bench.batch
        free = free_memory(model.device)
        peak = peak_bytes(model, lambda: optimize(model, deepest, replace(recipe, steps=2)))
        found = {"batch": bench.batch, "predicted_gib": saved / MEMORY_SHARE / 2**30}
        found |= {"saved_gib": saved / 2**30, "free_gib": free / 2**30}
        return found if peak is None else found | {"peak_gib": peak / 2**30}

    def render() -> dict[str, Any]:
        written: list[float] = []
        add = StoreWriter.add

        def timed(self: StoreWriter, *values: Any, **more: Any) -> None:
            start = time.perf_counter()
            add(self, *values, **more)
            written.append(time.perf_counter() - start)

        StoreWriter.add = timed  # type: ignore[method-assign]
        try:
            with tempfile.TemporaryDirectory() as folder, Utilization(model.device) as used:
                start = time.perf_counter()
                render_to_store(model, units, recipe, Path(folder, "store"), bench.batch)
                seconds = time.perf_counter() - start
        finally:
            StoreWriter.add = add  # type: ignore[method-assign]
        found = {
            "pictures": len(units),
            "steps": recipe.steps,
            "seconds": seconds,
            "pictures_per_second": len(units) / seconds,
            "seconds_of_writing_in_background": sum(written),
            "writing_over_total": sum(written) / seconds,
        }
        return found | used.summary()

    def repeated() -> dict[str, float]:
        chosen = neurons(sizes.blocks[1], min(8, bench.batch))
        first, again = (optimize(model, chosen, recipe).images.int() for _ in range(2))
        alone = optimize(model, chosen[:1], recipe).images.int()
        found: dict[str, float] = {"pictures": len(chosen), "steps": recipe.steps}
        for name, levels in (("again", again - first), ("alone", alone - first[:1])):
            found[f"{name}_largest_difference"] = int(levels.abs().max())
            found[f"{name}_mean_difference"] = float(levels.abs().float().mean())
        return found

    part.measure("memory", memory)
    part.measure("render_to_store", render)
    part.measure("pictures rendered again and alone, of 255 levels", repeated)


def patching(bench: Bench, part: Part) -> None:
    """Time a sweep of activation patching over all heads, and one pass of attribution."""
    model, sizes = bench.model, bench.sizes
    side = model.image_size
    clean = torch.rand((sizes.images, 3, side, side), generator=torch.Generator().manual_seed(0))
    clean = clean.to(model.device)
    corrupted = clean.mean(1, keepdim=True).expand_as(clean).contiguous()
    patches = sweeps(model)["z of heads"]

    def seconds(function: Callable[[], object]) -> float:
        function()
        times = []
        for _ in range(3 if bench.device != "cpu" else 1):
            start = now(model)
            function()
            times.append(now(model) - start)
        return statistics.median(times)

    def sweep() -> dict[str, float]:
        run = by_batched_forward(model, patches)
        with eval_mode(model.module), torch.inference_mode():
            found = seconds(lambda: run(clean, corrupted))
        return {
            "images": sizes.images,
            "targets": len(patches),
            "seconds": found,
            "patched_forwards_per_second": sizes.images * len(patches) / found,
        }

    def attribution() -> dict[str, float]:
        vit = residual_vit(model)
        labels = torch.zeros(sizes.images, dtype=torch.long, device=model.device)

        def logit(logits: Tensor, labels: Tensor) -> Tensor:
            return logits.gather(1, labels[:, None])[:, 0]

        with eval_mode(model.module):
            with torch.inference_mode():
                base, donor = (
                    run_with_cache(vit, vit.embed(images), patches) for images in (corrupted, clean)
                )
            targets = [target for (target,) in patches]
            found = seconds(lambda: attribute(vit, base, donor, targets, logit, labels))
        return {"images": sizes.images, "targets": len(patches), "seconds": found}

    part.measure("sweep over z of heads", sweep)
    part.measure("attribution of z of heads", attribution)


def dinov2(bench: Bench, part: Part) -> None:
    """Time steps of DINOv2 ViT-S/14 with its weights."""
    if bench.weights is None:
        raise SkippedError("no --weights FILE")
    arch = "vit_small_patch14_dinov2"
    model = featviz.load(bench.weights, arch=arch, image_size=224, device=bench.device)
    recipe = make_recipe(model, precision="bfloat16")
    for block in bench.sizes.blocks:

        def measure(block: int = block) -> dict[str, float]:
            seconds = step_seconds(model, neurons(block, bench.batch), recipe, bench.sizes.timing)
            return {"ms": 1e3 * seconds, "images_per_second": bench.batch / seconds / STEPS}

        part.measure(f"block {block}, batch {bench.batch}", measure)


PARTS: dict[str, tuple[float, Callable[[Bench, Part], None]]] = {
    "CUDA tests": (0.22, tests),
    "step over its floor": (0.4, steps),
    "whole model": (0.14, whole_model),
    "Lucent": (0.06, lucent),
    "job": (0.1, job),
    "patching": (0.05, patching),
    "DINOv2": (0.03, dinov2),
}
"""Each with its share of the time."""
