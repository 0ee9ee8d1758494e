"""Pictures a second of a whole job, for featviz and for Lucent.

``python -m benchmarks.bulk`` prints one JSON line. Both render the same neurons of every block,
with the same number of steps and at the same size, in one process, and leave the pictures on the
disk: featviz in a store, Lucent as PNG files. Lucent has a batch for each block; its views are its
own. Both are run in turn, several times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
from torchvision.utils import save_image

import featviz
from benchmarks import peer
from benchmarks.machine import describe
from featviz.optimization.recipe import make_recipe
from featviz.rendering.render import render_to_store

MODEL = "deit_small_patch16_224"


def ours(model: featviz.VisionModel, blocks: int, each: int, steps: int) -> float:
    """Render neurons of the first blocks with featviz, and return the seconds."""
    chosen = featviz.units(model, f"blocks.0-{blocks - 1}.mlp.fc1:0-{each - 1}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        render_to_store(model, chosen, make_recipe(model, steps=steps), Path(folder, "store"))
        return time.perf_counter() - start


def theirs(model: featviz.VisionModel, blocks: int, each: int, steps: int) -> float:
    """Render the same with Lucent, and return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for block in range(blocks):
            index = torch.arange(each)
            images = peer.render(model, block, index, steps, model.image_size)
            for number, image in enumerate(images):
                save_image(image, Path(folder, f"{block}-{number}.png"))
        return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL, help="untrained, if timm has to download it")
    parser.add_argument("--each", type=int, default=4, help="neurons of each block")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    # Lucent warns of torch's changes since; that is not what is measured.
    warnings.simplefilter("ignore")
    model = featviz.load(options.model, untrained=not options.model.startswith("cueworld/"))
    blocks = len(featviz.units(model, "blocks.all.mlp.fc1:0"))
    ways = {"featviz": ours, "lucent": theirs}
    for run in ways.values():
        run(model, 1, 1, 1)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, run in ways.items():
            taken[name].append(run(model, blocks, options.each, options.steps))
    count = options.each * blocks
    over = [b / a for a, b in zip(taken["featviz"], taken["lucent"], strict=True)]
    results = {
        name: {
            "images_per_second": round(count / statistics.median(seconds), 4),
            "seconds": round(statistics.median(seconds), 2),
            "spread_seconds": round(max(seconds) - min(seconds), 2),
        }
        for name, seconds in taken.items()
    }
    settings = {"model": options.model, "units": count, "steps": options.steps}
    report = {"benchmark": "bulk", **settings, "precision": make_recipe(model).precision}
    report |= {"machine": describe(), "results": results}
    print(json.dumps({**report, "featviz_over_lucent": round(statistics.median(over), 2)}))


if __name__ == "__main__":
    main()
