"""The scores of all pictures of a store, beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import read_units
from featviz.analysis.scores.held_out_views import VIEWS
from featviz.analysis.scores.measure import score
from featviz.analysis.scores.metrics import usual
from featviz.analysis.scores.rerender import render_again
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_size
from featviz.optimization.recipe import Recipe, recipe_from_json
from featviz.parametrization.spectrum import Spectrum, of_data
from featviz.rendering.batches import split
from featviz.store.jobs import make_room, open_folder, open_writer
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

KIND = "scores"
AT_ONCE = 64
"""Pictures that are scored and stored together."""


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    scored, done : int
        Units scored by this call, and before.
    sides : int
        Units of which the store has pictures of two sides; these are not scored.
    failures : dict of str to str
        Addresses that could not be scored, and why; the next call tries them again.
    """

    scored: int
    done: int
    sides: int
    failures: dict[str, str]


def settings_of(store: Store, data: str | None) -> tuple[str | None, int]:
    """Return the data and the seeds that the scores of a store are of, to add to them.

    Parameters
    ----------
    data : str, optional
        What to score by where there are no scores yet, from one seed.
    """
    told = store.configuration.get(KIND)
    if told is None:
        return data, 1
    power = usual(16).name  # at any side
    return None if told["spectrum"] == power else told["spectrum"], told["seeds"]


def scores_to_store(
    model: VisionModel,
    store: str | Path,
    data: str | None = None,
    seeds: int = 1,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Score all renders of a store, leaving out those that it holds scores of.

    Parameters
    ----------
    model : VisionModel
        The store's.
    store : str or Path
        A folder; scores go into it.
    data : str, optional
        The dataset whose spectrum is the natural one; a power of 1 / f**2 if not given.
    seeds : int
        How many seeds the agreement is between. Units of which the store has not so many pictures
        from starts of their own are rendered again, which takes as long as rendering took.
    force : bool
        Set scores of other settings, and damaged shards of scores, aside under another name.

    Raises
    ------
    FeatvizError
        If there is no such folder or dataset, the store is of another model or has scores of
        other settings, a unit has no address that can be read, or the store is damaged.
    """
    if seeds < 1:
        raise FeatvizError(f"seeds must be at least 1, not {seeds}")
    opened = open_folder(store)
    side = model.image_size
    natural = usual(side) if data is None else of_data(data, side)
    configuration = {
        "views": list(VIEWS),
        "spectrum": natural.name,
        "spectrum_digest": natural.digest,
        "patch": patch_size(model),
        "seeds": seeds,
    }
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    sides = len(opened.addresses("sides"))
    addresses = opened.addresses()
    todo, failures = read_units(model, [each for each in addresses if each not in writer.done])
    done, total, finished = len(addresses) - len(todo) - len(failures), len(todo), 0
    if not todo:
        return Summary(0, done, sides, failures)
    scored, told = 0, opened.configuration["renders"]
    # Once: it may measure the spectrum of a dataset.
    again = recipe_from_json(told) if seeds > 1 and not _are_seeds(told, seeds) else None
    for batch in split(model, todo, max(1, AT_ONCE // told["samples"])):
        before, size = finished, len(batch)

        def tick(part: float, whole: int, before: int = before, size: int = size) -> None:
            progress(before + size * part / whole, total)

        progress(finished, total)
        kept, columns, failed = _score(model, opened, batch, natural, seeds, again, tick)
        if kept:
            writer.add({"address": list(map(str, kept)), **columns})
        scored, finished = scored + len(kept), finished + len(batch)
        failures |= {str(unit): reason for unit, reason in failed.items()}
    progress(total, total)
    return Summary(scored, done, sides, failures)


def _score(
    model: VisionModel,
    store: Store,
    batch: Sequence[Unit],
    natural: Spectrum,
    seeds: int,
    again: Recipe | None,
    progress: Progress,
) -> tuple[list[Unit], dict[str, npt.NDArray[Any]], dict[Unit, str]]:
    """Score the units of a batch: those that could be, their columns, and why others could not.

    Parameters
    ----------
    again : Recipe or None
        By which they are rendered from other seeds; None where they need not be.
    """
    rows = {unit: store.row(str(unit)) for unit in batch}
    failures: dict[Unit, str] = {}
    others: dict[Unit, Tensor] = {}
    if again is not None:
        others, failures = render_again(model, batch, again, seeds, progress)
    elif _are_seeds(store.configuration["renders"], seeds):
        others = {
            unit: _but_the_best(row["images"], row["activation"]) for unit, row in rows.items()
        }
    kept = [unit for unit in batch if unit not in failures]
    if not kept:
        return [], {}, failures
    images, activation, trajectory = (
        np.stack([rows[unit][name] for unit in kept])
        for name in ("images", "activation", "trajectory")
    )
    beside = torch.stack([others[unit] for unit in kept]) if others else None
    found = score(model, kept, images, activation, trajectory, natural, beside)
    return kept, asdict(found), failures


def _are_seeds(told: Mapping[str, Any], seeds: int) -> bool:
    """Tell whether samples are as good as pictures of other seeds: nothing pushes them apart."""
    return bool(told["samples"] >= max(2, seeds) and not told["diversity"])


def _but_the_best(images: npt.NDArray[np.uint8], activation: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.delete(images, int(activation.argmax()), 0))
