"""Image quality by rendering time, for featviz and for Lucent.

``python -m benchmarks.quality_time`` prints one JSON line. The quality of an image is its
activation on held-out augmentations (`featviz.analysis.scores.held_out_views`), computed in float32
from the 8-bit image. Lucent runs 512 steps of its defaults; featviz runs its own defaults with
several numbers of steps, each with its own schedule. The time in which featviz reaches Lucent's
activation for a unit is that of the fewest steps whose image does. Times are those of whole
batches, each of units of one block.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

import featviz
from benchmarks import peer
from benchmarks.machine import describe
from featviz.activations.readout import Readout
from featviz.analysis.scores.held_out_views import held_out
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe

MODEL = "cueworld/vit"
LUCENT_STEPS = 512


def timed(make: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Return the seconds that `make` takes, and its images (N, 3, H, W) rounded to 8 bits."""
    start = time.perf_counter()
    images = make()
    return time.perf_counter() - start, images.mul(255).round() / 255


def held_out_activation(
    model: featviz.VisionModel, units: list[featviz.Unit], images: Tensor
) -> Tensor:
    """Mean activation of each unit on held-out augmentations of its image, shape (N,)."""
    read = Readout(model, units)
    with torch.no_grad():
        return torch.stack([read.paired(view) for view in held_out(images)]).mean(0)


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default=MODEL, help="untrained, unless it is a model of cueworld"
    )
    parser.add_argument("--blocks", type=int, nargs="+", default=[0, 2, 4, 6, 8, 10])
    parser.add_argument("--each", type=int, default=4, help="neurons per block")
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256, 512])
    options = parser.parse_args()
    # Lucent uses deprecated functions of torch.
    warnings.simplefilter("ignore")
    model = featviz.load(options.model, untrained=not options.model.startswith("cueworld/"))
    index = torch.arange(options.each)
    speedups: list[float] = []
    seconds: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    never = 0
    for block in options.blocks:
        units = featviz.units(model, f"blocks.{block}.mlp.fc1:0-{options.each - 1}")
        peer.render(model, block, index, 1, model.image_size)

        def render_lucent(block: int = block) -> Tensor:
            return peer.render(model, block, index, LUCENT_STEPS, model.image_size)

        lucent_seconds, images = timed(render_lucent)
        target = held_out_activation(model, units, images)
        seconds.setdefault("lucent", []).append(lucent_seconds)
        reached = torch.full((options.each,), torch.inf)
        for steps in sorted(options.steps, reverse=True):

            def render(steps: int = steps, units: list[featviz.Unit] = units) -> Tensor:
                pictures = optimize(model, units, make_recipe(model, steps=steps))
                return pictures.images[:, 0].permute(0, 3, 1, 2) / 255

            own_seconds, images = timed(render)
            value = held_out_activation(model, units, images)
            reached = torch.where(value >= target, own_seconds, reached)
            seconds.setdefault(str(steps), []).append(own_seconds)
            ratios.setdefault(str(steps), []).extend((value / target).tolist())
        never += int(reached.isinf().sum())
        speedups += (lucent_seconds / reached).tolist()
    settings = {"model": options.model, "blocks": options.blocks, "each": options.each}
    report = {"benchmark": "quality_time", **settings, "precision": make_recipe(model).precision}
    curve = [
        {
            "steps": int(steps),
            "seconds": round(sum(seconds[steps]), 2),
            "over_lucent": round(statistics.median(values), 3),
            "reach_lucent": round(statistics.fmean(value >= 1 for value in values), 3),
        }
        for steps, values in sorted(ratios.items(), key=lambda item: int(item[0]))
    ]
    results = {
        "lucent_seconds": round(sum(seconds["lucent"]), 2),
        "times_faster": round(statistics.median(speedups), 2),
        "times_faster_quartiles": [round(q, 2) for q in statistics.quantiles(speedups)[::2]],
        "never_reached": never,
        "curve": curve,
    }
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
