"""Quality of images rendered in bfloat16; for their speed see `benchmarks.step`.

``python -m benchmarks.precision`` prints one JSON line. The same neurons are rendered in both
precisions, from the same starts and with the same augmentations. All activations are those of the
float32 model: ``value`` on the image itself, ``held_out`` on held-out augmentations.
"""

from __future__ import annotations

import argparse
import json
import statistics

import numpy as np

import featviz
from benchmarks.machine import describe
from benchmarks.quality_time import held_out_activation
from featviz.analysis.scores.metrics import fine_share, grid_share
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe

MODEL = "cueworld/vit"
PRECISIONS = ("float32", "bfloat16")


def measure(
    model: featviz.VisionModel, units: list[featviz.Unit], precision: str, steps: int
) -> dict[str, list[float]]:
    """Render units of one layer; return the measures of each image by name."""
    pictures = optimize(model, units, make_recipe(model, steps=steps, precision=precision))
    images = pictures.images[:, 0]
    return {
        "value": pictures.activation[:, 0].tolist(),
        "held_out": held_out_activation(model, units, images.permute(0, 3, 1, 2) / 255).tolist(),
        "fine_share": [fine_share(image) for image in images.numpy()],
        "grid_share": [grid_share(image) for image in images.numpy()],
    }


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default=MODEL, help="untrained, unless it is a model of cueworld"
    )
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 3, 5, 7, 9, 11])
    parser.add_argument("--each", type=int, default=4, help="neurons per block")
    parser.add_argument("--steps", type=int, default=512)
    options = parser.parse_args()
    model = featviz.load(options.model, untrained=not options.model.startswith("cueworld/"))
    found: dict[str, dict[str, list[float]]] = {name: {} for name in PRECISIONS}
    for block in options.blocks:
        units = featviz.units(model, f"blocks.{block}.mlp.fc1:0-{options.each - 1}")
        for name in PRECISIONS:
            for key, values in measure(model, units, name, options.steps).items():
                found[name].setdefault(key, []).extend(values)
    table = {
        name: {key: round(statistics.fmean(values), 5) for key, values in measures.items()}
        for name, measures in found.items()
    }
    full, half = (found[name] for name in PRECISIONS)
    ratios = {
        key: [round(float(q), 4) for q in np.quantile(np.divide(half[key], full[key]), (0, 0.5, 1))]
        for key in ("value", "held_out")
    }
    settings = {"model": options.model, "steps": options.steps, "units": len(full["value"])}
    report = {"benchmark": "precision", **settings, "machine": describe(), "results": table}
    print(json.dumps({**report, "bfloat16_over_float32_least_median_most": ratios}))


if __name__ == "__main__":
    main()
