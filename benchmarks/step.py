"""What one optimization step costs over the least that it could, and against Lucent.

``python -m benchmarks.step`` prints one JSON line. The floor is the bare truncated forward pass
to the units' layer with the backward pass to the images in the same precision, written out here by
hand; the lowest floor cuts out patches as featviz does, which is faster than the model's own
convolution. Lucent is given the same units correctly (it would pick a token for a channel), the
same size and the same views; it computes in float32. All are timed in turn, several times, and
medians are reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import featviz
from benchmarks import peer
from benchmarks.machine import describe
from featviz.models.acceleration import as_products, in_precision
from featviz.optimization.optimize import PaddedImage, optimize
from featviz.optimization.recipe import Recipe, make_recipe

MODEL = "deit_small_patch16_224"


Run = Callable[[int], float]
"""Makes so many steps and returns the seconds that one took."""


def floor(
    model: featviz.VisionModel, block: int, index: Tensor, made: Recipe, products: bool
) -> Run:
    """Make bare truncated forward and backward passes, in the precision of the recipe.

    Parameters
    ----------
    products : bool
        Whether patches are cut out as featviz does it, and not by the model's convolution.
    """
    module: Any = in_precision(model, made.precision).module
    layer = module.blocks[block]
    weight = layer.mlp.fc1.weight.detach()[index]
    side = model.image_size
    images = torch.rand(len(index), 3, side, side).to(weight).requires_grad_()

    def run(steps: int) -> float:
        start = now(model)
        with as_products(module) if products else nullcontext():
            for _ in range(steps):
                tokens = module.norm_pre(module._pos_embed(module.patch_embed(images)))
                tokens = module.blocks[:block](tokens)
                tokens = tokens + layer.attn(layer.norm1(tokens))
                patches = layer.norm2(tokens)[:, module.num_prefix_tokens :]
                torch.autograd.grad((patches.mean(1) * weight).sum(), images)
        return (now(model) - start) / steps

    return run


def step(model: featviz.VisionModel, block: int, index: Tensor, made: Recipe) -> Run:
    """Make steps of the real loop; what a run does once, before and after, is left out."""
    chosen = [featviz.Unit(f"blocks.{block}.mlp.fc1", number) for number in index.tolist()]

    def run(steps: int) -> float:
        ends: list[float] = []
        made_now = replace(made, steps=steps + 1)

        def tick() -> None:
            # A clock read in between would make the device wait for the processor.
            ends.append(now(model) if len(ends) in (0, steps) else 0.0)

        optimize(model, chosen, made_now, tick)
        return (ends[-1] - ends[0]) / steps

    return run


def lucent(model: featviz.VisionModel, block: int, index: Tensor, made: Recipe) -> Run:
    """Have Lucent make steps for the same units and views."""
    rows = torch.arange(len(index))
    generator = torch.Generator().manual_seed(0)
    noise = made.augmentation.noise_field(model.image_size, generator)
    noise = None if noise is None else noise.to(model.device)
    side = PaddedImage(made, model.image_size).view_side

    def view(images: Tensor) -> Tensor:
        draws = torch.cat([made.augmentation.draw(1, generator) for _ in rows]).to(images)
        return made.augmentation.apply(images, draws, model.image_size, noise)

    def run(steps: int) -> float:
        start = now(model)
        peer.render(model, block, index, steps, side, view)
        return (now(model) - start) / steps

    return run


def now(model: featviz.VisionModel) -> float:
    """Read the clock when the device has done all that it was told."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=[0, 5, 11])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8, help="steps in each timing")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-lucent", action="store_true")
    options = parser.parse_args()
    # Lucent warns of torch's changes since; that is not what is measured.
    warnings.simplefilter("ignore")
    model = featviz.load(MODEL, untrained=True)
    made, results = make_recipe(model), []
    index = torch.arange(options.batch)
    for block in options.blocks:
        runs = {
            "floor": floor(model, block, index, made, products=False),
            "lowest": floor(model, block, index, made, products=True),
            "step": step(model, block, index, made),
        }
        if not options.no_lucent:
            runs["lucent"] = lucent(model, block, index, made)
        for run in runs.values():
            run(1)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                times[name].append(run(options.steps) / options.batch * 1e3)
        median = {name: statistics.median(taken) for name, taken in times.items()}
        over = {
            name: statistics.median(a / b for a, b in zip(times["step"], times[name], strict=True))
            for name in ("floor", "lowest")
        }
        result = {"block": block, "over_floor": over["floor"], "over_lowest": over["lowest"]}
        result |= {f"{name}_ms_per_image": value for name, value in median.items()}
        result |= {f"{name}_spread_ms": max(taken) - min(taken) for name, taken in times.items()}
        if "lucent" in median:
            result["lucent_over_featviz"] = median["lucent"] / median["step"]
        results.append({key: round(value, 3) for key, value in result.items()})
    settings = {"model": MODEL, "batch": options.batch, "precision": made.precision}
    report = {"benchmark": "step", **settings, "machine": describe()}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
