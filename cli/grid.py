"""`featviz grid`."""

from __future__ import annotations

from typing import Any

import click

from cli.options import (
    force_option,
    load_model,
    model_options,
    recipe_for,
    recipe_options,
    store_option,
)
from cli.output import finish, json_option, print_json
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@force_option
@json_option
def grid(
    model: str,
    selectors: tuple[str, ...],
    store: str,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
    **settings: Any,
) -> None:
    """Render query-key pairs of attention heads as a figure.

    Renders the logit of every pair of the query and key tokens that a SELECTOR lists, and draws
    one figure per head: a row for each query, a column for each key, with the activation and the
    positions of both tokens. `featviz gallery` shows the grids.

    \b
    Examples:
      # 3 x 3 pairs of head 0 in block 2
      featviz grid cueworld/vit blocks.2.attn.qk:0@q10,20,30.k10,20,30 -o grid
      # All heads of two blocks
      featviz grid cueworld/vit blocks.2,6.attn.qk:all@q1,37.k0,1,37 -o grids
    """
    loaded = load_model(model, options, device)

    from featviz.analysis.attention.grid import find_grids, grids_to_store

    grids = find_grids(loaded, *selectors)
    recipe = recipe_for(loaded, store, **settings)
    with progress_bar() as progress:
        summary = grids_to_store(loaded, grids, recipe, store, force, progress)
    if as_json:
        counts = {"store": store, "drawn": summary.stored, "done": summary.done}
        print_json({**counts, "grids": list(map(str, grids)), "failures": summary.failures})
    finish(store, summary, "figures drawn")
