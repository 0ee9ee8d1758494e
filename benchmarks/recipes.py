"""What each part of a recipe does to the pictures of known neurons.

``python -m benchmarks.recipes STORES`` renders the same cross-patch neurons of ``cueworld/vit`` by
every recipe, into a store each in the folder STORES (run again, it goes on), and prints one JSON
line. ``--table FILE`` and ``--sheet FILE`` also write its results for the docs. About 20 minutes
of one thread.

Of each recipe, over all pictures:

- ``beats_natural``: share of pictures that excite their neuron more than the best of the natural
  images does; ``times_natural``: how far they come from the neuron's mean over natural images,
  where the best of these comes to 1; the median;
- ``fine_share``, ``grid_share``: see `featviz.analysis.scores.metrics`;
- ``agreement``: whether two pictures of a neuron from two starts show the same. What the neuron's
  layer sees of a picture, in the mean over tokens and less its mean over natural images, is a
  vector; the cosine between those of the two pictures. ``others``: the same between pictures
  of different neurons of a layer, which a recipe that gives all pictures one look raises, too.
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
# Of the canvas: the picture and its margins.
SIDE = 160
THUMBNAIL, LABEL, HEAD, GAP = 72, 190, 24, 3


@dataclass(frozen=True)
class Reference:
    """What natural images do to the neurons.

    Attributes
    ----------
    mean, best : dict of str to float
        Mean and highest value of each neuron.
    inputs : dict of str to Tensor
        Mean input (channels,) of each layer.
    """

    mean: dict[str, float]
    best: dict[str, float]
    inputs: dict[str, Tensor]


def recipes(model: featviz.VisionModel, steps: int) -> dict[str, Recipe]:
    """Make every recipe, by its name: images, views and decay; whether it is progressive; betas.

    Fourier images of every decay get the learning rate with which one step can change them by as
    much as the preset's do at the preset's decay: it goes with the inverse of the weights' norm.
    """
    views = {
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
    for name, chosen in views.items():
        made[f"pixel, {name}"] = replace(pixel, augmentation=chosen)
        for (param, like), decay in itertools.product(falling.items(), DECAYS):
            factor = norm[like.decay] / norm[decay] if param == "fourier" else 1.0
            made[f"{param}, {name}, {decay:g}"] = replace(
                like, augmentation=chosen, decay=decay, learning_rate=like.learning_rate * factor
            )
        made[f"maco, {name}, data"] = replace(natural, augmentation=chosen)
    for name in ("fourier, vit, 1.75", "fourier, vit, 1", "maco, vit, data"):
        made[f"{name}, progressive"] = replace(made[name], frequency_schedule=0.5)
    usual = replace(made["fourier, vit, 1.75"], betas=Recipe.betas)
    made["fourier, vit, 1.75, usual betas"] = usual
    return dict(sorted(made.items(), key=lambda item: item[0].split(", ")[:2]))


def inputs(model: featviz.VisionModel, layer: str, images: Tensor) -> Tensor:
    """Mean over tokens of what a layer is given of images (N, 3, H, W): (N, channels)."""
    seen: list[Tensor] = []
    owner = model.module.get_submodule(layer)
    hook = owner.register_forward_pre_hook(lambda _, given: seen.append(given[0].mean(1)))
    try:
        with torch.no_grad():
            model.module(model.normalize(images))
    finally:
        hook.remove()
    return seen[0]


def look(model: featviz.VisionModel, units: list[featviz.Unit], data: Dataset) -> Reference:
    """Show natural images to the neurons."""
    readout, values = featviz.readout(model, units), []
    sums = {unit.site: torch.zeros(()) for unit in units}
    with torch.no_grad():
        for images, _ in data.batches(model.image_size):
            values.append(readout(images))
            sums = {
                layer: total + inputs(model, layer, images).sum(0) for layer, total in sums.items()
            }
    every, names = torch.cat(values), list(map(str, units))
    return Reference(
        dict(zip(names, every.mean(0).tolist(), strict=True)),
        dict(zip(names, every.amax(0).tolist(), strict=True)),
        {layer: total / len(data) for layer, total in sums.items()},
    )


def judge(
    model: featviz.VisionModel, units: list[featviz.Unit], store: featviz.Store, natural: Reference
) -> dict[str, float]:
    """Measure the pictures that a recipe made of the neurons."""
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
        of_layer = cosines(inputs(model, layer, images) - mean)
        own, others = own + of_layer[0], others + of_layer[1]
    return {
        "beats_natural": statistics.fmean(value > 1 for value in reached),
        "times_natural": statistics.median(reached),
        "fine_share": statistics.fmean(map(fine_share, pictures)),
        "grid_share": statistics.fmean(map(grid_share, pictures)),
        "agreement": statistics.fmean(own),
        "others": statistics.fmean(others),
    }


def cosines(seen: Tensor) -> tuple[list[float], list[float]]:
    """Cosines between (2 * neurons, channels), of which two in turn are of one neuron.

    Returns
    -------
    own : list of float
        Between the two of each neuron.
    others : list of float
        Between any two of different neurons.
    """
    directions = F.normalize(seen, dim=1)
    every = (directions @ directions.T).tolist()
    own, others = list[float](), list[float]()
    for one, other in itertools.combinations(range(len(seen)), 2):
        (own if one // 2 == other // 2 else others).append(every[one][other])
    return own, others


def table(results: dict[str, dict[str, float]]) -> str:
    """Write results as a table in Markdown."""
    lines = [f"| recipe | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, result in results.items():
        cells = (
            f"{result[key]:.2g}" if "share" in key else f"{result[key]:.2f}" for key in COLUMNS
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sheet(stores: dict[str, featviz.Store], units: list[featviz.Unit]) -> Image.Image:
    """Lay out the first picture of the same neurons, a row a recipe, in two halves side by side."""
    rows, step = -(-len(stores) // 2), THUMBNAIL + GAP
    width = LABEL + step * len(units)
    whole = Image.new("RGB", (2 * width, HEAD + step * rows), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    for number, (name, store) in enumerate(stores.items()):
        half, row = divmod(number, rows)
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
    """Choose the first cross-patch neurons of every other block."""
    layers = [f"blocks.{block}.mlp.fc1" for block in BLOCKS]
    return [featviz.Unit(layer, index) for layer in layers for index in range(each)]


def main() -> None:
    """Render, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stores", type=Path, help="a folder for the pictures")
    parser.add_argument("--neurons", type=int, default=2, help="in each block; at least 2")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--natural", type=int, default=2000, help="natural images to beat")
    parser.add_argument("--table", type=Path, help="a Markdown file to write")
    parser.add_argument("--sheet", type=Path, help="a picture to write")
    options = parser.parse_args()
    model = featviz.load(MODEL, device="cpu")
    units = neurons(options.neurons)
    stores = {}
    for name, made in recipes(model, options.steps).items():
        stores[name] = options.stores / name.replace(", ", "-")
        render_to_store(model, units, made, stores[name])
    natural = look(model, units, open_data(f"{DATA}:{options.natural}"))
    opened = {name: featviz.Store(path) for name, path in stores.items()}
    results = {name: judge(model, units, store, natural) for name, store in opened.items()}
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
