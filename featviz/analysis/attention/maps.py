"""Attention maps: mean attention patterns of heads over a dataset, and their summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from featviz._util.progress import Progress, as_progress
from featviz.analysis.attention.heads import Head
from featviz.models.attention import Heads, require_heads
from featviz.models.hooks import Context, eval_mode, run_until
from featviz.models.sites import Site, require_grid
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer, stored_configuration

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.vision_model import VisionModel

KIND = "attention"


@dataclass(frozen=True)
class Maps:
    """Where one head attends, averaged over images.

    Patches are the tokens after the class, distillation and register tokens.

    Attributes
    ----------
    pattern : Tensor, shape (T, T)
        Mean attention of each query token (rows) to each key token; rows sum to 1. float64.
    displacement : Tensor, shape (2 * R - 1, 2 * C - 1)
        Mean attention between patches by the displacement from query to key on the grid of R rows
        and C columns; zero displacement is in the middle. See `displacement`.
    prefix, self_, local : float
        Shares of the patches' attention that go to prefix tokens, to the patch itself, and to its
        eight neighbors (fewer at the border), in [0, 1].
    entropy : float
        Mean entropy of the attention of a patch in an image, in nats; at most ln T.
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
    progress: Progress | bool = False,
) -> dict[Head, Maps]:
    """Average the attention of heads over the images of a dataset.

    The model runs once for each batch, up to the deepest of the attention modules; sums are kept in
    float64.

    Parameters
    ----------
    model : VisionModel
    heads : sequence of Head
        At least one; see `featviz.analysis.attention.heads.find_heads`.
    dataset : Dataset
    count : int, optional
        Number of images, see `featviz.data.datasets.Dataset.indices`.
    batch : int
        Images per batch.
    progress : callable or bool
        True shows a progress bar. A function is called after every batch with the number of
        finished images and their total.

    Returns
    -------
    dict of Head to Maps

    Raises
    ------
    FeatvizError
        If an image cannot be read.
    """
    progress = as_progress(progress)
    by_owner: dict[str, tuple[Heads, list[Head]]] = {}
    for head in heads:
        owner = head.site.owner
        if owner not in by_owner:
            by_owner[owner] = require_heads(model.module.get_submodule(owner), owner), []
        by_owner[owner][1].append(head)
    patterns: dict[Head, Tensor] = {}
    entropies = dict.fromkeys(heads, 0.0)

    def take(owner: str, inputs: Tensor, context: Context) -> None:
        attention, own_heads = by_owner[owner]
        for head in own_heads:
            found = head_pattern(attention, inputs, context, head.index)
            total = found.sum(0, dtype=torch.float64).cpu()
            patterns[head] = patterns[head] + total if head in patterns else total
            each = torch.special.entr(found).sum(-1)[:, head.site.prefix :].mean(1)
            entropies[head] += float(each.sum(dtype=torch.float64))

    images = len(dataset.indices(count))
    with eval_mode(model.module), torch.no_grad():
        read = 0
        for batch_images, _ in dataset.batches(model.image_size, batch, count):
            run_until(model, batch_images.to(model.device), by_owner, take)
            read += len(batch_images)
            progress(read, images)
    return {
        head: summarize(patterns[head] / images, head.site, entropies[head] / images)
        for head in dict.fromkeys(heads)
    }


def summarize(pattern: Tensor, site: Site, entropy: float) -> Maps:
    """Summarize the mean pattern of a head.

    Parameters
    ----------
    pattern : Tensor, shape (T, T)
        Mean attention of queries (rows) to keys.
    site : Site
        The attention's logits, whose patches are on a grid.
    entropy : float
        Mean entropy, passed on.

    Returns
    -------
    Maps
    """
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
    """Average attention between patches by the displacement from query to key.

    Parameters
    ----------
    pattern : Tensor, shape (R * C, R * C)
        Attention of query patches (rows) to key patches.
    grid : (int, int)
        R and C: rows and columns of the patches.

    Returns
    -------
    Tensor, shape (2 * R - 1, 2 * C - 1)
        Mean over the pairs of patches so many rows and columns apart; zero displacement is at
        (R - 1, C - 1).
    """
    rows, columns = grid
    patch = torch.arange(rows * columns)
    row, column = patch // columns, patch % columns
    down, right = row[None] - row[:, None] + rows - 1, column[None] - column[:, None] + columns - 1
    index = (down * (2 * columns - 1) + right).flatten()
    size = (2 * rows - 1) * (2 * columns - 1)
    totals = torch.bincount(index, pattern.double().flatten(), size)
    return (totals / torch.bincount(index, minlength=size)).view(2 * rows - 1, 2 * columns - 1)


def maps_to_store(
    model: VisionModel,
    heads: Sequence[Head],
    dataset: Dataset,
    store: str | Path,
    count: int | None = None,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Store the attention maps of heads, except those that the store already holds.

    Parameters
    ----------
    model, heads, dataset, count, progress
        See `mean_attention`.
    store : str or Path
        The folder; made if it does not exist.
    force : bool
        See `featviz.rendering.job.render_to_store`.

    Returns
    -------
    JobSummary

    Raises
    ------
    FeatvizError
        If an image cannot be read, or the store is of another model, data or number of images,
        damaged, or cannot be written.
    """
    progress = as_progress(progress)
    recorded = None if force else stored_configuration(store, KIND)
    dataset = dataset.readable(dataset.indices(count), recorded)
    configuration = dataset.configuration(len(dataset.indices(count)))
    writer = open_writer(model, store, KIND, configuration, force)
    missing = [head for head in heads if str(head) not in writer.done]
    if missing:
        found = mean_attention(model, missing, dataset, count, progress=progress)
        for site in dict.fromkeys(head.site for head in missing):
            writer.add(_columns({head: maps for head, maps in found.items() if head.site == site}))
    left_out = tuple(dataset.left_out.values())
    return JobSummary(len(missing), len(heads) - len(missing), unreadable=left_out)


def _columns(found: dict[Head, Maps]) -> Columns:
    maps = list(found.values())
    columns = {
        "pattern": [each.pattern.numpy() for each in maps],
        "displacement": [each.displacement.numpy() for each in maps],
        "prefix": [each.prefix for each in maps],
        "self": [each.self_ for each in maps],
        "local": [each.local for each in maps],
        "entropy": [each.entropy for each in maps],
    }
    arrays = {name: np.array(values, np.float32) for name, values in columns.items()}
    return {"address": [str(head) for head in found], **arrays}


def head_pattern(heads: Heads, inputs: Tensor, context: Context, head: int) -> Tensor:
    """Compute the attention pattern of one head.

    Parameters
    ----------
    heads : Heads
        The heads of the attention module.
    inputs : Tensor, shape (N, ..., channels)
        Input of the attention module.
    context : mapping
        Keyword arguments of its call.
    head : int
        Index of the head.

    Returns
    -------
    Tensor, shape (N, T, T)
        Queries in rows, each of which sums to 1; float32, or float64 if the inputs are.
    """
    tokens = inputs.flatten(1, -2)
    index = torch.full((len(tokens),), head, device=tokens.device)
    query, key = (side.project(tokens, index) for side in (heads.query, heads.key))
    rotation = heads.rotation(context)
    if rotation is not None:
        own = rotation[head if len(rotation) > 1 else 0]
        query, key = heads.rotate(query, own), heads.rotate(key, own)
    logits = query @ key.mT * heads.scale
    bias = heads.bias(context)
    if bias is not None:
        logits = logits + bias[head].to(logits)
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
