"""`featviz score`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    device_option,
    force_results_option,
    load_model_of,
    moved_model_option,
    skip_unreadable_option,
)
from cli.output import finish, json_option, print_json, print_message, print_table
from cli.paths import PATH
from cli.progress import progress_bar

if TYPE_CHECKING:
    from featviz.store.columns import Row

SHOWN = ("held_out", "fine", "grid", "spectrum", "rise", "agreement", "similarity")


@click.command()
@click.argument("store", type=PATH)
@click.option(
    "--data",
    metavar="DATA",
    help="Dataset whose mean power spectrum is the natural one.  [default: 1 / f^2]",
)
@skip_unreadable_option
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of seeds to measure the agreement of; renders each unit N - 1 more times.",
)
@moved_model_option
@device_option
@force_results_option
@json_option
def score(
    store: str,
    data: str | None,
    skip_unreadable: bool,
    seeds: int,
    model: str | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Score the quality of the images in a store.

    Stores the scores with the images, and prints those of each unit's best image:

    \b
      held_out    activation under transformations that no recipe uses
      fine        share of the energy above 0.25 cycles per pixel
      grid        share of the energy that repeats from patch to patch
      spectrum    distance from the natural power spectrum, in powers of ten
      rise        share of the increase that the last doubling of steps made
      agreement   similarity to images of other seeds, in [0, 1]
      similarity  similarity between the images of the unit, in [0, 1]

    Units with separate images for query and key are not scored.

    \b
    Examples:
      featviz score neurons
      # With the spectrum of a dataset, and a second seed
      featviz score neurons --data cueworld --seeds 2
    """
    from featviz.store.reader import Store

    opened = Store(store)
    loaded = load_model_of(opened, model, device)

    from featviz.analysis.scores.job import KIND, scores_to_store

    with progress_bar() as progress:
        summary = scores_to_store(loaded, store, data, seeds, force, progress, skip_unreadable)
    opened = Store(store)
    reports = [_report(row, opened.row(row["address"])) for row in opened.rows(KIND)]
    sides = summary.others["sides"]
    if as_json:
        units = [_without_nan(each) for each in reports]
        failures = summary.failures
        print_json({"store": store, "units": units, "sides": sides, "failures": failures})
    else:
        print_table([("unit", "activation", *SHOWN), *map(_best, reports)])
    if sides:
        print_message(f"{sides} units with separate query and key images are not scored")
    finish(store, summary, "units scored")


def _report(row: Row, render: Row) -> dict[str, Any]:
    """Collect the scores of a unit; those of single images are lists."""
    from featviz.analysis.scores.metrics import converged

    return {
        "address": row["address"],
        "activation": render["activation"].tolist(),
        **{name: row[name].tolist() for name in SHOWN},
        "converged": converged(row["rise"]).tolist(),
    }


def _best(report: dict[str, Any]) -> tuple[object, ...]:
    """Make the row of the table: the scores of the image with the highest activation."""
    activation = report["activation"]
    best = activation.index(max(activation))
    cells = (report[name] for name in SHOWN)
    picked = (cell[best] if isinstance(cell, list) else cell for cell in cells)
    return (report["address"], activation[best], *picked)


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
