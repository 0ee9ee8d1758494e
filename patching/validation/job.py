"""Validation of the neurons that a store has pictures of: what is there is not measured again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.progress import Progress, ignore
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Columns
from featviz.store.jobs import make_room, open_writer
from featviz.store.reader import Store
from featviz.store.schema import SCHEMAS
from featviz.store.writer import StoreWriter
from patching.validation import profiles
from patching.validation.baseline import Baseline
from patching.validation.candidate import LEAST_NEUTRAL
from patching.validation.control_test import SHARE, draw
from patching.validation.controls import DIRECTIONS, NEURONS, POOL, SILENT
from patching.validation.layer_context import NEUTRAL, QUANTILES, SHORTLIST, TRIALS
from patching.validation.layer_group import Group, Pictures
from patching.validation.neurons import MLPNeuron, mlp_neurons
from patching.validation.schema import ABLATIONS, CONTROLS, DOSES, Row
from patching.validation.split import LEAST, TURNS, Split, images_of, split
from patching.vit.residual_vit import residual_vit

KIND = "validations"

RESAMPLES = 4000
"""Of the test images: no p-value is below 1 / 4001."""

EACH = 60
"""Images of each class, a third of them for reference, if no count is given; fewer where there are
many classes."""

MOST = 2000
"""Images in all, if no count is given."""


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    validated, done : int
        Units validated by this call, and before.
    skipped : dict of str to str
        Addresses of rendered units that cannot be validated, and why.
    """

    validated: int
    done: int
    skipped: dict[str, str]


def validate_to_store(
    model: VisionModel,
    store: str | Path,
    dataset: Dataset,
    count: int | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Validate every rendered MLP neuron of a store that is not validated yet.

    Every layer is stored as soon as it is measured. What comes out for a neuron depends on the
    model, the images, the seed and its address, and, for the dose ``other`` alone, on which other
    neurons of its layer are rendered. The residual streams of all images are held in memory.

    Parameters
    ----------
    store : str or Path
        With pictures of the model, in the folder to which the results are added.
    count : int, optional
        How many images, see `patching.validation.split.images_of`; `EACH` for every class and at
        most `MOST`, if not given.
    seed : int
        Names the random streams of donors, resamples and directions.
    force : bool
        Set validations of other settings, and damaged shards of them, aside under another name.
    progress : callable
        Told before the first and after every unit how many are through, and of how many.

    Raises
    ------
    FeatvizError
        If the model cannot be taken apart into sublayers of blocks, has no classes, or is not the
        store's; the images have no labels, no classes of the model, or are too few; or the store
        is damaged or cannot be written.
    """
    opened = Store(store)
    if opened.fingerprint != model.fingerprint:
        raise FeatvizError(f"{opened.path} has pictures of {opened.model}, not of {model.name}")
    vit = residual_vit(model)
    chosen, skipped = mlp_neurons(model, vit, opened.addresses())
    wanted = min(EACH * max(len(dataset.classes), 2), MOST) if count is None else count
    images = split(model, dataset, images_of(dataset, wanted), seed)
    configuration = _configuration(dataset, images, seed)
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    missing = [target for target in chosen if target.address not in writer.done]
    if not missing:
        return Summary(0, len(chosen), skipped)
    progress(0, len(missing))
    finished = 0

    def tick() -> None:
        nonlocal finished
        finished += 1
        progress(finished, len(missing))

    pictures = _pictures_of(opened)
    base = Baseline(vit, dataset, images)
    weights = draw(images.place[images.test], RESAMPLES, np.random.default_rng([seed, 1]))
    for shared, some in groupby(missing, key=lambda target: target.group):
        those = list(some)
        beside = [target for target in chosen if target.group == shared]
        with eval_mode(model.module):
            group = Group(base, those, weights, seed, pictures)
            _add(writer, list(group.rows(those, beside, tick)))
    return Summary(len(missing), len(chosen) - len(missing), skipped)


def _pictures_of(store: Store) -> Pictures:
    def pictures(target: MLPNeuron) -> tuple[Any, int]:
        row = store.row(target.address)
        return row["images"], int(row["activation"].argmax())

    return pictures


def _add(writer: StoreWriter, rows: Sequence[tuple[MLPNeuron, Row]]) -> None:
    columns: Columns = {"address": [target.address for target, _ in rows]}
    arrays = {
        name: np.stack([np.asarray(row[name]) for _, row in rows]).astype(dtype)
        for name, (dtype, _) in SCHEMAS[KIND].items()
    }
    writer.add({**columns, **arrays})


def _configuration(dataset: Dataset, images: Split, seed: int) -> dict[str, Any]:
    return {
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "images": len(images.numbers),
        "classes": [each.name for each in images.classes],
        "labels": [each.logit for each in images.classes],
        "ablations": list(ABLATIONS),
        "controls": list(CONTROLS),
        "doses": list(DOSES),
        "quantiles": list(QUANTILES),
        "resamples": RESAMPLES,
        "threshold": SHARE,
        "turns": TURNS,
        "least_images": LEAST,
        "shortlist": SHORTLIST,
        "trials": TRIALS,
        "silent": SILENT,
        "pool": POOL,
        "neurons": NEURONS,
        "directions": DIRECTIONS,
        "neutral": NEUTRAL,
        "least_neutral": LEAST_NEUTRAL,
        "profile": {"each": profiles.EACH, "most": profiles.MOST},
        "seed": seed,
    }
