"""Validation job: tests the rendered neurons and latents of a store, and adds the results to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.arguments import instance, whole_number
from featviz._util.progress import Progress, as_progress
from featviz.addressing.address import Unit
from featviz.addressing.selectors import read_units
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel, check_model
from featviz.store.columns import Columns, Row
from featviz.store.jobs import JobSummary, make_room, open_writer, stored_configuration
from featviz.store.reader import Store
from featviz.store.schema import SCHEMAS
from patching.effects.accuracy import check_accuracy
from patching.effects.bootstrap import RESAMPLES, Floats, stratified_counts
from patching.validation import class_profile
from patching.validation.candidate import MIN_NEUTRAL
from patching.validation.control_test import ALPHA
from patching.validation.controls import (
    CONTROLS,
    DIRECTION_CONTROLS,
    NEURON_CONTROLS,
    POOL_SIZE,
    SILENT,
)
from patching.validation.doses import DOSES
from patching.validation.layer_context import (
    ABLATIONS,
    MAX_NEUTRAL,
    PERCENTILES,
    SHORTLIST,
    TRIALS,
)
from patching.validation.layer_group import LayerGroup, LoadRenders, RenderedUnit
from patching.validation.split import (
    MIN_PER_CLASS,
    REFERENCE_EVERY,
    Split,
    choose_images,
    split,
)
from patching.validation.suffix_forward import Baseline
from patching.vit.latent_layer import latent_layer
from patching.vit.residual_vit import ResidualViT, residual_vit
from patching.vit.stream_units import Latents, MLPNeurons, StreamUnits

KIND = "validations"

_NEURONS = re.compile(r"blocks\.(\d+)\.(?:mlp\.fc1|mlp_act)")

IMAGES_PER_CLASS = 60
"""Default number of images of each class, a third of them reference images."""

MAX_IMAGES = 2000
"""Default maximum number of images of all classes."""


def validate_to_store(
    model: VisionModel,
    store: str | Path,
    dataset: Dataset,
    count: int | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Validate every rendered MLP neuron and latent of a store that is not validated yet.

    Results are stored layer by layer. They depend on the model, the images, the seed and the
    neuron's address; the dose ``other`` also depends on which neurons of the layer are rendered.
    The residual streams of all images are held in memory. The first call refuses a model that
    misclassifies most images, see `patching.effects.accuracy.check_accuracy`.

    Parameters
    ----------
    model : VisionModel
        Of the store.
    store : str or Path
        Folder of a store with renders; results are added to it.
    dataset : Dataset
        Labeled images.
    count : int, optional
        Number of images, see `patching.validation.split.choose_images`. By default
        `IMAGES_PER_CLASS` for every class, and at most `MAX_IMAGES`.
    seed : int
        Random seed of donors, resamples, random directions and the dose ``other``.
    force : bool
        Rename validations of another configuration, and damaged shards of validations, and compute
        them again.
    progress : callable or bool
        True shows a progress bar. A function is called before the first neuron and after every
        neuron with the number of neurons finished and in all.

    Returns
    -------
    JobSummary
        `skipped` lists rendered units that are not validated, such as channels of convolutions.

    Raises
    ------
    FeatvizError
        If the model cannot be split into sublayers on a residual stream, or is not the store's; if
        the images have no labels, or not the model's classes, or are too few; or if the store is
        damaged or cannot be written.
    LowAccuracyError
        If the model, not of random weights, misclassifies most images.
    """
    report = as_progress(progress)
    check_model(model)
    seed = whole_number("seed", seed)
    instance("dataset", dataset, Dataset, "a dataset, as featviz.data.datasets.open_data opens it")
    opened = Store(store)
    if opened.fingerprint != model.fingerprint:
        raise FeatvizError(f"{opened.path} has renders of {opened.model}, not of {model.name}")
    vit = residual_vit(model)
    rendered, skipped = stream_units(model, vit, opened.addresses())
    chosen = choose_images(dataset, _count(dataset, count))
    recorded = None if force else stored_configuration(store, KIND)
    dataset = dataset.readable(chosen, recorded)
    left_out = tuple(dataset.left_out.values())
    images = split(model, dataset, [one for one in chosen if one not in dataset.left_out], seed)
    configuration = _configuration(dataset, images, seed)
    if recorded is None:  # before `force` renames validations
        check_accuracy(model, dataset, images.indices, images.image_labels)
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    missing = [neuron for neuron in rendered if neuron.address not in writer.done]
    done = len(rendered) - len(missing)
    if not missing:
        return JobSummary(0, done, skipped=skipped, unreadable=left_out)
    finished = 0

    def tick() -> None:
        nonlocal finished
        finished += 1
        report(finished, len(missing))

    report(0, len(missing))
    load_renders = _renders_of(opened)
    baseline = Baseline(vit, dataset, images)
    resamples = draw_resamples(images, seed)
    for key, some in groupby(missing, key=lambda neuron: neuron.group):
        neurons = list(some)
        in_group = [neuron for neuron in rendered if neuron.group == key]
        with eval_mode(model.module):
            group = LayerGroup(baseline, neurons, resamples, seed, load_renders)
            writer.add(_columns(list(group.rows(neurons, in_group, tick))))
    return JobSummary(len(missing), done, skipped=skipped, unreadable=left_out)


