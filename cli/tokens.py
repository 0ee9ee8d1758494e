"""`featviz tokens`."""

from __future__ import annotations

import math
from typing import Any

import click
import numpy.typing as npt

from cli.options import (
    force_option,
    load_model,
    model_options,
    recipe_for,
    recipe_options,
    store_option,
)
from cli.output import SOME_FAILED, json_option, print_json, print_table
from cli.progress import picture_bar
from cli.render import Batch
from featviz.addressing.selectors import units
from featviz.analysis.tokens.job import KIND, by_unit, tokens_to_store
from featviz.analysis.tokens.scores import TokenScores
from featviz.store.reader import Store


@click.command()
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@store_option
@recipe_options
@click.option("--batch", type=Batch(), default="auto", show_default=True, help="Pictures at once.")
@force_option
@json_option
@click.pass_context
def tokens(
    ctx: click.Context,
    /,
    model: str,
    selectors: tuple[str, ...],
    store: str,
    batch: int | None,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
    **settings: Any,
) -> None:
    """Score how far one picture over all patches speaks for each token.

    Renders each unit as the mean over patches and at each of the tokens that a SELECTOR names, and
    prints two medians over these tokens: `share` says which part of the best value at a token the
    picture over all patches reaches, `likeness` how alike the two pictures are. Running the command
    again resumes it.

    \b
    featviz tokens cueworld/vit blocks.8.mlp.fc1:2@all -o tokens
    featviz tokens cueworld/vit blocks.5-8.mlp.fc1:0-3@1,8,28 -o some --steps 128 --json
    """
    loaded = load_model(model, untrained, arch, device)
    chosen = by_unit(loaded, units(loaded, *selectors))
    recipe = recipe_for(loaded, store, **settings)
    parts = [part for some in chosen.values() for part in some]
    with picture_bar("") as progress:
        summary = tokens_to_store(loaded, parts, recipe, store, batch, force, progress)
    opened = Store(store)
    there = set(opened.addresses(KIND))
    scores = [
        TokenScores.from_row(opened.row(str(unit), KIND)) for unit in chosen if str(unit) in there
    ]
    if as_json:
        failures = {str(unit): reason for unit, reason in summary.failures.items()}
        print_json({"store": store, "units": list(map(_report, scores)), "failures": failures})
    else:
        rows = [(each.address, len(each.tokens), each.ratio, each.alike) for each in scores]
        print_table([("unit", "tokens", "share", "likeness"), *rows])
    for unit, reason in summary.failures.items():
        click.echo(f"failed: {unit}: {reason}", err=True)
    counts = f"{summary.scored} units scored, {summary.done} were there"
    click.echo(f"{store}: {counts}, {len(summary.failures)} pictures failed", err=True)
    ctx.exit(SOME_FAILED if summary.failures else 0)


def _report(scores: TokenScores) -> dict[str, Any]:
    """Put scores into values that JSON has; a share that is not known is null."""
    columns: dict[str, npt.NDArray[Any]] = {
        "tokens": scores.tokens,
        "optimum": scores.optimum,
        "reached": scores.reached,
        "share": scores.share,
        "likeness": scores.similarity,
    }
    at = {name: [_known(value) for value in column.tolist()] for name, column in columns.items()}
    share = _known(scores.ratio)
    return {"address": scores.address, "share": share, "likeness": scores.alike, "at": at}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
