"""How far the picture of a unit over all patches says what it looks for at each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.images import resize
from featviz._util.progress import Progress, ignore
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.analysis.tokens.scores import COLUMNS, TokenScores
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.optimization.objectives import similarity
from featviz.optimization.recipe import Recipe
from featviz.rendering.render import render_to_store
from featviz.store.jobs import open_writer
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

KIND = "tokens"
GRAY = 0.5
AT_ONCE = 32
"""Pictures that are read together, and units that are stored together."""

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    rendered : int
        Units over all patches and units at a token rendered by this call.
    scored, done : int
        Units over all patches scored by this call, and before.
    failures : dict of Unit to str
        Units that could not be rendered, and why. What they are a part of is not scored.
    """

    rendered: int
    scored: int
    done: int
    failures: dict[Unit, str]


def by_unit(model: VisionModel, units: Sequence[Unit]) -> dict[Unit, list[Unit]]:
    """Put units at tokens beside the mean over patches that they are parts of.

    Returns
    -------
    dict of Unit to list of Unit
        ``@0`` and ``@cls`` of a model with a class token are the same token; the first counts.

    Raises
    ------
    FeatvizError
        If a unit is not read at a token, or is a logit or a sum; or if units do not share their
        tokens and their grid.
    """
    parts: dict[Unit, dict[int, Unit]] = {}
    for unit in units:
        if isinstance(unit, Combination) or site_of(model, unit).kind != "layer":
            raise FeatvizError(
                f"{unit} is not a unit of a layer; only those are read token by token"
            )
        if unit.token is None:
            raise FeatvizError(f"{unit} names no token; write {unit}@all, or {unit}@1,4,9")
        whole = Unit(unit.site, unit.index)
        parts.setdefault(whole, {}).setdefault(_number(unit), unit)
    layouts = {whole: _layout(model, whole, tokens) for whole, tokens in parts.items()}
    for first, whole in pairwise(layouts):
        if layouts[first] != layouts[whole]:
            raise FeatvizError(
                f"{first} and {whole} do not have the same tokens; give each a store of its own"
            )
    return {whole: list(tokens.values()) for whole, tokens in parts.items()}


def score(
    model: VisionModel, unit: Unit, at_tokens: Sequence[Unit], whole: Pictures, own: Pictures
) -> TokenScores:
    """Score a unit's picture over all patches against the pictures of its tokens.

    Parameters
    ----------
    unit : Unit
        The mean over patches.
    at_tokens : sequence of Unit
        The same at T tokens.
    whole : uint8 array, shape (H, W, 3)
        The picture of `unit`.
    own : uint8 array, shape (T, H, W, 3)
        The pictures of `at_tokens`.
    """
    site = site_of(model, unit)
    shared = _as_images(model, whole[None])
    with eval_mode(model.module), torch.no_grad():
        (_, features), read = _read(model, [unit], shared), Readout(model, at_tokens)
        reached, gray = read(torch.cat([shared, torch.full_like(shared, GRAY)]))
        optimum, alike = [], []
        for start in range(0, len(at_tokens), AT_ONCE):
            chunk = slice(start, start + AT_ONCE)
            values, seen = _read(model, at_tokens[chunk], _as_images(model, own[chunk]))
            optimum.append(values)
            alike.append(likeness(features.expand_as(seen), seen, site))
    return TokenScores(
        str(unit),
        np.array([_number(each) for each in at_tokens], np.int32),
        (torch.cat(optimum) - gray).float().cpu().numpy(),
        (reached - gray).float().cpu().numpy(),
        torch.cat(alike).float().cpu().numpy(),
    )


def likeness(first: Tensor, second: Tensor, site: Site) -> Tensor:
    """Compare what a layer sees of two pictures, wherever in them it is.

    The cosine between the Gram matrices of its input's channels over the patches or places: 1
    when the same channels go together, 0 when they share none; see `featviz.optimization.objectives`. Moving the
    contents of patches about changes nothing.

    Parameters
    ----------
    first, second : Tensor, shape (N, positions, channels)
        The input of the site's layer. Prefix tokens are left out.

    Returns
    -------
    Tensor, shape (N,)
        In [0, 1].
    """
    pairs = torch.stack([first, second], 1)[:, :, site.prefix :]
    return similarity(pairs.float()).clamp(0, 1)


def tokens_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    store: str | Path,
    batch: int | None = None,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Render units over all patches and at tokens into a store, and score the former.

    The pictures are of the kind ``renders``; what the store holds is not made again. Of several
    samples the one with the highest activation counts.

    Parameters
    ----------
    units : sequence of Unit
        At tokens; see `by_unit`.
    made, batch, force, progress
        See `featviz.rendering.render.render_to_store`.

    Raises
    ------
    FeatvizError
        If units are not such as `by_unit` takes, or the store is of another model, recipe or list
        of tokens, damaged, or cannot be written.
    """
    groups = by_unit(model, units)
    if recipe.split_qk:
        raise FeatvizError("pictures of two sides are of logits, not of units at tokens")
    configuration = recipe.to_json() | _shared(model, groups)
    # A store that does not fit is refused before anything is rendered. Rendering may set it aside.
    open_writer(model, store, KIND, configuration, force)
    pictured = [each for whole, parts in groups.items() for each in (whole, *parts)]
    summary = render_to_store(model, pictured, recipe, store, batch, (0, 1), force, progress)
    writer = open_writer(model, store, KIND, configuration, force)
    opened = Store(store)
    waiting = [
        (whole, parts)
        for whole, parts in groups.items()
        if str(whole) not in writer.done and all(str(each) in opened for each in (whole, *parts))
    ]
    for start in range(0, len(waiting), AT_ONCE):
        scores = [_score_stored(model, opened, *each) for each in waiting[start : start + AT_ONCE]]
        columns = {name: np.stack([getattr(each, name) for each in scores]) for name in COLUMNS}
        writer.add({"address": [each.address for each in scores], **columns})
    done = sum(str(whole) in writer.done for whole in groups)
    return Summary(summary.rendered, len(waiting), done, summary.failures)


def _number(unit: Unit) -> int:
    return unit.token if isinstance(unit.token, int) else 0


def _layout(model: VisionModel, unit: Unit, tokens: dict[int, Unit]) -> tuple[object, ...]:
    site = site_of(model, unit)
    return site.grid, site.prefix, list(tokens)


def _shared(model: VisionModel, groups: dict[Unit, list[Unit]]) -> dict[str, Any]:
    """Tell what all units of a store of tokens have in common."""
    if not groups:
        raise FeatvizError("there is no unit to render")
    whole, parts = next(iter(groups.items()))
    site = site_of(model, whole)
    tokens = [_number(part) for part in parts]
    return {"grid": site.grid, "prefix": site.prefix, "tokens": tokens}


def _best(store: Store, unit: Unit) -> Pictures:
    row = store.row(str(unit))
    best: Pictures = row["images"][int(row["activation"].argmax())]
    return best


def _score_stored(
    model: VisionModel, store: Store, unit: Unit, at_tokens: Sequence[Unit]
) -> TokenScores:
    own = np.stack([_best(store, each) for each in at_tokens])
    return score(model, unit, at_tokens, _best(store, unit), own)


def _as_images(model: VisionModel, pictures: Pictures) -> Tensor:
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).to(model.device) / 255
    return resize(images, model.image_size)


def _read(model: VisionModel, units: Sequence[Unit], images: Tensor) -> tuple[Tensor, Tensor]:
    """Read unit i on image i, and what their layer sees of the images."""
    reading = Readout(model, units).read_pairs(images)
    return reading.values, reading.features
