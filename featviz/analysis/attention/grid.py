"""Grids of pictures: one for each pair of some query and some key tokens of a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz._util.progress import Progress, as_progress
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.addressing.tokens import Pair
from featviz.analysis.attention.figure import TokenLayout, draw_grid
from featviz.analysis.attention.heads import Head
from featviz.errors import FeatvizError
from featviz.optimization.recipe import Recipe
from featviz.rendering.job import render_to_store
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Grid:
    """All pairs of some query and some key tokens in one head.

    `str` returns its address, ``blocks.2.attn.qk:0@q10,20.k10,30``.

    Attributes
    ----------
    head : Head
    queries, keys : tuple of int
        Positions; the class token is 0.
    """

    head: Head
    queries: tuple[int, ...]
    keys: tuple[int, ...]

    def __str__(self) -> str:
        sides = (",".join(map(str, side)) for side in (self.queries, self.keys))
        return "{}@q{}.k{}".format(self.head, *sides)

    @property
    def units(self) -> list[Unit]:
        """The logit of each pair, in rows of a query each."""
        return [
            Unit(self.head.site.path, self.head.index, Pair(query, key))
            for query in self.queries
            for key in self.keys
        ]


def find_grids(model: VisionModel, *selectors: str) -> list[Grid]:
    """Expand selectors to a grid for each head.

    Parameters
    ----------
    model : VisionModel
    *selectors : str
        Such as ``blocks.2.attn.qk:0-3@q10,20.k10,30``. All must have the same query and key
        tokens, so that the figures have one shape.

    Returns
    -------
    list of Grid
        In the order given, each once. The class token is token 0, however it was written.

    Raises
    ------
    FeatvizError
        If a selector is malformed, names something that the model does not have or no token pairs,
        or the selectors differ in their tokens.
    """
    found = dict.fromkeys(grid for selector in selectors for grid in _expand(model, selector))
    sides = {(grid.queries, grid.keys) for grid in found}
    if len(sides) > 1:
        raise FeatvizError(
            "the grids of one store must have the same queries and keys; use a store for each set"
        )
    return list(found)


def grids_to_store(
    model: VisionModel,
    grids: Sequence[Grid],
    recipe: Recipe,
    store: str | Path,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Render every pair of grids and draw a figure of each, except those in the store.

    The pictures are stored as `renders`, one for each pair. A figure shows the sample with the
    highest activation.

    Parameters
    ----------
    model : VisionModel
    grids : sequence of Grid
        See `find_grids`.
    recipe : Recipe
        Without `split_qk`: one image for each unit.
    store : str or Path
        The folder; made if it does not exist.
    force, progress
        See `featviz.rendering.job.render_to_store`.

    Returns
    -------
    JobSummary
        Counts are of figures. The failures are pairs that could not be rendered; their grids are
        not drawn.

    Raises
    ------
    FeatvizError
        If the store is of another model, recipe or other tokens, damaged, or cannot be written.
    """
    progress = as_progress(progress)
    configuration = recipe.to_json() | {
        "queries": list(grids[0].queries),
        "keys": list(grids[0].keys),
    }
    # With force, opening the renders may set aside the store of this first writer.
    open_writer(model, store, "grids", configuration, force)
    open_writer(model, store, "renders", recipe.to_json(), force)
    writer = open_writer(model, store, "grids", configuration)
    missing = [grid for grid in grids if str(grid) not in writer.done]
    pairs = [unit for grid in missing for unit in grid.units]
    summary = render_to_store(model, pairs, recipe, store, progress=progress)
    rendered, drawn = Store(store), 0
    for grid in missing:
        if summary.failures.keys().isdisjoint(map(str, grid.units)):
            # First the layout: a stored grid counts as done.
            writer.add(_layout_columns(grid), "grid_layouts")
            writer.add(_columns(model, grid, rendered))
            drawn += 1
    return JobSummary(
        drawn, len(grids) - len(missing), summary.failures, constants=summary.constants
    )


def _columns(model: VisionModel, grid: Grid, store: Store) -> Columns:
    rows = [store.row(str(unit)) for unit in grid.units]
    best = [row["images"][int(row["activation"].argmax())] for row in rows]
    shape = (len(grid.queries), len(grid.keys))
    pictures = np.stack(best)
    values = np.array([row["activation"].max() for row in rows], np.float32).reshape(shape)
    figure = draw_grid(
        f"{model.name}  {grid.head}",
        TokenLayout(_patches(grid), grid.head.site.prefix, model.has_class_token),
        grid.queries,
        grid.keys,
        pictures.reshape(*shape, *pictures.shape[1:]),
        values,
    )
    return {
        "address": [str(grid)],
        "queries": np.array([grid.queries], np.int32),
        "keys": np.array([grid.keys], np.int32),
        "activation": values[None],
        "figure": figure[None],
    }


def _layout_columns(grid: Grid) -> Columns:
    return {
        "address": [str(grid)],
        "grid": np.array([_patches(grid)], np.int32),
        "prefix": np.array([grid.head.site.prefix], np.int32),
    }


def _patches(grid: Grid) -> tuple[int, int]:
    """Return rows and columns of the patches; one row if they form no grid."""
    site = grid.head.site
    return site.grid or (1, site.positions - site.prefix)


def _expand(model: VisionModel, selector: str) -> list[Grid]:
    pairs: dict[tuple[str, Any], list[Pair]] = {}
    for unit in units(model, selector):
        if not (isinstance(unit.index, int) and isinstance(unit.token, Pair)):
            raise FeatvizError(
                f"{selector} names no token pairs of a head; a grid looks like "
                "blocks.2.attn.qk:0@q10,20,30.k10,20,30"
            )
        pairs.setdefault((unit.site, unit.index), []).append(unit.token)
    return [
        Grid(
            Head(model.sites[site], index),
            _positions([pair.query for pair in found]),
            _positions([pair.key for pair in found]),
        )
        for (site, index), found in pairs.items()
    ]


def _positions(tokens: list[Any]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(0 if token == "cls" else token for token in tokens))
