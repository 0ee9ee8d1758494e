"""Effect of changing one setting of the presets at a time.

``python -m benchmarks.defaults`` prints one JSON line. For cueworld's models it reports
``held_out``, the activation on held-out augmentations (`featviz.analysis.scores.held_out_views`)
relative to that with the preset, as the median over units; ``better``, the share of units whose
held-out activation is higher; and ``fine_share``, the mean share of the energy at high frequencies.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import replace

import featviz
from benchmarks.machine import describe
from benchmarks.quality_time import held_out_activation
from featviz.analysis.scores.metrics import fine_share
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe, make_recipe

LAYERS = {
    "cueworld/vit": [f"blocks.{block}.mlp.fc1" for block in (1, 3, 5, 7, 9, 11)],
    "cueworld/mixer": [f"blocks.{block}.mlp_channels.fc1" for block in (1, 3, 5, 7)],
    "cueworld/resnet": [f"layer{stage}.{block}.conv2" for stage in (2, 3, 4) for block in (0, 1)],
}


def variants(preset: Recipe) -> dict[str, Recipe]:
    """Return recipes with one setting changed, by name; the first is that of the preset."""
    return {
        "preset": preset,
        "half the steps": replace(preset, steps=preset.steps // 2),
        "twice the steps": replace(preset, steps=preset.steps * 2),
        "half the learning rate": replace(preset, learning_rate=preset.learning_rate / 2),
        "twice the learning rate": replace(preset, learning_rate=preset.learning_rate * 2),
        "torch's betas": replace(preset, betas=Recipe.betas),
        **{
            f"frequency schedule {share:g}": replace(preset, frequency_schedule=share)
            for share in (0.0, 0.25, 0.5, 1.0)
            if share != preset.frequency_schedule
        },
    }


def measure(
    model: featviz.VisionModel, layers: list[str], each: int, steps: int
) -> Iterator[dict[str, str | float]]:
    """Render the same units with each variant, and yield the results of one variant at a time."""
    values: dict[str, list[float]] = {}
    fine: dict[str, list[float]] = {}
    for layer in layers:
        units = featviz.units(model, f"{layer}:0-{each - 1}")
        for name, recipe in variants(make_recipe(model, steps=steps)).items():
            images = optimize(model, units, recipe).images[:, 0]
            activation = held_out_activation(model, units, images.permute(0, 3, 1, 2) / 255)
            values.setdefault(name, []).extend(activation.tolist())
            fine.setdefault(name, []).extend(map(fine_share, images.numpy()))
    for name, activations in values.items():
        ratios = [own / other for own, other in zip(activations, values["preset"], strict=True)]
        yield {
            "settings": name,
            "held_out": round(statistics.median(ratios), 3),
            "better": round(statistics.fmean(ratio > 1 for ratio in ratios), 3),
            "fine_share": round(statistics.fmean(fine[name]), 4),
        }


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=6, help="units per layer")
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    results = {
        name: list(measure(featviz.load(name), layers, options.each, options.steps))
        for name, layers in LAYERS.items()
    }
    report = {"benchmark": "defaults", "each": options.each, "steps": options.steps}
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
