"""Comparison of two models: CKA of their layers, and pictures of matching units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featviz._util.progress import Progress, as_progress, part_of
from featviz.addressing.address import Unit
from featviz.analysis.compare.cka import MIN_IMAGES, cka_matrix
from featviz.analysis.compare.matching import Match, matchable_sites, matches
from featviz.analysis.compare.representations import representations
from featviz.errors import FeatvizError
from featviz.models.blocks.representations import find_layers
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import run, split
from featviz.store.jobs import JobSummary, open_writer, stored_configuration

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel

BATCH = 8
"""Matches that are rendered and stored together."""
DEFAULT_LAYERS, UNITS_PER_LAYER = 8, 4
"""Number of layers, and of units in each, that `default_units` chooses."""


@dataclass(frozen=True)
class LayerSimilarity:
    """Similarity of the layers of two models.

    Attributes
    ----------
    layers_a, layers_b : list of str
        Module paths in forward order; see `featviz.models.blocks.representations.find_layers`.
    values : float64 array, shape (layers of A, layers of B)
        Debiased linear CKA, in [-1, 1]; see `featviz.analysis.compare.cka`.
    """

    layers_a: list[str]
    layers_b: list[str]
    values: npt.NDArray[np.float64]


def layer_similarity(
    model_a: VisionModel,
    model_b: VisionModel,
    dataset: Dataset,
    count: int | None = None,
    batch: int = 64,
) -> LayerSimilarity:
    """Compare every layer of one model with every layer of another over a dataset.

    A layer is represented by its mean output over patches or positions.

    Parameters
    ----------
    model_a, model_b : VisionModel
        Each receives the images at its own size.
    dataset : Dataset
    count : int, optional
        Number of images; all if not given. See `Dataset.indices` for which.
    batch : int
        Images in one forward pass.

    Returns
    -------
    LayerSimilarity

    Raises
    ------
    FeatvizError
        If there are fewer than 4 images, or one cannot be read.
    """
    a, b = (
        representations(model, dataset, find_layers(model), count, batch)
        for model in (model_a, model_b)
    )
    values = cka_matrix(list(a.values()), list(b.values())).numpy()
    return LayerSimilarity(list(a), list(b), values)


def default_units(model: VisionModel) -> list[Unit]:
    """Choose units that represent a whole model: the first 4 of each of 8 layers.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    list of Unit
        Of evenly spaced layers, from the first to the last of the hidden layers of MLPs
        (``mlp.fc1``), or of the layers with a grid of positions in a model without MLPs.
    """
    layers = [site for site in model.sites.values() if site.kind == "layer" and site.grid]
    hidden = [site for site in layers if site.path.endswith("mlp.fc1")] or layers
    count = min(DEFAULT_LAYERS, len(hidden))
    return [
        Unit(hidden[layer].path, index)
        for layer in np.linspace(0, len(hidden) - 1, count).round().astype(int)
        for index in range(min(UNITS_PER_LAYER, hidden[layer].width))
    ]


def compare_to_store(
    model_a: VisionModel,
    model_b: VisionModel,
    dataset: Dataset,
    chosen: Sequence[Unit],
    recipes: tuple[Recipe, Recipe],
    store: str | Path,
    count: int | None = None,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Store the similarity of all layers, and units with their matches, both rendered.

    Results that the store holds are not computed again. Eight matches are stored at a time.

    Parameters
    ----------
    model_a, model_b : VisionModel
        The store is of `model_a`.
    dataset : Dataset
    chosen : sequence of Unit
        Of `model_a`; see `featviz.analysis.compare.matching.matches`.
    recipes : (Recipe, Recipe)
        Recipes for either model, with one sample each and the same size.
    store : str or Path
        A folder; created if it does not exist.
    count : int, optional
        Number of images of the dataset; all if not given. See `Dataset.indices` for which.
    force : bool
        Set a store of other models, data or settings aside; see
        `featviz.rendering.job.render_to_store`.
    progress : callable or bool
        True shows a progress bar. A function is called with the number of pictures finished and in
        all.

    Returns
    -------
    JobSummary
        Of the matches; ``others["layers"]`` is the number of layers stored by this call. A match
        fails if one of its pictures does.

    Raises
    ------
    FeatvizError
        If the recipes differ in size or have several samples, units cannot be matched, an image
        cannot be read, or the store is of other models, data or settings, damaged, or cannot be
        written.
    """
    progress = as_progress(progress)
    if recipes[0].size != recipes[1].size:
        raise FeatvizError(
            "the recipes of both models must have the same size, got "
            f"{recipes[0].size} and {recipes[1].size}"
        )
    if any(recipe.samples != 1 for recipe in recipes):
        raise FeatvizError("the recipes of both models must have one sample")
    recorded = None if force else stored_configuration(store, "cka")
    dataset = dataset.readable(dataset.indices(count), recorded)
    images = len(dataset.indices(count))
    if images < MIN_IMAGES:
        raise FeatvizError(f"comparing layers takes at least {MIN_IMAGES} images, not {images}")
    wanted = matchable_sites(model_a, chosen)
    common = {
        "other": {
            "model": model_b.name,
            "fingerprint": model_b.fingerprint,
            **model_b.load_options.to_json(),
        },
        **dataset.configuration(images),
    }
    layers = {"own_layers": find_layers(model_a), "layers": find_layers(model_b)}
    writer = open_writer(model_a, store, "cka", common | layers, force)
    recipe = {"a": recipes[0].to_json(), "b": recipes[1].to_json()}
    match_writer = open_writer(model_a, store, "matches", common | {"recipes": recipe}, force)
    new = [layer for layer in layers["own_layers"] if layer not in writer.done]
    if new:
        found = layer_similarity(model_a, model_b, dataset, count)
        values = found.values.astype(np.float32)
        writer.add({"address": found.layers_a, "similarity": values})
    missing = [unit for unit in wanted if str(unit) not in match_writer.done]
    stored, failures = 0, dict[str, str]()
    matched = matches(model_a, model_b, missing, dataset, count) if missing else []
    for rows, failed in _render_matches(model_a, model_b, matched, recipes, progress):
        if rows["address"]:
            match_writer.add(rows)
            stored += len(rows["address"])
        if failed:
            match_writer.add({"address": list(failed), "error": list(failed.values())}, "failures")
            failures |= failed
    return JobSummary(
        stored,
        len(wanted) - len(missing),
        failures,
        {"layers": len(new)},
        unreadable=tuple(dataset.left_out.values()),
    )


