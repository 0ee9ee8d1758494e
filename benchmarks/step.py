"""What one optimisation step costs over the least that it could, and against Lucent.

``python -m benchmarks.step`` prints one JSON line. The floor is the bare truncated forward pass
to the units' layer with the backward pass to the images, written out here by hand. Lucent is given
the same units correctly (it would pick a token for a channel), the same size and the same views.
All three are timed in turn, several times, and medians are reported.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import featviz
from benchmarks.machine import describe
from featviz.optimize import Canvas, optimize
from featviz.recipes import Recipe, recipe

MODEL = "deit_small_patch16_224"


Run = Callable[[int], float]
"""Makes so many steps and returns the seconds that one took."""


def floor(model: featviz.VisionModel, block: int, index: Tensor) -> Run:
    """Make bare truncated forward and backward passes."""
    module: Any = model.module
    layer = module.blocks[block]
    weight = layer.mlp.fc1.weight.detach()[index]
    images = torch.rand(len(index), 3, model.image_size, model.image_size).requires_grad_()

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            tokens = module.norm_pre(module._pos_embed(module.patch_embed(images)))
            tokens = module.blocks[:block](tokens)
            tokens = tokens + layer.attn(layer.norm1(tokens))
            patches = layer.norm2(tokens)[:, module.num_prefix_tokens :]
            torch.autograd.grad((patches.mean(1) * weight).sum(), images)
        return (time.perf_counter() - start) / steps

    return run


def step(model: featviz.VisionModel, block: int, index: Tensor, made: Recipe) -> Run:
    """Make steps of the real loop; what a run does once, before and after, is left out."""
    chosen = [featviz.Unit(f"blocks.{block}.mlp.fc1", number) for number in index.tolist()]

    def run(steps: int) -> float:
        ends: list[float] = []
        made_now = replace(made, steps=steps + 1)
        optimize(model, chosen, made_now, lambda: ends.append(time.perf_counter()))
        return (ends[-1] - ends[0]) / steps

    return run


def lucent(model: featviz.VisionModel, block: int, index: Tensor, made: Recipe) -> Run:
    """Have Lucent make steps for the same units and views.

    The model is one as timm hands it out: its weights take gradients, since Lucent does not stop
    that.
    """
    from lucent.optvis import objectives, param, render  # noqa: PLC0415  a development extra

    module = copy.deepcopy(model.module).requires_grad_(True)
    layer, prefix = f"blocks_{block}_mlp_fc1", model.prefix_tokens
    rows = torch.arange(len(index))
    generator = torch.Generator().manual_seed(0)
    noise = made.views.noise_field(model.image_size, generator)
    side = Canvas(made, model.image_size).view_side

    def view(images: Tensor) -> Tensor:
        draws = torch.cat([made.views.draw(1, generator) for _ in rows])
        return made.views.apply(images, draws, model.image_size, noise)

    def loss(hook: Callable[[str], Tensor]) -> Tensor:
        return -hook(layer)[rows, prefix:, index].mean(1).sum()

    def run(steps: int) -> float:
        start = time.perf_counter()
        render.render_vis(
            module,
            objectives.Objective(loss),
            lambda: param.image(side, batch=len(index)),
            transforms=[view],
            thresholds=(steps,),
            progress=False,
            show_image=False,
        )
        return (time.perf_counter() - start) / steps

    return run


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
    made, results = recipe(model), []
    index = torch.arange(options.batch)
    for block in options.blocks:
        runs = {"floor": floor(model, block, index), "step": step(model, block, index, made)}
        if not options.no_lucent:
            runs["lucent"] = lucent(model, block, index, made)
        for run in runs.values():
            run(1)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                times[name].append(run(options.steps) / options.batch * 1e3)
        median = {name: statistics.median(taken) for name, taken in times.items()}
        over = [a / b for a, b in zip(times["step"], times["floor"], strict=True)]
        result = {"block": block, "overhead": statistics.median(over)}
        result |= {f"{name}_ms_per_image": value for name, value in median.items()}
        result |= {f"{name}_spread_ms": max(taken) - min(taken) for name, taken in times.items()}
        if "lucent" in median:
            result["lucent_over_featviz"] = median["lucent"] / median["step"]
        results.append({key: round(value, 3) for key, value in result.items()})
    report = {"benchmark": "step", "model": MODEL, "batch": options.batch, "machine": describe()}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
