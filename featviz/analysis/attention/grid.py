"""What a head compares: a picture for each pair of some query and some key tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.addressing.tokens import Pair
from featviz.analysis.attention.figure import Tokens, draw_grid
from featviz.analysis.attention.heads import Head
from featviz.errors import FeatvizError
from featviz.optimization.recipe import Recipe
from featviz.rendering.render import render_to_store
from featviz.store.columns import Columns
from featviz.store.jobs import open_writer
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Grid:
    """All pairs of some query and some key tokens in one head.

    `str` gives its address, ``blocks.2.attn.qk:0@q10,20.k10,30``.
    """

    head: Head
    queries: tuple[int, ...]
    keys: tuple[int, ...]

    def __str__(self) -> str:
        sides = (",".join(map(str, side)) for side in (self.queries, self.keys))
        return "{}@q{}.k{}".format(self.head, *sides)

    @property
    def units(self) -> list[Unit]:
        """Return the logit of each pair, one query after the other."""
        return [
            Unit(self.head.site.path, self.head.number, Pair(query, key))
            for query in self.queries
            for key in self.keys
        ]


def find_grids(model: VisionModel, *selectors: str) -> list[Grid]:
    """Expand selectors such as ``blocks.2.attn.qk:0-3@q10,20.k10,30`` to a grid for each head.

    The class token is token 0 here, however it is written.

    Parameters
    ----------
    selectors : str
        All of the same query and key tokens, so that their figures have one shape.

    Raises
    ------
    FeatvizError
        If a selector is malformed, names what the model has not, or no pairs of tokens, or the
        selectors differ in their tokens.
    """
    found = dict.fromkeys(grid for selector in selectors for grid in _expand(model, selector))
    sides = {(grid.queries, grid.keys) for grid in found}
    if len(sides) > 1:
        raise FeatvizError(
            "the grids of one store have the same queries and keys; give each set a store of its "
            "own"
        )
    return list(found)


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    drawn, done : int
        Figures made by this call, and figures that were there.
    failures : dict of str to str
        Addresses of pairs that could not be rendered in this call, and why; their grids are not
        drawn.
    """

    drawn: int
    done: int
    failures: dict[str, str]


def grids_to_store(
    model: VisionModel,
    grids: Sequence[Grid],
    recipe: Recipe,
    store: str | Path,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Render every pair of some grids and draw a figure of each, as far as they are not there.

    The pictures are `renders` of the store, which are kept one by one. A figure shows the sample
    with the highest value.

    Parameters
    ----------
    grids : sequence of Grid
        See `find_grids`.
    recipe : Recipe
        Of one image a unit, not of two sides.
    force : bool
        See `featviz.rendering.render.render_to_store`.

    Raises
    ------
    FeatvizError
        If the store is of another model, recipe or other tokens, damaged, or cannot be written.
    """
    configuration = recipe.to_json() | {
        "queries": list(grids[0].queries),
        "keys": list(grids[0].keys),
    }
    # With force, opening the renders may set the store aside under this writer.
    open_writer(model, store, "grids", configuration, force)
    open_writer(model, store, "renders", recipe.to_json(), force)
    writer = open_writer(model, store, "grids", configuration)
    missing = [grid for grid in grids if str(grid) not in writer.done]
    wanted = [unit for grid in missing for unit in grid.units]
    summary = render_to_store(model, wanted, recipe, store, progress=progress)
    failures = {str(unit): reason for unit, reason in summary.failures.items()}
    rendered, drawn = Store(store), 0
    for grid in missing:
        if failures.keys().isdisjoint(map(str, grid.units)):
            writer.add(_columns(model, grid, rendered))
            drawn += 1
    return Summary(drawn, len(grids) - len(missing), failures)


def _columns(model: VisionModel, grid: Grid, store: Store) -> Columns:
    rows = [store.row(str(unit)) for unit in grid.units]
    best = [int(row["activation"].argmax()) for row in rows]
    shape = (len(grid.queries), len(grid.keys))
    pictures = np.stack([row["images"][one] for row, one in zip(rows, best, strict=True)])
    values = np.array([row["activation"].max() for row in rows], np.float32).reshape(shape)
    site = grid.head.site
    side = site.grid or (1, site.positions - site.prefix)
    tokens = Tokens(side, site.prefix, model.has_class_token)
    title = f"{model.name}  {grid.head}"
    figure = draw_grid(
        title,
        tokens,
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


def _expand(model: VisionModel, selector: str) -> list[Grid]:
    pairs: dict[tuple[str, Any], list[Pair]] = {}
    for unit in units(model, selector):
        if not (isinstance(unit.index, int) and isinstance(unit.token, Pair)):
            raise FeatvizError(
                f"{selector} names no pairs of tokens of a head; a grid looks like "
                "blocks.2.attn.qk:0@q10,20,30.k10,20,30"
            )
        pairs.setdefault((unit.site, unit.index), []).append(unit.token)
    return [
        Grid(
            Head(model.sites[site], number),
            _numbers([pair.query for pair in found]),
            _numbers([pair.key for pair in found]),
        )
        for (site, number), found in pairs.items()
    ]


def _numbers(tokens: list[Any]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(0 if token == "cls" else token for token in tokens))
