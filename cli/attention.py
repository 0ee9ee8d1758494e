"""`featviz attention`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    data_options,
    force_option,
    images_option,
    load_model,
    model_options,
    store_option,
)
from cli.output import finish, json_option, print_json, print_table
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    from featviz.analysis.attention.heads import Head
    from featviz.store.columns import Row

SHARES = ("prefix", "self", "local", "entropy")


@click.command()
@model_options
@click.argument("sites", nargs=-1, metavar="[HEAD]...")
@data_options
@store_option
@images_option(1)
@force_option
@json_option
def attention(
    model: str,
    sites: tuple[str, ...],
    data: str,
    download: bool,
    skip_unreadable: bool,
    store: str,
    images: int | None,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
) -> None:
    """Map where attention heads attend over a dataset.

    Stores the mean attention pattern of each HEAD, such as blocks.3.attn.qk:0-2; of all heads if
    none is given. Prints, for each head: the shares of the patches' attention that go to class
    and register tokens (prefix), to the patch itself (self) and to its eight neighbors (local);
    the entropy in nats; the displacement with the strongest attention (rows.columns) and its lift
    over uniform attention; and selectors of logits worth rendering (suggestion), for `featviz
    render`, `featviz grid` and `featviz gradients`.

    \b
    Examples:
      # All heads, over 500 images
      featviz attention cueworld/vit --data cueworld:500 -o attention
      # Three heads of block 3
      featviz attention cueworld/vit blocks.3.attn.qk:0-2 --data cueworld -o some
    """
    loaded = load_model(model, options, device)

    from featviz.analysis.attention.heads import find_heads
    from featviz.analysis.attention.maps import maps_to_store
    from featviz.data.datasets import open_data
    from featviz.store.reader import Store

    heads = find_heads(loaded, *sites)
    dataset = open_data(data, download, skip_unreadable)
    with progress_bar() as progress:
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
    finish(store, summary, "heads mapped")


def _report(head: Head, row: Row, has_class_token: bool) -> dict[str, Any]:
    from featviz.analysis.attention.suggest import strongest_displacement, suggest

    shift, lift = strongest_displacement(row["displacement"], head.site.positions)
    suggestions = suggest(head, row["pattern"], row["displacement"], has_class_token)
    return {
        "address": str(head),
        **{name: float(row[name]) for name in SHARES},
        "displacement": {"rows": shift.rows, "columns": shift.columns, "lift": lift},
        "suggestions": [{"address": str(each.unit), "lift": each.lift} for each in suggestions],
    }


def _row(report: dict[str, Any]) -> tuple[object, ...]:
    displacement = report["displacement"]
    shares = (round(report[name], 3) for name in SHARES)
    strongest = f"{displacement['rows']}.{displacement['columns']}"
    addresses = " ".join(each["address"] for each in report["suggestions"])
    return report["address"], *shares, strongest, round(displacement["lift"], 2), addresses
