"""Time of one optimization step, relative to a lower bound and to Lucent.

``python -m benchmarks.step`` prints one JSON line. The bound ``floor`` is a forward pass to the
units' layer and a backward pass to the images, in the same precision, implemented here; ``lowest``
also embeds patches by a matrix product as featviz does, which is faster than the model's
convolution. Lucent optimizes the same units (see `benchmarks.peer`) at the same size and with the
same augmentations, in float32. All alternate for several rounds; the results are medians.
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
from featviz.models.acceleration import in_precision, patch_embed_as_matmul
from featviz.optimization.optimize import PaddedImage, optimize
from featviz.optimization.recipe import Recipe, make_recipe

MODEL = "deit_small_patch16_224"

Run = Callable[[int], float]
"""Runs a number of steps and returns the seconds per step."""


def floor(
    model: featviz.VisionModel, block: int, index: Tensor, recipe: Recipe, matmul: bool
) -> Run:
    """Run truncated forward and backward passes, in the precision of the recipe.

    Parameters
    ----------
    model : VisionModel
    block : int
    index : Tensor, shape (N,)
        Indices of the neurons in the block.
    recipe : Recipe
    matmul : bool
        Whether patches are embedded by a matrix product, as in featviz, instead of a convolution.

    Returns
    -------
    callable
        See `Run`.
    """
    module: Any = in_precision(model, recipe.precision).module
    layer = module.blocks[block]
    weight = layer.mlp.fc1.weight.detach()[index]
    side = model.image_size
    images = torch.rand(len(index), 3, side, side).to(weight).requires_grad_()

    def run(steps: int) -> float:
        start = now(model)
        with patch_embed_as_matmul(module) if matmul else nullcontext():
            for _ in range(steps):
                tokens = module.norm_pre(module._pos_embed(module.patch_embed(images)))
                tokens = module.blocks[:block](tokens)
                tokens = tokens + layer.attn(layer.norm1(tokens))
                patches = layer.norm2(tokens)[:, module.num_prefix_tokens :]
                torch.autograd.grad((patches.mean(1) * weight).sum(), images)
        return (now(model) - start) / steps

    return run


def step(model: featviz.VisionModel, block: int, index: Tensor, recipe: Recipe) -> Run:
    """Run steps of `optimize`, without what it does once before and after them."""
    units = [featviz.Unit(f"blocks.{block}.mlp.fc1", neuron) for neuron in index.tolist()]

    def run(steps: int) -> float:
        ends: list[float] = []

        def tick() -> None:
            # Reading the clock at other steps would make the device wait for the CPU.
            ends.append(now(model) if len(ends) in (0, steps) else 0.0)

        optimize(model, units, replace(recipe, steps=steps + 1), tick)
        return (ends[-1] - ends[0]) / steps

    return run


def lucent(model: featviz.VisionModel, block: int, index: Tensor, recipe: Recipe) -> Run:
    """Run steps of Lucent for the same units and with the same augmentations."""
    rows = torch.arange(len(index))
    generator = torch.Generator().manual_seed(0)
    noise = recipe.augmentation.noise_field(model.image_size, generator)
    noise = None if noise is None else noise.to(model.device)
    side = PaddedImage(recipe, model.image_size).input_side

    def augment(images: Tensor) -> Tensor:
        draws = torch.cat([recipe.augmentation.draw(1, generator) for _ in rows]).to(images)
        return recipe.augmentation.apply(images, draws, model.image_size, noise)

    def run(steps: int) -> float:
        start = now(model)
        peer.render(model, block, index, steps, side, augment)
        return (now(model) - start) / steps

    return run


def now(model: featviz.VisionModel) -> float:
    """Return the time after all work queued on the device is done."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter()


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=[0, 5, 11])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8, help="steps per timing")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-lucent", action="store_true")
    options = parser.parse_args()
    # Lucent uses deprecated functions of torch.
    warnings.simplefilter("ignore")
    model = featviz.load(MODEL, untrained=True)
    recipe, results = make_recipe(model), []
    index = torch.arange(options.batch)
    for block in options.blocks:
        runs = {
            "floor": floor(model, block, index, recipe, matmul=False),
            "lowest": floor(model, block, index, recipe, matmul=True),
            "step": step(model, block, index, recipe),
        }
        if not options.no_lucent:
            runs["lucent"] = lucent(model, block, index, recipe)
        for run in runs.values():
            run(1)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                times[name].append(run(options.steps) / options.batch * 1e3)
        median = {name: statistics.median(rounds) for name, rounds in times.items()}
        over = {
            name: statistics.median(a / b for a, b in zip(times["step"], times[name], strict=True))
            for name in ("floor", "lowest")
        }
        result = {"block": block, "over_floor": over["floor"], "over_lowest": over["lowest"]}
        result |= {f"{name}_ms_per_image": value for name, value in median.items()}
        result |= {f"{name}_spread_ms": max(rounds) - min(rounds) for name, rounds in times.items()}
        if "lucent" in median:
            result["lucent_over_featviz"] = median["lucent"] / median["step"]
        results.append({key: round(value, 3) for key, value in result.items()})
    settings = {"model": MODEL, "batch": options.batch, "precision": recipe.precision}
    report = {"benchmark": "step", **settings, "machine": describe()}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
