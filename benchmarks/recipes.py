"""Effect of each part of a recipe on the images of known neurons.

``python -m benchmarks.recipes STORES`` renders the same cross-patch neurons of ``cueworld/vit``
with every recipe, each into a store in the folder STORES (an interrupted run resumes), and prints
one JSON line. ``--table FILE`` and ``--sheet FILE`` also write the results for the docs. It takes
about 20 minutes on one thread.

Reported for each recipe, over all images:

- ``beats_natural``: share of images whose activation exceeds that of the best natural image;
- ``times_natural``: median of (activation - mean) / (best - mean), where mean and best are those of
  the neuron over natural images;
- ``fine_share``, ``grid_share``: see `featviz.analysis.scores.metrics`;
- ``agreement``: cosine between two images of a neuron from different starts. Each is represented by
  the input of the neuron's layer, averaged over tokens, minus its mean over natural images;
- ``others``: the same cosine between images of different neurons of a layer, which is also high if
  a recipe makes all images look alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import featviz
from benchmarks.machine import describe
from featviz.analysis.scores.metrics import fine_share, grid_share
from featviz.data.datasets import Dataset, open_data
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.fourier import spectrum_scale
from featviz.rendering.job import render_to_store

MODEL = "cueworld/vit"
DATA = "cueworld"
BLOCKS = (1, 3, 5, 7, 9, 11)
DECAYS = (1.0, 1.5, 1.75, 2.0)
COLUMNS = {
    "beats_natural": "beats natural",
    "times_natural": "times natural",
    "fine_share": "fine share",
    "grid_share": "grid share",
    "agreement": "agreement",
    "others": "of others",
}
# Side of the padded image of a picture of cueworld/vit, in pixels.
SIDE = 160
# Of the sheet, in pixels.
THUMBNAIL, LABEL, HEAD, GAP = 72, 190, 24, 3


@dataclass(frozen=True)
class Reference:
    """Activations of the neurons on natural images.

    Attributes
    ----------
    mean, best : dict of str to float
        Mean and highest activation of each neuron, by its address.
    inputs : dict of str to Tensor
        Mean input (channels,) of each layer.
    """

    mean: dict[str, float]
    best: dict[str, float]
    inputs: dict[str, Tensor]


def recipes(model: featviz.VisionModel, steps: int) -> dict[str, Recipe]:
    """Return all recipes by name: parametrization, augmentation, decay, and other changes.

    The learning rate of Fourier images is scaled by the inverse norm of their spectrum, so that one
    step changes images of any decay by as much as the preset's.
    """
    augmentations = {
        "none": Augmentation(),
        **{name: make_recipe(model, preset=name).augmentation for name in ("cnn", "vit")},
    }

    def base(param: str, preset: str = "vit", spectrum: str | None = None) -> Recipe:
        return make_recipe(
            model,
            preset=preset,
            param=param,
            spectrum=spectrum,
            samples=2,
            diversity=0,
            steps=steps,
            frequency_schedule=0,
        )

    pixel, natural = base("pixel", "naive"), base("maco", spectrum=DATA)
    falling = {param: base(param) for param in ("fourier", "maco")}
    norm = {decay: float(spectrum_scale(SIDE, SIDE, decay).norm()) for decay in DECAYS}
    made = {}
    for name, augmentation in augmentations.items():
        made[f"pixel, {name}"] = replace(pixel, augmentation=augmentation)
        for (param, like), decay in itertools.product(falling.items(), DECAYS):
            factor = norm[like.decay] / norm[decay] if param == "fourier" else 1.0
            made[f"{param}, {name}, {decay:g}"] = replace(
                like,
                augmentation=augmentation,
                decay=decay,
                learning_rate=like.learning_rate * factor,
            )
        made[f"maco, {name}, data"] = replace(natural, augmentation=augmentation)
    for name in ("fourier, vit, 1.75", "fourier, vit, 1", "maco, vit, data"):
        made[f"{name}, progressive"] = replace(made[name], frequency_schedule=0.5)
    torch_betas = replace(made["fourier, vit, 1.75"], betas=Recipe.betas)
    made["fourier, vit, 1.75, usual betas"] = torch_betas
    return dict(sorted(made.items(), key=lambda item: item[0].split(", ")[:2]))


def layer_inputs(model: featviz.VisionModel, layer: str, images: Tensor) -> Tensor:
    """Input (N, channels) of a layer for images (N, 3, H, W), averaged over tokens."""
    means: list[Tensor] = []
    module = model.module.get_submodule(layer)
    hook = module.register_forward_pre_hook(lambda _, inputs: means.append(inputs[0].mean(1)))
    try:
        with torch.no_grad():
            model.module(model.normalize(images))
    finally:
        hook.remove()
    return means[0]


def measure_natural(
    model: featviz.VisionModel, units: list[featviz.Unit], data: Dataset
) -> Reference:
    """Measure the neurons on natural images."""
    readout, values = featviz.readout(model, units), []
    sums = {unit.site: torch.zeros(()) for unit in units}
    with torch.no_grad():
        for images, _ in data.batches(model.image_size):
            values.append(readout(images))
            sums = {
                layer: total + layer_inputs(model, layer, images).sum(0)
                for layer, total in sums.items()
            }
    activations, names = torch.cat(values), list(map(str, units))
    return Reference(
        dict(zip(names, activations.mean(0).tolist(), strict=True)),
        dict(zip(names, activations.amax(0).tolist(), strict=True)),
        {layer: total / len(data) for layer, total in sums.items()},
    )


def measure_recipe(
    model: featviz.VisionModel, units: list[featviz.Unit], store: featviz.Store, natural: Reference
) -> dict[str, float]:
    """Measure the images that a recipe made of the neurons."""
    rows = {str(unit): store.row(str(unit)) for unit in units}
    reached = [
        (value - natural.mean[name]) / (natural.best[name] - natural.mean[name])
        for name, row in rows.items()
        for value in row["activation"].tolist()
    ]
    pictures = [picture for row in rows.values() for picture in row["images"]]
    own, others = list[float](), list[float]()
    for layer, mean in natural.inputs.items():
        made = [rows[str(unit)]["images"] for unit in units if unit.site == layer]
        images = torch.from_numpy(np.concatenate(made)).permute(0, 3, 1, 2) / 255
        pair = cosines(layer_inputs(model, layer, images) - mean)
        own, others = own + pair[0], others + pair[1]
    return {
        "beats_natural": statistics.fmean(value > 1 for value in reached),
        "times_natural": statistics.median(reached),
        "fine_share": statistics.fmean(map(fine_share, pictures)),
        "grid_share": statistics.fmean(map(grid_share, pictures)),
        "agreement": statistics.fmean(own),
        "others": statistics.fmean(others),
    }


def cosines(vectors: Tensor) -> tuple[list[float], list[float]]:
    """Return the cosines between vectors of the same neuron and of different neurons.

    Parameters
    ----------
    vectors : Tensor, shape (2 * neurons, channels)
        Two consecutive rows belong to one neuron.

    Returns
    -------
    own : list of float
        Between the two vectors of each neuron.
    others : list of float
        Between any two vectors of different neurons.
    """
    directions = F.normalize(vectors, dim=1)
    every = (directions @ directions.T).tolist()
    own, others = list[float](), list[float]()
    for one, other in itertools.combinations(range(len(vectors)), 2):
        (own if one // 2 == other // 2 else others).append(every[one][other])
    return own, others


def table(results: dict[str, dict[str, float]]) -> str:
    """Format results as a Markdown table."""
    lines = [f"| recipe | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, result in results.items():
        cells = (
            f"{result[key]:.2g}" if "share" in key else f"{result[key]:.2f}" for key in COLUMNS
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sheet(stores: dict[str, featviz.Store], units: list[featviz.Unit]) -> Image.Image:
    """Draw the first image of the same neurons, one row per recipe, in two columns of rows."""
    rows, step = -(-len(stores) // 2), THUMBNAIL + GAP
    width = LABEL + step * len(units)
    whole = Image.new("RGB", (2 * width, HEAD + step * rows), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    for index, (name, store) in enumerate(stores.items()):
        half, row = divmod(index, rows)
        left, top = half * width, HEAD + row * step
        draw.text((left + 6, top + THUMBNAIL // 2), name, "black", font, anchor="lm")
        for column, unit in enumerate(units):
            x = left + LABEL + column * step
            if row == 0:
                block = unit.site.removesuffix(".mlp.fc1")
                draw.text((x, HEAD - 6), block, "black", font, anchor="ls")
            picture: NDArray[np.uint8] = store.row(str(unit))["images"][0]
            small = Image.fromarray(picture).resize(
                (THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS
            )
            whole.paste(small, (x, top))
    return whole


def neurons(each: int) -> list[featviz.Unit]:
    """Return the first `each` cross-patch neurons of every other block."""
    layers = [f"blocks.{block}.mlp.fc1" for block in BLOCKS]
    return [featviz.Unit(layer, index) for layer in layers for index in range(each)]


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stores", type=Path, help="folder for the stores")
    parser.add_argument("--neurons", type=int, default=2, help="neurons per block, at least 2")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--natural", type=int, default=2000, help="number of natural images")
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    parser.add_argument("--sheet", type=Path, help="image file to write")
    options = parser.parse_args()
    model = featviz.load(MODEL, device="cpu")
    units = neurons(options.neurons)
    stores = {}
    for name, recipe in recipes(model, options.steps).items():
        stores[name] = options.stores / name.replace(", ", "-")
        render_to_store(model, units, recipe, stores[name])
    natural = measure_natural(model, units, open_data(f"{DATA}:{options.natural}"))
    opened = {name: featviz.Store(path) for name, path in stores.items()}
    results = {name: measure_recipe(model, units, store, natural) for name, store in opened.items()}
    if options.table:
        options.table.write_text(table(results))
    if options.sheet:
        sheet(opened, units[:: options.neurons]).save(options.sheet, quality=80)
    settings = {"neurons": len(units), "steps": options.steps, "natural": options.natural}
    report = {"benchmark": "recipes", "model": MODEL, **settings, "machine": describe()}
    rounded = [
        {"recipe": name} | {key: round(value, 4) for key, value in result.items()}
        for name, result in results.items()
    ]
    print(json.dumps({**report, "results": rounded}))


if __name__ == "__main__":
    main()
