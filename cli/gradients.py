"""`featviz gradients`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from cli.activations import ManyImages
from cli.options import force_option, load_model, model_options, store_option
from cli.output import json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.addressing.selectors import units
from featviz.analysis.attention.gradients import gradients_to_store
from featviz.store.reader import Store


@click.command(cls=ManyImages)
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="QK_UNIT...")
@click.option(
    "--image", "files", multiple=True, required=True, metavar="FILE...", help="Image files to read."
)
@store_option
@force_option
@json_option
def gradients(
    model: str,
    selectors: tuple[str, ...],
    files: tuple[str, ...],
    store: str,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
) -> None:
    """Store which pixels of images move a logit, through its query and through its key.

    Two maps of each unit and image: the gradient's norm over the colors when it may flow through
    the query only, and through the key only. The table has the logit and the norm of either whole
    gradient. What is in the store is not computed again.

    \b
    featviz gradients cueworld/vit blocks.2.attn.qk:0@q20.k30 --image red.png blue.png -o gradients
    featviz gradients cueworld/vit blocks.6.attn.qk:all@same --image red.png -o same --json
    """
    loaded = load_model(model, untrained, arch, device)
    chosen = units(loaded, *selectors)
    with picture_bar("") as progress:
        summary = gradients_to_store(loaded, chosen, files, store, force, progress)
    opened = Store(store)
    found = []
    for unit in chosen:
        row = opened.row(str(unit), "gradients")
        for number, file in enumerate(files):
            query, key = (float(np.linalg.norm(row[side][number])) for side in ("query", "key"))
            found.append((str(unit), file, float(row["activation"][number]), query, key))
    if as_json:
        names = ("address", "image", "activation", "query", "key")
        rows = [dict(zip(names, one, strict=True)) for one in found]
        print_json({"store": store, "gradients": rows})
    else:
        told = [(one[0], Path(one[1]).name, *one[2:]) for one in found]
        print_table([("unit", "image", "activation", "query", "key"), *told])
    counts = f"{summary.stored} units mapped, {summary.done} were there"
    click.echo(f"{store}: {counts}", err=True)
