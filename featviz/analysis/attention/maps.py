"""Where heads look on average over a dataset: patterns, and what they are in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from featviz._util.progress import Progress, ignore
from featviz.analysis.attention.heads import Head
from featviz.models.attention import Heads, heads_of
from featviz.models.hooks import Context, eval_mode, run_until
from featviz.models.sites import Site, require_grid
from featviz.store.columns import Columns
from featviz.store.jobs import open_writer

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Maps:
    """Where one head looks, on average over images.

    Patches are the tokens behind the class, distillation and register tokens.

    Attributes
    ----------
    pattern : Tensor, shape (T, T)
        Mean attention of each query token (rows) to each key token; rows sum to 1. float64.
    displacement : Tensor, shape (2 * R - 1, 2 * C - 1)
        Mean attention of patches to the patch so many rows and columns away, over the pairs
        that there are on the grid of R rows and C columns; a key on its query is in the middle.
    prefix, self_, local : float
        Share of the patches' attention that goes to prefix tokens, to the patch itself, to its
        eight neighbors (fewer at the border).
    entropy : float
        Of the attention of one patch in one image, in nats, averaged; at most ln T.
    """

    pattern: Tensor
    displacement: Tensor
    prefix: float
    self_: float
    local: float
    entropy: float


def mean_attention(
    model: VisionModel,
    heads: Sequence[Head],
    dataset: Dataset,
    count: int | None = None,
    batch: int = 32,
    progress: Progress = ignore,
) -> dict[Head, Maps]:
    """Average where heads look over the images of a dataset.

    The model runs once a batch, up to the deepest attention; sums are kept in float64.

    Parameters
    ----------
    heads : sequence of Head
        See `featviz.analysis.attention.heads.find_heads`; at least one.
    count : int, optional
        How many images, see `featviz.data.datasets.Dataset.numbers`.
    batch : int
        Images at once.
    progress : callable
        Told after every batch how many images are through, and of how many.

    Raises
    ------
    FeatvizError
        If an image cannot be read.
    """
    by_owner: dict[str, tuple[Heads, list[Head]]] = {}
    for head in heads:
        owner = head.site.owner
        if owner not in by_owner:
            by_owner[owner] = _heads(model, owner), []
        by_owner[owner][1].append(head)
    patterns: dict[Head, Tensor] = {}
    entropies = dict.fromkeys(heads, 0.0)

    def take(owner: str, inputs: Tensor, context: Context) -> None:
        attention, wanted = by_owner[owner]
        for head in wanted:
            found = head_pattern(attention, inputs, context, head.number)
            total = found.sum(0, dtype=torch.float64).cpu()
            patterns[head] = patterns[head] + total if head in patterns else total
            each = torch.special.entr(found).sum(-1)[:, head.site.prefix :].mean(1)
            entropies[head] += float(each.sum(dtype=torch.float64))

    images = len(dataset.numbers(count))
    with eval_mode(model.module), torch.no_grad():
        read = 0
        for some, _ in dataset.batches(model.image_size, batch, count):
            run_until(model, some.to(model.device), by_owner, take)
            read += len(some)
            progress(read, images)
    return {
        head: summarize(patterns[head] / images, head.site, entropies[head] / images)
        for head in dict.fromkeys(heads)
    }


def summarize(pattern: Tensor, site: Site, entropy: float) -> Maps:
    """Say in short where a head looks, given its mean pattern (T, T) and mean entropy."""
    patches = range(site.prefix, site.positions)
    of_patches = pattern[patches.start :]
    rows, columns = require_grid(site)
    shift = displacement(of_patches[:, patches.start :], (rows, columns))
    # A patch at the border has fewer neighbors, so shares are sums over pairs, not means.
    near = {
        (row, column): (rows - abs(row)) * (columns - abs(column)) / len(patches)
        for row in (-1, 0, 1)
        for column in (-1, 0, 1)
        if abs(row) < rows and abs(column) < columns
    }
    share = {
        (row, column): float(shift[rows - 1 + row, columns - 1 + column]) * weight
        for (row, column), weight in near.items()
    }
    own = share.pop((0, 0))
    prefix = float(of_patches[:, : patches.start].sum(1).mean())
    return Maps(pattern, shift, prefix, own, sum(share.values()), entropy)


def displacement(pattern: Tensor, grid: tuple[int, int]) -> Tensor:
    """Average attention between patches (R * C, R * C) by the way from query to key.

    Returns
    -------
    Tensor, shape (2 * R - 1, 2 * C - 1)
        Over the pairs of patches so many rows and columns apart; (R - 1, C - 1) is no way.
    """
    rows, columns = grid
    place = torch.arange(rows * columns)
    row, column = place // columns, place % columns
    down, right = row[None] - row[:, None] + rows - 1, column[None] - column[:, None] + columns - 1
    where = (down * (2 * columns - 1) + right).flatten()
    size = (2 * rows - 1) * (2 * columns - 1)
    totals = torch.bincount(where, pattern.double().flatten(), size)
    return (totals / torch.bincount(where, minlength=size)).view(2 * rows - 1, 2 * columns - 1)


@dataclass(frozen=True)
class Summary:
    """What a job has done: how many heads it stored, and how many were there."""

    stored: int
    done: int


def maps_to_store(
    model: VisionModel,
    heads: Sequence[Head],
    dataset: Dataset,
    store: str | Path,
    count: int | None = None,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Store where heads look, leaving out those that the store holds already.

    Parameters
    ----------
    count : int, optional
        How many images, see `featviz.data.datasets.Dataset.numbers`.
    force : bool
        See `featviz.rendering.render.render_to_store`.

    Raises
    ------
    FeatvizError
        If an image cannot be read, or the store is of another model, data or number of images,
        damaged, or cannot be written.
    """
    configuration = {
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "images": len(dataset.numbers(count)),
    }
    writer = open_writer(model, store, "attention", configuration, force)
    missing = [head for head in heads if str(head) not in writer.done]
    if missing:
        found = mean_attention(model, missing, dataset, count, progress=progress)
        for site in dict.fromkeys(head.site for head in missing):
            writer.add(_columns({head: maps for head, maps in found.items() if head.site == site}))
    return Summary(len(missing), len(heads) - len(missing))


