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
from cli.output import SOME_FAILED, json_option, print_json
from cli.progress import picture_bar
from featviz.analysis.attention.grid import find_grids, grids_to_store


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@force_option
@json_option
@click.pass_context
def grid(
    ctx: click.Context,
    /,
    model: str,
    selectors: tuple[str, ...],
    store: str,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
    **settings: Any,
) -> None:
    """Render every pair of some query and some key tokens, and draw a figure for each head.

    The figure has a row for each query and a column for each key, with every picture's value and a
    map of where the two tokens lie. `featviz gallery` shows it. Running the command again
    resumes it.

    \b
    featviz grid cueworld/vit blocks.2.attn.qk:0@q10,20,30.k10,20,30 -o grid
    featviz grid cueworld/vit blocks.2,6.attn.qk:all@q1,37.k0,1,37 -o grids --steps 256
    """
    loaded = load_model(model, untrained, arch, device)
    grids = find_grids(loaded, *selectors)
    recipe = recipe_for(loaded, store, **settings)
    with picture_bar("") as progress:
        summary = grids_to_store(loaded, grids, recipe, store, force, progress)
    if as_json:
        counts = {"store": store, "drawn": summary.drawn, "done": summary.done}
        print_json({**counts, "grids": list(map(str, grids)), "failures": summary.failures})
    for unit, reason in summary.failures.items():
        click.echo(f"failed: {unit}: {reason}", err=True)
    counts_told = f"{summary.drawn} figures drawn, {summary.done} were there"
    click.echo(f"{store}: {counts_told}, {len(summary.failures)} pictures failed", err=True)
    ctx.exit(SOME_FAILED if summary.failures else 0)
