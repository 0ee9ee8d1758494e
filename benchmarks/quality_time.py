"""How long a good picture takes, for featviz and for Lucent.

``python -m benchmarks.quality_time`` prints one JSON line. Good is what excites a unit on views
that neither has seen (`featviz.analysis.scores.held_out_views`), measured in float32 on 8-bit pictures. Lucent has
its own defaults and 512 steps. featviz has its own, and several numbers of steps, each with the
schedule that ends there. For each unit, the time to Lucent's value is that of the fewest steps
whose picture has it. A run's time is that of its whole batch, whose units are all from one block.
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
THEIRS = 512


def timed(make: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Return the seconds that it takes, and pictures (N, 3, H, W) in 8 bits."""
    start = time.perf_counter()
    images = make()
    return time.perf_counter() - start, images.mul(255).round() / 255


def judge(model: featviz.VisionModel, units: list[featviz.Unit], images: Tensor) -> Tensor:
    """Mean value of each unit on the held-out views of its picture, shape (N,)."""
    read = Readout(model, units)
    with torch.no_grad():
        return torch.stack([read.paired(view) for view in held_out(images)]).mean(0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL, help="untrained, if timm has to download it")
    parser.add_argument("--blocks", type=int, nargs="+", default=[0, 2, 4, 6, 8, 10])
    parser.add_argument("--each", type=int, default=4, help="neurons of each block")
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256, 512])
    options = parser.parse_args()
    # Lucent warns of torch's changes since; that is not what is measured.
    warnings.simplefilter("ignore")
    model = featviz.load(options.model, untrained=not options.model.startswith("cueworld/"))
    index = torch.arange(options.each)
    faster: list[float] = []
    seconds: dict[str, list[float]] = {}
    share: dict[str, list[float]] = {}
    never = 0
    for block in options.blocks:
        units = featviz.units(model, f"blocks.{block}.mlp.fc1:0-{options.each - 1}")
        peer.render(model, block, index, 1, model.image_size)

        def theirs(block: int = block) -> Tensor:
            return peer.render(model, block, index, THEIRS, model.image_size)

        spent, images = timed(theirs)
        wanted = judge(model, units, images)
        seconds.setdefault("lucent", []).append(spent)
        reached = torch.full((options.each,), torch.inf)
        for steps in sorted(options.steps, reverse=True):

            def ours(steps: int = steps, units: list[featviz.Unit] = units) -> Tensor:
                found = optimize(model, units, make_recipe(model, steps=steps))
                return found.images[:, 0].permute(0, 3, 1, 2) / 255

            taken, images = timed(ours)
            value = judge(model, units, images)
            reached = torch.where(value >= wanted, taken, reached)
            seconds.setdefault(str(steps), []).append(taken)
            share.setdefault(str(steps), []).extend((value / wanted).tolist())
        never += int(reached.isinf().sum())
        faster += (spent / reached).tolist()
    settings = {"model": options.model, "blocks": options.blocks, "each": options.each}
    report = {"benchmark": "quality_time", **settings, "precision": make_recipe(model).precision}
    curve = [
        {
            "steps": int(steps),
            "seconds": round(sum(seconds[steps]), 2),
            "over_lucent": round(statistics.median(values), 3),
            "reach_lucent": round(statistics.fmean(value >= 1 for value in values), 3),
        }
        for steps, values in sorted(share.items(), key=lambda item: int(item[0]))
    ]
    results = {
        "lucent_seconds": round(sum(seconds["lucent"]), 2),
        "times_faster": round(statistics.median(faster), 2),
        "times_faster_quartiles": [round(q, 2) for q in statistics.quantiles(faster)[::2]],
        "never_reached": never,
        "curve": curve,
    }
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