def _columns(found: dict[Head, Maps]) -> Columns:
    maps = list(found.values())
    numbers = {
        "pattern": [one.pattern.numpy() for one in maps],
        "displacement": [one.displacement.numpy() for one in maps],
        "prefix": [one.prefix for one in maps],
        "self": [one.self_ for one in maps],
        "local": [one.local for one in maps],
        "entropy": [one.entropy for one in maps],
    }
    columns = {name: np.array(values, np.float32) for name, values in numbers.items()}
    return {"address": [str(head) for head in found], **columns}


def _heads(model: VisionModel, owner: str) -> Heads:
    heads = heads_of(model.module.get_submodule(owner))
    if heads is None:
        raise ValueError(f"{owner} has no heads that are known")
    return heads


def head_pattern(heads: Heads, inputs: Tensor, context: Context, head: int) -> Tensor:
    """Compute the attention of every query token to every key token in one head.

    Parameters
    ----------
    inputs : Tensor, shape (N, ..., channels)
        What the attention module was given.
    context : mapping
        Keyword arguments of that call.

    Returns
    -------
    Tensor, shape (N, T, T)
        Queries in rows, each of which sums to 1; float32, or float64 if the inputs are.
    """
    tokens = inputs.flatten(1, -2)
    number = torch.full((len(tokens),), head, device=tokens.device)
    query, key = (side.of(tokens, number) for side in (heads.query, heads.key))
    rotation = heads.rotation(context)
    if rotation is not None:
        own = rotation[head if len(rotation) > 1 else 0]
        query, key = heads.rotate(query, own), heads.rotate(key, own)
    logits = query @ key.mT * heads.scale
    bias = heads.bias(context)
    if bias is not None:
        logits = logits + bias[head].to(logits)
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
