"""Images per second of a whole job, for featviz and for Lucent.

``python -m benchmarks.bulk`` prints one JSON line. Both render the same neurons of every block with
the same number of steps and the same image size, in one process, and write the images to disk:
featviz into a store, Lucent as PNG files. Lucent renders one batch per block with its own
augmentations. The two alternate for several rounds.
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
from featviz.rendering.job import render_to_store

MODEL = "deit_small_patch16_224"


def time_featviz(model: featviz.VisionModel, blocks: int, each: int, steps: int) -> float:
    """Render `each` neurons of each of the first blocks with featviz; return the seconds."""
    units = featviz.units(model, f"blocks.0-{blocks - 1}.mlp.fc1:0-{each - 1}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        render_to_store(model, units, make_recipe(model, steps=steps), Path(folder, "store"))
        return time.perf_counter() - start


def time_lucent(model: featviz.VisionModel, blocks: int, each: int, steps: int) -> float:
    """Render the same neurons with Lucent; return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for block in range(blocks):
            index = torch.arange(each)
            images = peer.render(model, block, index, steps, model.image_size)
            for neuron, image in enumerate(images):
                save_image(image, Path(folder, f"{block}-{neuron}.png"))
        return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default=MODEL, help="untrained, unless it is a model of cueworld"
    )
    parser.add_argument("--each", type=int, default=4, help="neurons per block")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    # Lucent uses deprecated functions of torch.
    warnings.simplefilter("ignore")
    model = featviz.load(options.model, untrained=not options.model.startswith("cueworld/"))
    blocks = len(featviz.units(model, "blocks.all.mlp.fc1:0"))
    contenders = {"featviz": time_featviz, "lucent": time_lucent}
    for run in contenders.values():
        run(model, 1, 1, 1)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, run in contenders.items():
            times[name].append(run(model, blocks, options.each, options.steps))
    count = options.each * blocks
    speedups = [b / a for a, b in zip(times["featviz"], times["lucent"], strict=True)]
    results = {
        name: {
            "images_per_second": round(count / statistics.median(seconds), 4),
            "seconds": round(statistics.median(seconds), 2),
            "spread_seconds": round(max(seconds) - min(seconds), 2),
        }
        for name, seconds in times.items()
    }
    settings = {"model": options.model, "units": count, "steps": options.steps}
    report = {"benchmark": "bulk", **settings, "precision": make_recipe(model).precision}
    report |= {"machine": describe(), "results": results}
    print(json.dumps({**report, "featviz_over_lucent": round(statistics.median(speedups), 2)}))


if __name__ == "__main__":
    main()
