"""Effect of each part of a recipe on the images of the same units.

``python -m benchmarks.recipes STORES`` renders the same cross-patch neurons of ``cueworld/vit``
with every recipe, each into a store in the folder STORES (an interrupted run resumes), and prints
one JSON line. ``--table FILE`` and ``--sheet FILE`` also write the results for the docs. It takes
about 20 minutes on one thread. ``--model``, ``--data``, ``--units`` and ``--recipes`` choose
others.

Reported for each recipe, over all images:

- ``beats_natural``: share of images whose activation exceeds that of the best natural image;
- ``times_natural``: median of (activation - mean) / (best - mean), where mean and best are those of
  the unit over natural images;
- ``held_out``: the same for the activation on held-out augmentations of the image
  (`featviz.analysis.scores.held_out_views`); with units of several kinds, also for each kind;
- ``fine_share``, ``grid_share``: see `featviz.analysis.scores.metrics`;
- ``agreement``: cosine between two images of a unit from different starts. Each is represented by
  the input of the unit's layer, averaged over tokens, minus its mean over natural images;
- ``others``: the same cosine between images of different units of a layer, which is also high if
  a recipe makes all images look alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
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
from featviz._util.images import from_uint8, resize
from featviz.activations.readout import Readout
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.scores.metrics import fine_share, grid_share
from featviz.data.datasets import Dataset, open_data
from featviz.models.hooks import eval_mode
from featviz.models.token_grid import patch_size
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.optimize import PaddedImage
from featviz.optimization.presets import PRESETS
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.fourier import spectrum_scale
from featviz.rendering.job import render_to_store

MODEL = "cueworld/vit"
DATA = "cueworld"
UNITS = [f"blocks.{block}.mlp.fc1:0-1" for block in (1, 3, 5, 7, 9, 11)]
# Starts of each unit.
SAMPLES = 2
DECAYS = (1.0, 1.5, 1.75, 2.0)
COLUMNS = {
    "beats_natural": "beats natural",
    "times_natural": "times natural",
    "held_out": "held out",
    "fine_share": "fine share",
    "grid_share": "grid share",
    "agreement": "agreement",
    "others": "of others",
}
# Of the sheet, in pixels.
THUMBNAIL, LABEL, HEAD, GAP = 72, 190, 24, 3


@dataclass(frozen=True)
class Reference:
    """Activations of the units on natural images.

    Attributes
    ----------
    mean, best : dict of str to float
        Mean and highest activation of each unit, by its address.
    inputs : dict of str to Tensor
        Mean features (channels,) of each site, averaged over tokens.
    """

    mean: dict[str, float]
    best: dict[str, float]
    inputs: dict[str, Tensor]


def recipes(model: featviz.VisionModel, steps: int, data: str = DATA) -> dict[str, Recipe]:
    """Return all recipes by name: parametrization, augmentation, decay, and other changes.

    The learning rate of Fourier images is scaled by the inverse norm of their spectrum, so that one
    step changes images of any decay by as much as the preset's.
    """
    augmentations = {
        "none": Augmentation(),
        **{name: make_recipe(model, preset=name).augmentation for name in ("cnn", "vit")},
    }

    def base(param: str, preset: str = "vit", spectrum: str | None = None) -> Recipe:
        recipe = make_recipe(
            model,
            preset=preset,
            param=param,
            spectrum=spectrum,
            samples=SAMPLES,
            diversity=0,
            steps=steps,
            frequency_schedule=0,
        )
        return replace(recipe, cooldown=1.0)

    pixel, natural = base("pixel", "naive"), base("maco", spectrum=data)
    falling = {param: base(param) for param in ("fourier", "maco")}
    side = PaddedImage(falling["fourier"], model.image_size).input_side
    norm = {decay: float(spectrum_scale(side, side, decay).norm()) for decay in DECAYS}
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
    preset = PRESETS["vit"]
    made["fourier, vit, 1.75, progressive, cooldown"] = replace(
        made["fourier, vit, 1.75"],
        frequency_schedule=preset.frequency_schedule,
        cooldown=preset.cooldown,
    )
    torch_betas = replace(made["fourier, vit, 1.75"], betas=Recipe.betas)
    made["fourier, vit, 1.75, usual betas"] = torch_betas
    return dict(sorted(made.items(), key=lambda item: item[0].split(", ")[:2]))


def by_site(units: list[featviz.Unit]) -> dict[str, list[featviz.Unit]]:
    """Return the units of each site, in their order."""
    sites: dict[str, list[featviz.Unit]] = {}
    for unit in units:
        sites.setdefault(unit.site, []).append(unit)
    return sites


def mean_features(model: featviz.VisionModel, unit: featviz.Unit, images: Tensor) -> Tensor:
    """Input (N, channels) of a unit's layer for images (N, 3, H, W), averaged over tokens."""
    with torch.no_grad(), eval_mode(model.module):
        return Readout(model, [unit] * len(images)).read_pairs(images).features.mean(1)


def measure_natural(
    model: featviz.VisionModel, units: list[featviz.Unit], data: Dataset
) -> Reference:
    """Measure the units on natural images."""
    readout, values = featviz.readout(model, units), []
    first = {site: members[0] for site, members in by_site(units).items()}
    sums = dict.fromkeys(first, torch.zeros(()))
    with torch.no_grad():
        for images, _ in data.batches(model.image_size):
            values.append(readout(images))
            sums = {
                site: total + mean_features(model, first[site], images).sum(0)
                for site, total in sums.items()
            }
    activations, names = torch.cat(values), list(map(str, units))
    return Reference(
        dict(zip(names, activations.mean(0).tolist(), strict=True)),
        dict(zip(names, activations.amax(0).tolist(), strict=True)),
        {site: total / len(data) for site, total in sums.items()},
    )


