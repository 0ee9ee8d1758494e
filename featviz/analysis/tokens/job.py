"""Pictures of units over all patches and at single tokens, and their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.images import from_uint8, resize
from featviz._util.progress import Progress, as_progress, ignore
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.analysis.tokens.gram_similarity import gram_similarity
from featviz.analysis.tokens.scores import COLUMNS, TokenScores
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.optimization.recipe import Recipe
from featviz.rendering.job import render_to_store
from featviz.store.jobs import JobSummary, open_writer, store_batches
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel
    from featviz.store.columns import Columns

KIND = "tokens"
GRAY = 0.5
BATCH = 32
"""Pictures in one forward pass, and units that are stored together."""

Pixels = npt.NDArray[np.uint8]


def group_by_unit(model: VisionModel, units: Sequence[Unit]) -> dict[Unit, list[Unit]]:
    """Group units at tokens by the unit over all patches.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        Units of layers at tokens, such as ``blocks.1.mlp.fc1:3@4``.

    Returns
    -------
    dict of Unit to list of Unit
        Each unit over all patches, and the units at its tokens, without duplicates. ``@0`` and
        ``@cls`` of a model with a class token are the same token; the first is kept.

    Raises
    ------
    FeatvizError
        If a unit is not at a token, or is a logit or a sum, or if units differ in their tokens or
        their token grid.
    """
    groups: dict[Unit, dict[int, Unit]] = {}
    for unit in units:
        if isinstance(unit, Combination) or site_of(model, unit).is_logit:
            raise FeatvizError(
                f"{unit} is not a unit of a layer or block; only these have tokens to compare"
            )
        if unit.token in (None, "max"):
            whole = Unit(unit.site, unit.index)
            raise FeatvizError(f"{unit} names no token; write {whole}@all, or {whole}@1,4,9")
        whole = Unit(unit.site, unit.index)
        groups.setdefault(whole, {}).setdefault(_token_index(unit), unit)
    layouts = {whole: _layout(model, whole, list(tokens)) for whole, tokens in groups.items()}
    for first, second in pairwise(layouts):
        if layouts[first] != layouts[second]:
            raise FeatvizError(
                f"{first} and {second} do not have the same tokens; use one store for each"
            )
    return {whole: list(tokens.values()) for whole, tokens in groups.items()}


def score_tokens(
    model: VisionModel, unit: Unit, at_tokens: Sequence[Unit], whole: Pixels, own: Pixels
) -> TokenScores:
    """Score the picture of a unit over all patches against the pictures at its tokens.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
        The unit over all patches.
    at_tokens : sequence of Unit
        The same unit at T tokens.
    whole : uint8 array, shape (H, W, 3)
        The picture of `unit`.
    own : uint8 array, shape (T, H, W, 3)
        The pictures of `at_tokens`.

    Returns
    -------
    TokenScores
    """
    site = site_of(model, unit)
    shared = _input_images(model, whole[None])
    with eval_mode(model.module), torch.no_grad():
        (_, features), read = _read(model, [unit], shared), Readout(model, at_tokens)
        reached, gray = read(torch.cat([shared, torch.full_like(shared, GRAY)]))
        optimum, similarities = [], []
        for start in range(0, len(at_tokens), BATCH):
            chunk = slice(start, start + BATCH)
            values, seen = _read(model, at_tokens[chunk], _input_images(model, own[chunk]))
            optimum.append(values)
            similarities.append(gram_similarity(features.expand_as(seen), seen, site))
    return TokenScores(
        str(unit),
        np.array([_token_index(each) for each in at_tokens], np.int32),
        (torch.cat(optimum) - gray).float().cpu().numpy(),
        (reached - gray).float().cpu().numpy(),
        torch.cat(similarities).float().cpu().numpy(),
    )


def tokens_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    store: str | Path,
    batch: int | None = None,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Render units over all patches and at tokens into a store, and score the former.

    Pictures are stored as kind ``renders``; those that the store holds are not rendered again. Of
    several samples, the one with the highest activation is scored. For the other parameters, see
    `featviz.rendering.job.render_to_store`.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        Units at tokens; see `group_by_unit`.
    recipe, store, batch, force, progress
        As for `render_to_store`.

    Returns
    -------
    JobSummary
        Of the scores; ``others["rendered"]`` is the number of pictures rendered by this call, and
        failures are those of pictures. A unit with a failed picture is not scored.

    Raises
    ------
    FeatvizError
        If `group_by_unit` refuses the units, or the store is of another model, recipe or list of
        tokens, damaged, or cannot be written.
    """
    progress = as_progress(progress)
    groups = group_by_unit(model, units)
    if recipe.split_qk:
        raise FeatvizError("featviz tokens does not support separate query and key images")
    configuration = recipe.to_json() | _common_layout(model, groups)
    # Refuse a store that does not fit before rendering, which may set the store aside.
    open_writer(model, store, KIND, configuration, force)
    pictured = [each for whole, at_tokens in groups.items() for each in (whole, *at_tokens)]
    summary = render_to_store(model, pictured, recipe, store, batch, (0, 1), force, progress)
    writer = open_writer(model, store, KIND, configuration, force)
    opened = Store(store)
    missing = [
        whole
        for whole, at_tokens in groups.items()
        if str(whole) not in writer.done
        and all(str(each) in opened for each in (whole, *at_tokens))
    ]

    def compute(batch: Sequence[Unit]) -> Columns:
        scores = [_score_stored(model, opened, whole, groups[whole]) for whole in batch]
        columns = {name: np.stack([getattr(each, name) for each in scores]) for name in COLUMNS}
        return {"address": [each.address for each in scores], **columns}

    batches = [missing[start : start + BATCH] for start in range(0, len(missing), BATCH)]
    return JobSummary(
        store_batches(writer, batches, compute, ignore),
        sum(str(whole) in writer.done for whole in groups),
        summary.failures,
        {"rendered": summary.stored},
        constants=summary.constants,
    )


def _token_index(unit: Unit) -> int:
    return unit.token if isinstance(unit.token, int) else 0


def _layout(model: VisionModel, unit: Unit, tokens: list[int]) -> dict[str, Any]:
    site = site_of(model, unit)
    return {"grid": site.grid, "prefix": site.prefix, "tokens": tokens}


def _common_layout(model: VisionModel, groups: dict[Unit, list[Unit]]) -> dict[str, Any]:
    """Return the layout that all units of a store share, as its configuration has it."""
    if not groups:
        raise FeatvizError("there is no unit to render")
    whole, at_tokens = next(iter(groups.items()))
    return _layout(model, whole, [_token_index(unit) for unit in at_tokens])


def _score_stored(
    model: VisionModel, store: Store, unit: Unit, at_tokens: Sequence[Unit]
) -> TokenScores:
    own = np.stack([_best_picture(store, each) for each in at_tokens])
    return score_tokens(model, unit, at_tokens, _best_picture(store, unit), own)


def _best_picture(store: Store, unit: Unit) -> Pixels:
    row = store.row(str(unit))
    best: Pixels = row["images"][int(row["activation"].argmax())]
    return best


def _input_images(model: VisionModel, pixels: Pixels) -> Tensor:
    """Convert pixels (N, H, W, 3) to input images on the model's device."""
    return resize(from_uint8(torch.from_numpy(pixels).to(model.device)), model.image_size)


def _read(model: VisionModel, units: Sequence[Unit], images: Tensor) -> tuple[Tensor, Tensor]:
    """Read unit i on image i, and the input of their layer on all images."""
    reading = Readout(model, units).read_pairs(images)
    return reading.values, reading.features