def stream_units(
    model: VisionModel, vit: ResidualViT, addresses: Sequence[str]
) -> tuple[list[RenderedUnit], dict[str, str]]:
    """Find the units of a store that can be validated: neurons of MLPs, and latents.

    Parameters
    ----------
    model : VisionModel
    vit : ResidualViT
        Of the model.
    addresses : sequence of str

    Returns
    -------
    units : list of RenderedUnit
        By layer and token, then in the order of the addresses.
    skipped : dict of str to str
        The other addresses, and why each is skipped.
    """

    @cache
    def layer_of(site: str) -> StreamUnits | str:
        """Return the layer of a site, or the reason why its units cannot be validated."""
        found = _NEURONS.fullmatch(site)
        try:
            if found is not None and int(found[1]) < vit.depth:
                return neurons(int(found[1]))
            if site and model.site(site).kind == "latents":
                return Latents(vit, latent_layer(model, site))
        except FeatvizError as error:
            return str(error)
        return "neither a neuron of an MLP (blocks.L.mlp.fc1:N or .mlp_act:N) nor a latent"

    # Cached, since two sites have the same neurons.
    neurons = cache(partial(MLPNeurons, vit))
    found = []
    units, skipped = read_units(model, addresses)
    for unit in units:
        address = str(unit)
        index = unit.index if isinstance(unit, Unit) else None
        layer = layer_of(unit.site if isinstance(index, int) else "")
        if isinstance(layer, str) or not isinstance(index, int):
            skipped[address] = str(layer)
        else:
            token: object = 0 if unit.token == "cls" else unit.token
            position = token if isinstance(token, int) else None
            found.append(RenderedUnit(address, layer, index, position))
    return sorted(found, key=lambda unit: unit.group), skipped


def draw_resamples(images: Split, seed: int) -> Floats:
    """Draw resamples of the held-out images, class by class.

    Parameters
    ----------
    images : Split
    seed : int
        Random seed.

    Returns
    -------
    array, shape (RESAMPLES, held-out images)
        See `patching.effects.bootstrap.stratified_counts`.
    """
    generator = np.random.default_rng([seed, 1])
    return stratified_counts(images.labels[images.test], RESAMPLES, generator)


def _count(dataset: Dataset, count: int | None) -> int:
    if count is not None:
        return count
    return min(IMAGES_PER_CLASS * max(dataset.count_classes(), 2), MAX_IMAGES)


def _renders_of(store: Store) -> LoadRenders:
    def load(neuron: RenderedUnit) -> tuple[Any, int]:
        row = store.row(neuron.address)
        return row["images"], int(row["activation"].argmax())

    return load


def _columns(rows: Sequence[tuple[RenderedUnit, Row]]) -> Columns:
    arrays = {
        name: np.stack([np.asarray(row[name]) for _, row in rows]).astype(dtype)
        for name, (dtype, _) in SCHEMAS[KIND].items()
    }
    return {"address": [neuron.address for neuron, _ in rows], **arrays}


def _configuration(dataset: Dataset, images: Split, seed: int) -> dict[str, Any]:
    return {
        **dataset.configuration(len(images.indices)),
        "classes": [each.name for each in images.classes],
        "labels": images.logits,
        "ablations": list(ABLATIONS),
        "controls": list(CONTROLS),
        "doses": list(DOSES),
        "quantiles": list(PERCENTILES),
        "resamples": RESAMPLES,
        "threshold": ALPHA,
        "turns": REFERENCE_EVERY,
        "least_images": MIN_PER_CLASS,
        "shortlist": SHORTLIST,
        "trials": TRIALS,
        "silent": SILENT,
        "pool": POOL_SIZE,
        "neurons": NEURON_CONTROLS,
        "directions": DIRECTION_CONTROLS,
        "neutral": MAX_NEUTRAL,
        "least_neutral": MIN_NEUTRAL,
        "profile": {
            "each": class_profile.IMAGES_PER_CLASS,
            "most": class_profile.MAX_IMAGES,
        },
        "seed": seed,
    }
