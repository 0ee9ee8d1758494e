"""The job of `featviz logits`: store the direct effects of units on the logits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from featviz._util.progress import ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import Chosen, as_units
from featviz.analysis.logits import nearest_writers
from featviz.analysis.logits.direct_effects import LogitLens
from featviz.analysis.logits.nearest_writers import NearestWriters
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Columns
from featviz.store.jobs import (
    JobSummary,
    make_room,
    open_folder,
    open_writer,
    store_batches,
    stored_configuration,
)

KIND = "logits"
UNITS_PER_BATCH = 4096
"""Units that are stored together."""


def logits_to_store(
    model: VisionModel,
    units: Chosen,
    store: str | Path,
    force: bool = False,
) -> JobSummary:
    """Store the direct effects of units on the logits, except those that the store already holds.

    For latents, the units that write in the most similar direction are stored too; see
    `featviz.analysis.logits.nearest_writers`.

    Parameters
    ----------
    model : VisionModel
    units : str, Unit, or iterable of these
        Selectors or units; see `featviz.units`.
    store : str or Path
        The folder; made if it does not exist.
    force : bool
        Set aside effects of other class names, and damaged shards, under another name; a store of
        another model as a whole.

    Returns
    -------
    JobSummary
        `skipped` lists units without a direct effect.

    Raises
    ------
    FeatvizError
        If a unit does not exist, no unit has a direct effect, the logits are no linear map of the
        final tokens, or the store is of another model or other class names, damaged, or cannot be
        written.
    """
    chosen = list(dict.fromkeys(as_units(model, units)))
    lens = LogitLens(model)
    reasons = {unit: lens.skip_reason(unit) for unit in chosen}
    skipped = {str(unit): reason for unit, reason in reasons.items() if reason is not None}
    kept = [unit for unit in chosen if reasons[unit] is None]
    if not kept:
        raise FeatvizError(_nothing_to_do(skipped))
    configuration = {"classes": class_names(model, lens.readout.classes), "norm": "unscaled"}
    if stored_configuration(store, KIND) is not None:
        make_room(model, open_folder(store), KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    missing = [unit for unit in kept if str(unit) not in writer.done]

    def compute(batch: Sequence[Unit]) -> Columns:
        return {"address": list(map(str, batch)), "effects": lens.effects(batch)}

    stored = store_batches(writer, _batches(missing), compute, ignore)
    _store_nearest(lens, model, kept, store, force)
    return JobSummary(stored, len(kept) - stored, skipped=skipped)


def _store_nearest(
    lens: LogitLens, model: VisionModel, units: Sequence[Unit], store: str | Path, force: bool
) -> None:
    nearest = NearestWriters(model, lens.writes)
    latents = [unit for unit in units if nearest.is_latent(unit)]
    if latents:
        writer = open_writer(model, store, nearest_writers.KIND, {}, force)
        missing = [unit for unit in latents if str(unit) not in writer.done]
        store_batches(writer, _batches(missing), nearest.columns, ignore)


def class_names(model: VisionModel, count: int) -> list[str]:
    """Name the logits of a model, so that no two have the same name.

    Parameters
    ----------
    model : VisionModel
    count : int
        Number of logits.

    Returns
    -------
    list of str
        Names of the classes, followed by the number of the logit in parentheses where several
        share a name, such as the two cranes of ImageNet. Numbers if the model has no names.
    """
    if len(model.classes) != count:
        return [str(logit) for logit in range(count)]
    counts = Counter(model.classes)
    return [
        name if counts[name] == 1 else f"{name} ({logit})"
        for logit, name in enumerate(model.classes)
    ]


def _batches(units: Sequence[Unit]) -> list[list[Unit]]:
    """Cut units into batches of one site."""
    batches = []
    for _, group in groupby(units, key=lambda unit: unit.site):
        of_site = list(group)
        batches += [
            of_site[start : start + UNITS_PER_BATCH]
            for start in range(0, len(of_site), UNITS_PER_BATCH)
        ]
    return batches


def _nothing_to_do(skipped: dict[str, Any]) -> str:
    if not skipped:
        return "there is no unit whose effects on the logits to compute"
    address, reason = next(iter(skipped.items()))
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"no direct effect on the logits: {address}{more}: {reason}"