def _render_matches(
    model_a: VisionModel,
    model_b: VisionModel,
    matched: Sequence[Match],
    recipes: tuple[Recipe, Recipe],
    progress: Progress,
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Render both units of each match, a batch at a time: rows to store, and failures."""
    total = 2 * len(matched)
    for start in range(0, len(matched), BATCH):
        some = matched[start : start + BATCH]
        count = len(some)
        units_a, units_b = [match.unit for match in some], [match.match for match in some]
        report_a = part_of(progress, 2 * start, count, total)
        pictures_a, failed_a = _render(model_a, units_a, recipes[0], report_a)
        report_b = part_of(progress, 2 * start + count, count, total)
        pictures_b, failed_b = _render(model_b, units_b, recipes[1], report_b)
        failures = {
            str(match.unit): reason
            for match in some
            if (reason := failed_a.get(match.unit) or failed_b.get(match.match))
        }
        complete = [match for match in some if str(match.unit) not in failures]
        pairs = [(pictures_a[match.unit], pictures_b[match.match]) for match in complete]
        rows = {
            "address": [str(match.unit) for match in complete],
            "match": [str(match.match) for match in complete],
            "correlation": np.array([match.correlation for match in complete], np.float32),
            "images": np.array([[a.image, b.image] for a, b in pairs], np.uint8),
            "activation": np.array([[a.activation, b.activation] for a, b in pairs], np.float32),
        }
        yield rows, failures


@dataclass(frozen=True)
class _Picture:
    image: npt.NDArray[np.uint8]
    activation: float


def _render(
    model: VisionModel, units: Sequence[Unit], recipe: Recipe, progress: Progress
) -> tuple[dict[Unit, _Picture], dict[Unit, str]]:
    """Render units, without duplicates: their pictures, and the reasons why others failed."""
    found: dict[Unit, _Picture] = {}
    failures: dict[Unit, str] = {}
    batches = split(model, list(dict.fromkeys(units)), BATCH)
    for outcome in run(model, batches, recipe, progress):
        failures |= outcome.failures
        if outcome.pictures is not None:
            images = outcome.pictures.images[:, 0].numpy()
            values = outcome.pictures.activation[:, 0].tolist()
            found |= dict(zip(outcome.units, map(_Picture, images, values), strict=True))
    return found, failures
