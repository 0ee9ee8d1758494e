"""`featviz gradients`."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import (
    MultiImageCommand,
    force_option,
    image_files_option,
    load_model,
    model_options,
    store_option,
)
from cli.output import finish, json_option, print_json, print_table
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions


@click.command(cls=MultiImageCommand)
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@image_files_option
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
    options: LoadOptions,
    device: str,
) -> None:
    """Store gradient maps of attention logits on images.

    A map is the gradient of a logit with respect to the pixels, as a norm over the colors. Each
    logit and image has two: with the gradient flowing through the query only, and through the key
    only. Prints the logit and the norms of both gradients.

    \b
    Examples:
      # Head 0 of block 2, query token 20 and key token 30
      featviz gradients cueworld/vit blocks.2.attn.qk:0@q20.k30 --image a.png -o a
      # All heads of block 6, averaged over the patches as query and key
      featviz gradients cueworld/vit blocks.6.attn.qk:all@same --image a.png -o b
    """
    loaded = load_model(model, options, device)

    import numpy as np

    from featviz.addressing.selectors import units
    from featviz.analysis.attention.gradients import gradients_to_store
    from featviz.store.reader import Store

    chosen = units(loaded, *selectors)
    with progress_bar() as progress:
        summary = gradients_to_store(loaded, chosen, files, store, force, progress)
    opened = Store(store)
    found = []
    for unit in chosen:
        row = opened.row(str(unit), "gradients")
        for index, file in enumerate(files):
            query, key = (float(np.linalg.norm(row[side][index])) for side in ("query", "key"))
            found.append((str(unit), file, float(row["activation"][index]), query, key))
    if as_json:
        names = ("address", "image", "activation", "query", "key")
        rows = [dict(zip(names, each, strict=True)) for each in found]
        print_json({"store": store, "gradients": rows})
    else:
        shown = [(address, Path(file).name, *values) for address, file, *values in found]
        print_table([("unit", "image", "activation", "query", "key"), *shown])
    finish(store, summary, "units mapped")
