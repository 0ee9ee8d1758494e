"""Two models side by side: how alike their layers are, and which of their units match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.analysis.compare.cka import LEAST, cka_matrix
from featviz.analysis.compare.matching import Match, layers_of, matches
from featviz.analysis.compare.representations import representations
from featviz.errors import FeatvizError
from featviz.models.blocks import find_layers
from featviz.optimization.recipe import Recipe
from featviz.rendering.batches import run, split
from featviz.store.jobs import open_writer

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel

__all__ = ["Comparison", "Match", "Summary", "compare_to_store", "matches", "similarity"]

AT_ONCE = 8
"""Units that are rendered and stored together."""


@dataclass(frozen=True)
class Comparison:
    """How alike the layers of two models are.

    Attributes
    ----------
    layers_a, layers_b : list of str
        Module paths in forward order, see `featviz.models.blocks.find_layers`.
    values : float64 array, shape (layers of A, layers of B)
        Debiased linear CKA, in [-1, 1]; see `featviz.analysis.compare.cka`.
    """

    layers_a: list[str]
    layers_b: list[str]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    layers, rendered : int
        Layers and matched units stored by this call.
    done : int
        Matched units that the store held before.
    failures : dict of str to str
        Addresses of the units of which one picture failed in this call, and why.
    """

    layers: int
    rendered: int
    done: int
    failures: dict[str, str]


def similarity(
    model_a: VisionModel,
    model_b: VisionModel,
    dataset: Dataset,
    count: int | None = None,
    batch: int = 64,
) -> Comparison:
    """Compare every layer of one model with every layer of another over a dataset.

    A layer is represented by its output's mean over patches or places; both models see the
    same images, each at its own size.

    Parameters
    ----------
    count : int, optional
        How many images, see `Dataset.numbers`.
    batch : int
        Images at once.

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
    return Comparison(list(a), list(b), values)


def default_units(model: VisionModel) -> list[Unit]:
    """Choose units that show a whole model: the first 4 of each of 8 layers.

    The layers are evenly spaced, first and last included, among the hidden layers of MLPs
    (``mlp.fc1``), or where there are none among the convolutions.
    """
    layers = [site for site in model.sites.values() if site.kind == "layer" and site.grid]
    hidden = [site for site in layers if site.path.endswith("mlp.fc1")] or layers
    places = np.linspace(0, len(hidden) - 1, min(8, len(hidden))).round().astype(int)
    return [
        Unit(hidden[place].path, index)
        for place in places
        for index in range(min(4, hidden[place].width))
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
    progress: Progress = ignore,
) -> Summary:
    """Store the likeness of all layers, and units with their matches, both rendered.

    What the store holds already is left out. Eight units are stored at a time.

    Parameters
    ----------
    chosen : sequence of Unit
        Of `model_a`; see `featviz.analysis.compare.matching.matches`.
    recipes : (Recipe, Recipe)
        How the pictures of either model are made: of one sample and one size.
    count : int, optional
        How many images of the dataset, see `Dataset.numbers`.
    force : bool
        See `featviz.rendering.render.render_to_store`.

    Raises
    ------
    FeatvizError
        If the recipes differ in size or make several samples, the units cannot be matched, an
        image cannot be read, or the store is of other models, data or settings, damaged, or cannot
        be written.
    """
    if recipes[0].size != recipes[1].size or {recipe.samples for recipe in recipes} != {1}:
        raise FeatvizError("pictures are compared one by one, at one size")
    images = len(dataset.numbers(count))
    if images < LEAST:
        raise FeatvizError(f"comparing layers takes at least {LEAST} images, not {images}")
    wanted = layers_of(model_a, chosen)
    subject = {
        "other": {
            "model": model_b.name,
            "fingerprint": model_b.fingerprint,
            "untrained": model_b.untrained,
            "arch": model_b.arch,
        },
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "images": images,
    }
    layers = {"own_layers": find_layers(model_a), "layers": find_layers(model_b)}
    writer = open_writer(model_a, store, "cka", subject | layers, force)
    recipe = {"a": recipes[0].to_json(), "b": recipes[1].to_json()}
    pairs = open_writer(model_a, store, "matches", subject | {"recipes": recipe}, force)
    new = [layer for layer in layers["own_layers"] if layer not in writer.done]
    if new:
        found = similarity(model_a, model_b, dataset, count)
        values = found.values.astype(np.float32)
        writer.add({"address": found.layers_a, "similarity": values})
    missing = [unit for unit in wanted if str(unit) not in pairs.done]
    rendered, failures = 0, dict[str, str]()
    matched = matches(model_a, model_b, missing, dataset, count) if missing else []
    for rows, failed in _rendered(model_a, model_b, matched, recipes, progress):
        if rows["address"]:
            pairs.add(rows)
            rendered += len(rows["address"])
        if failed:
            pairs.add({"address": list(failed), "error": list(failed.values())}, "failures")
            failures |= failed
    return Summary(len(new), rendered, len(wanted) - len(missing), failures)


def _rendered(
    model_a: VisionModel,
    model_b: VisionModel,
    matched: Sequence[Match],
    recipes: tuple[Recipe, Recipe],
    progress: Progress,
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Render both units of each match, a few matches at a time: rows to store, and failures."""
    total = 2 * len(matched)
    for start in range(0, len(matched), AT_ONCE):
        some = matched[start : start + AT_ONCE]
        units_a, units_b = [match.unit for match in some], [match.match for match in some]
        told = _after(progress, 2 * start, total)
        here, failed = _pictures(model_a, units_a, recipes[0], told)
        told = _after(progress, 2 * start + len(some), total)
        there, failed_there = _pictures(model_b, units_b, recipes[1], told)
        failures = {
            str(match.unit): reason
            for match in some
            if (reason := failed.get(match.unit) or failed_there.get(match.match))
        }
        whole = [match for match in some if str(match.unit) not in failures]
        both = [(here[match.unit], there[match.match]) for match in whole]
        rows = {
            "address": [str(match.unit) for match in whole],
            "match": [str(match.match) for match in whole],
            "correlation": np.array([match.correlation for match in whole], np.float32),
            "images": np.array([[a.image, b.image] for a, b in both], np.uint8),
            "activation": np.array([[a.activation, b.activation] for a, b in both], np.float32),
        }
        yield rows, failures


def _after(progress: Progress, before: int, total: int) -> Progress:
    """Count what a part of the job has finished after what was finished before."""
    return lambda finished, _: progress(before + finished, total)


@dataclass(frozen=True)
class _Picture:
    image: npt.NDArray[np.uint8]
    activation: float


def _pictures(
    model: VisionModel, chosen: Sequence[Unit], recipe: Recipe, progress: Progress
) -> tuple[dict[Unit, _Picture], dict[Unit, str]]:
    """Render units, each once: their pictures, and why others failed."""
    found: dict[Unit, _Picture] = {}
    failures: dict[Unit, str] = {}
    layers = split(model, list(dict.fromkeys(chosen)), AT_ONCE)
    for outcome in run(model, layers, recipe, progress):
        failures |= outcome.failures
        if outcome.pictures is not None:
            images = outcome.pictures.images[:, 0].numpy()
            values = outcome.pictures.activation[:, 0].tolist()
            found |= dict(zip(outcome.units, map(_Picture, images, values), strict=True))
    return found, failures
