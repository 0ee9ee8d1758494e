"""Scores of all pictures of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.progress import Progress, as_progress, part_of
from featviz.addressing.address import Unit
from featviz.addressing.selectors import read_units
from featviz.analysis.scores.held_out_views import VIEWS
from featviz.analysis.scores.measure import score
from featviz.analysis.scores.rerender import render_other_seeds
from featviz.analysis.scores.spectrum_distance import natural_power_law
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_size
from featviz.optimization.recipe import Recipe
from featviz.parametrization.spectrum import IMAGES, Spectrum, spectrum_of_dataset
from featviz.rendering.batches import split
from featviz.store.jobs import (
    JobSummary,
    make_room,
    open_folder,
    open_writer,
    stored_configuration,
)
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

KIND = "scores"
PICTURES_PER_BATCH = 64
"""Pictures that are scored and stored together."""


def settings_of(store: Store, data: str | None) -> tuple[str | None, int]:
    """Return the dataset and the number of seeds with which to score new pictures of a store.

    Parameters
    ----------
    store : Store
    data : str or None
        Dataset to use if the store has no scores yet.

    Returns
    -------
    data : str or None
        Dataset whose spectrum is the natural one; None for the power law.
    seeds : int
        1 if the store has no scores yet.
    """
    if KIND not in store.kinds:
        return data, 1
    configuration = store.configuration[KIND]
    spectrum = configuration["spectrum"]
    power_law = natural_power_law(16).name  # the same for every side
    return None if spectrum == power_law else spectrum, configuration["seeds"]


def scores_to_store(
    model: VisionModel,
    store: str | Path,
    data: str | None = None,
    seeds: int = 1,
    force: bool = False,
    progress: Progress | bool = False,
    skip_unreadable: bool = False,
) -> JobSummary:
    """Score all pictures of a store that have no scores yet.

    Parameters
    ----------
    model : VisionModel
        The model of the store.
    store : str or Path
        A folder; the scores are added to it.
    data : str, optional
        Dataset whose mean spectrum is the natural one. The default is the power law 1 / f**2.
    seeds : int
        Number of seeds between which the agreement is computed. Units with fewer pictures from
        independent seeds are rendered again, which takes as long as the first rendering.
    force : bool
        Set scores of another configuration, and damaged shards of scores, aside under another
        name.
    progress : callable or bool
        True shows a progress bar. A function is called with the number of units finished and in
        all.
    skip_unreadable : bool
        Leave out images of the dataset that cannot be read.

    Returns
    -------
    JobSummary
        ``others["sides"]`` is the number of units with separate query and key images, which are
        not scored. Units that failed are tried again by the next call.

    Raises
    ------
    FeatvizError
        If there is no such folder or dataset, the store is of another model or has scores of
        another configuration, an address cannot be parsed, or the store is damaged.
    """
    progress = as_progress(progress)
    if seeds < 1:
        raise FeatvizError(f"seeds must be at least 1, not {seeds}")
    opened = open_folder(store)
    side = model.image_size
    recorded = None if force else stored_configuration(store, KIND)
    dataset = None if data is None else _open_readable(data, skip_unreadable, recorded)
    natural = natural_power_law(side) if dataset is None else spectrum_of_dataset(dataset, side)
    configuration = {
        "views": list(VIEWS),
        "spectrum": natural.name,
        "spectrum_digest": natural.digest,
        "patch": patch_size(model),
        "seeds": seeds,
        **(dataset.unreadable if dataset else {}),
    }
    left_out = tuple(dataset.left_out.values()) if dataset else ()
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    others = {"sides": len(opened.addresses("sides"))}
    addresses = opened.addresses()
    missing = [address for address in addresses if address not in writer.done]
    units, failures = read_units(model, missing)
    done, total = len(addresses) - len(missing), len(units)
    if not units:
        return JobSummary(0, done, failures, others, unreadable=left_out)
    renders = opened.configuration["renders"]
    # Parsed once, since this may measure the spectrum of a dataset.
    recipe = None if seeds == 1 or _are_seeds(renders, seeds) else Recipe.from_json(renders)
    stored, finished = 0, 0
    for batch in split(model, units, max(1, PICTURES_PER_BATCH // renders["samples"])):
        progress(finished, total)
        report = part_of(progress, finished, len(batch), total)
        scored, columns, failed = _score(model, opened, batch, natural, seeds, recipe, report)
        if scored:
            writer.add({"address": list(map(str, scored)), **columns})
        stored, finished = stored + len(scored), finished + len(batch)
        failures |= {str(unit): reason for unit, reason in failed.items()}
    progress(total, total)
    return JobSummary(stored, done, failures, others, unreadable=left_out)


def _open_readable(data: str, skip_unreadable: bool, recorded: Mapping[str, Any] | None) -> Dataset:
    opened = open_data(data, skip_unreadable=skip_unreadable)
    return opened.readable(opened.indices(IMAGES), recorded)


def _score(
    model: VisionModel,
    store: Store,
    batch: Sequence[Unit],
    natural: Spectrum,
    seeds: int,
    recipe: Recipe | None,
    progress: Progress,
) -> tuple[list[Unit], dict[str, npt.NDArray[Any]], dict[Unit, str]]:
    """Score the units of a batch.

    Parameters
    ----------
    recipe : Recipe or None
        With which to render pictures from other seeds; None if none are to be rendered.

    Returns
    -------
    units, columns, failures
        The units that were scored, their scores, and the reasons why others were not.
    """
    rows = {unit: store.row(str(unit)) for unit in batch}
    failures: dict[Unit, str] = {}
    others: dict[Unit, Tensor] = {}
    if recipe is not None:
        others, failures = render_other_seeds(model, batch, recipe, seeds, progress)
    elif _are_seeds(store.configuration["renders"], seeds):
        others = {
            unit: _all_but_best(row["images"], row["activation"]) for unit, row in rows.items()
        }
    scored = [unit for unit in batch if unit not in failures]
    if not scored:
        return [], {}, failures
    images, activation, trajectory = (
        np.stack([rows[unit][name] for unit in scored])
        for name in ("images", "activation", "trajectory")
    )
    of_others = torch.stack([others[unit] for unit in scored]) if others else None
    scores = score(model, scored, images, activation, trajectory, natural, of_others)
    return scored, asdict(scores), failures


def _are_seeds(renders: Mapping[str, Any], seeds: int) -> bool:
    """Whether samples can serve as pictures of other seeds: no diversity term couples them."""
    return bool(renders["samples"] >= max(2, seeds) and not renders["diversity"])


def _all_but_best(images: npt.NDArray[np.uint8], activation: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.delete(images, int(activation.argmax()), 0))