def kind(unit: featviz.Unit) -> str:
    """Return what a unit is, without its block and index: ``mlp.fc1@cls``."""
    token = "" if unit.token is None else f"@{unit.token}"
    return re.sub(r"^blocks\.\d+\.", "", unit.site) + token


def measure_recipe(
    model: featviz.VisionModel, units: list[featviz.Unit], store: featviz.Store, natural: Reference
) -> dict[str, float]:
    """Measure the images that a recipe made of the units."""

    def times(unit: featviz.Unit, values: list[float]) -> list[float]:
        mean, best = natural.mean[str(unit)], natural.best[str(unit)]
        return [(value - mean) / (best - mean) for value in values]

    rows = {unit: store.row(str(unit)) for unit in units}
    reached = [
        each for unit, row in rows.items() for each in times(unit, row["activation"].tolist())
    ]
    pictures = [picture for row in rows.values() for picture in row["images"]]
    own, others = list[float](), list[float]()
    held: dict[str, list[float]] = {kind(unit): [] for unit in units}
    for site, members in by_site(units).items():
        made = np.concatenate([rows[unit]["images"] for unit in members])
        images = resize(from_uint8(torch.from_numpy(made)), model.image_size)
        features = mean_features(model, members[0], images) - natural.inputs[site]
        pair = cosines(features)
        own, others = own + pair[0], others + pair[1]
        readout = Readout(model, [unit for unit in members for _ in range(SAMPLES)])
        with torch.no_grad():
            values = torch.stack([readout.paired(view) for view in held_out(images)]).mean(0)
        for unit, each in zip(members, values.view(-1, SAMPLES).tolist(), strict=True):
            held[kind(unit)] += times(unit, each)
    kinds = {f"held_out {name}": statistics.median(values) for name, values in held.items()}
    return {
        "beats_natural": statistics.fmean(value > 1 for value in reached),
        "times_natural": statistics.median(reached),
        "held_out": statistics.median(itertools.chain(*held.values())),
        "fine_share": statistics.fmean(map(fine_share, pictures)),
        "grid_share": statistics.fmean(grid_share(each, patch_size(model)) for each in pictures),
        "agreement": statistics.fmean(own),
        "others": statistics.fmean(others),
    } | (kinds if len(kinds) > 1 else {})


def cosines(vectors: Tensor) -> tuple[list[float], list[float]]:
    """Return the cosines between vectors of the same unit and of different units.

    Parameters
    ----------
    vectors : Tensor, shape (2 * units, channels)
        Two consecutive rows belong to one unit.

    Returns
    -------
    own : list of float
        Between the two vectors of each unit.
    others : list of float
        Between any two vectors of different units.
    """
    directions = F.normalize(vectors, dim=1)
    every = (directions @ directions.T).tolist()
    own, others = list[float](), list[float]()
    for one, other in itertools.combinations(range(len(vectors)), 2):
        (own if one // 2 == other // 2 else others).append(every[one][other])
    return own, others


def table(results: dict[str, dict[str, float]]) -> str:
    """Format results as a Markdown table."""
    columns = {key: COLUMNS.get(key, key.replace("_", " ")) for key in next(iter(results.values()))}
    lines = [f"| recipe | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for name, result in results.items():
        cells = (
            f"{result[key]:.2g}" if "share" in key else f"{result[key]:.2f}" for key in columns
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sheet(stores: dict[str, featviz.Store], units: list[featviz.Unit]) -> Image.Image:
    """Draw the first image of the same units, one row per recipe, in two columns of rows."""
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
                title = f"{unit.site} {'' if unit.token is None else unit.token}"
                title = title.replace("blocks.", "").replace(".mlp.fc1", "")
                draw.text((x, HEAD - 6), title, "black", font, anchor="ls")
            picture: NDArray[np.uint8] = store.row(str(unit))["images"][0]
            small = Image.fromarray(picture).resize(
                (THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS
            )
            whole.paste(small, (x, top))
    return whole


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stores", type=Path, help="folder for the stores")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--arch", help="of a file of weights")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--units", nargs="+", default=UNITS, help="selectors")
    parser.add_argument("--recipes", nargs="+", help="names, default: all")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--data", default=DATA, help="natural images")
    parser.add_argument("--natural", type=int, default=2000, help="number of natural images")
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    parser.add_argument("--sheet", type=Path, help="image file to write")
    options = parser.parse_args()
    model = featviz.load(
        options.model, device="cpu", arch=options.arch, image_size=options.image_size
    )
    units = [unit for selector in options.units for unit in featviz.units(model, selector)]
    made = recipes(model, options.steps, options.data)
    stores = {}
    for name in options.recipes or made:
        stores[name] = options.stores / name.replace(", ", "-")
        render_to_store(model, units, made[name], stores[name])
    data = open_data(f"{DATA}:{options.natural}" if options.data == DATA else options.data)
    natural = measure_natural(model, units, data)
    opened = {name: featviz.Store(path) for name, path in stores.items()}
    results = {name: measure_recipe(model, units, store, natural) for name, store in opened.items()}
    if options.table:
        options.table.write_text(table(results))
    if options.sheet:
        first = {(unit.site, kind(unit)): unit for unit in reversed(units)}
        sheet(opened, [*reversed(first.values())]).save(options.sheet, quality=80)
    settings = {"units": len(units), "steps": options.steps, "natural": len(data)}
    report = {"benchmark": "recipes", "model": options.model, **settings, "machine": describe()}
    rounded = [
        {"recipe": name} | {key: round(value, 4) for key, value in result.items()}
        for name, result in results.items()
    ]
    print(json.dumps({**report, "results": rounded}))


if __name__ == "__main__":
    main()
