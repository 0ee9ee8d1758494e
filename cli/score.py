"""`featviz score`."""

from __future__ import annotations

import math
from typing import Any

import click

from cli.options import load_model_of
from cli.output import SOME_FAILED, json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.analysis.evidence.checks import converged
from featviz.analysis.scores.job import KIND, scores_to_store
from featviz.store.columns import Row
from featviz.store.reader import Store

SHOWN = ("held_out", "fine", "grid", "spectrum", "rise", "agreement", "similarity")
DATA_HELP = "A dataset whose spectrum is the natural one; a power of 1 / f^2 if absent."


@click.command()
@click.argument("store")
@click.option("--data", metavar="DATA", help=DATA_HELP)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Render from N seeds to tell how far they agree.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1")
@click.option("--force", is_flag=True, help="Rename scores that are in the way.")
@json_option
@click.pass_context
def score(
    ctx: click.Context,
    store: str,
    data: str | None,
    seeds: int,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Tell how far the pictures in a STORE may be trusted, in numbers.

    Of each picture: its unit's value on views that no optimization used, shares of its energy at
    fine frequencies and on the patch grid, the distance of its spectrum from that of natural
    images, and whether the optimization was over. Of each unit: how alike its pictures are, and
    those of other seeds. The table shows the best picture of each unit. Running the command again
    resumes it.

    \b
    featviz score neurons
    featviz score neurons --data cueworld --json
    """
    opened = Store(store)
    with picture_bar("") as progress:
        summary = scores_to_store(
            load_model_of(opened, device), store, data, seeds, force, progress
        )
    opened = Store(store)
    reports = [_report(row, opened.row(row["address"])) for row in opened.rows(KIND)]
    if as_json:
        rest = {"sides": summary.sides, "failures": summary.failures}
        print_json({"store": store, "units": [_plain(each) for each in reports], **rest})
    else:
        print_table([("unit", "activation", *SHOWN), *map(_best, reports)])
    for address, reason in summary.failures.items():
        click.echo(f"failed: {address}: {reason}", err=True)
    if summary.sides:
        click.echo(f"{summary.sides} units with pictures of two sides are not scored", err=True)
    counts = f"{summary.scored} units scored, {summary.done} were there"
    click.echo(f"{store}: {counts}, {len(summary.failures)} failed", err=True)
    ctx.exit(SOME_FAILED if summary.failures else 0)


def _report(row: Row, render: Row) -> dict[str, Any]:
    """Put the numbers of a unit beside its activation; those of pictures are lists."""
    columns = {name: row[name].tolist() for name in SHOWN}
    over = converged(row["rise"]).tolist()
    activation = render["activation"].tolist()
    return {"address": row["address"], "activation": activation, **columns, "converged": over}


def _best(report: dict[str, Any]) -> tuple[object, ...]:
    """Make the row of the table: the numbers of the picture with the highest activation."""
    activation = report["activation"]
    best = activation.index(max(activation))
    cells = (report[name] for name in SHOWN)
    picked = (cell[best] if isinstance(cell, list) else cell for cell in cells)
    return (report["address"], activation[best], *picked)


def _plain(report: dict[str, Any]) -> dict[str, Any]:
    """Replace what JSON has not, NaN, by null."""
    return {name: _known(value) for name, value in report.items()}


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return [_known(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
