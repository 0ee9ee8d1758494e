"""`featviz attention`."""

from __future__ import annotations

from typing import Any

import click

from cli.options import data_options, force_option, load_model, model_options, store_option
from cli.output import json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.analysis.attention.heads import Head, find_heads
from featviz.analysis.attention.maps import maps_to_store
from featviz.analysis.attention.suggest import strongest_displacement, suggest
from featviz.data.datasets import open_data
from featviz.store.columns import Row
from featviz.store.reader import Store

SHARES = ("prefix", "self", "local", "entropy")


@click.command()
@model_options
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@data_options
@store_option
@click.option("--images", type=click.IntRange(1), metavar="N", help="Of the data; all if absent.")
@force_option
@json_option
def attention(
    model: str,
    sites: tuple[str, ...],
    data: str,
    download: bool,
    store: str,
    images: int | None,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
) -> None:
    """Store where heads look on average over a dataset, and say which logits to render.

    A SITE such as blocks.3.attn.qk:0-2 names heads; without any, all of them are mapped. What is
    in the store is not computed again. The table has, for each head, the shares of the patches'
    attention to class and register tokens, to the patch itself and to its eight neighbors, the
    entropy in nats, the strongest displacement with its lift over uniform attention, and
    selectors that `featviz render` and `featviz gradients` take.

    \b
    featviz attention cueworld/vit --data cueworld:500 -o attention
    featviz attention cueworld/vit blocks.3.attn.qk:0-2 --data cueworld:90 -o some --json
    """
    loaded = load_model(model, untrained, arch, device)
    heads = find_heads(loaded, *sites)
    dataset = open_data(data, download)
    with picture_bar("") as progress:
        summary = maps_to_store(loaded, heads, dataset, store, images, force, progress)
    opened = Store(store)
    found = [
        _report(head, opened.row(str(head), "attention"), loaded.has_class_token) for head in heads
    ]
    if as_json:
        print_json({"store": store, "heads": found})
    else:
        headings = ("head", *SHARES, "strongest", "lift", "suggestion")
        print_table([headings, *map(_row, found)])
    counts = f"{summary.stored} heads mapped, {summary.done} were there"
    click.echo(f"{store}: {counts}", err=True)


def _report(head: Head, row: Row, has_class_token: bool) -> dict[str, Any]:
    shift, lift = strongest_displacement(row["displacement"], head.site.positions)
    named = suggest(head, row["pattern"], row["displacement"], has_class_token)
    return {
        "address": str(head),
        **{name: float(row[name]) for name in SHARES},
        "displacement": {"rows": shift.rows, "columns": shift.columns, "lift": lift},
        "suggestions": [{"address": str(one.unit), "lift": one.lift} for one in named],
    }


def _row(report: dict[str, Any]) -> tuple[object, ...]:
    way = report["displacement"]
    shares = (round(report[name], 3) for name in SHARES)
    where = f"{way['rows']}.{way['columns']}"
    addresses = " ".join(one["address"] for one in report["suggestions"])
    return report["address"], *shares, where, round(way["lift"], 2), addresses
