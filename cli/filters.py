"""`featviz filters`."""

from __future__ import annotations

from collections import Counter

import click

from cli.options import force_option, load_model, model_options, store_option
from cli.output import json_option, print_json, print_table
from featviz.store.reader import Store


@click.command()
@model_options
@store_option
@force_option
@json_option
def filters(
    model: str,
    store: str,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
) -> None:
    """Store the filters of the first layer, and count their classes.

    The layer is a patch embedding or another convolution on RGB. Besides its filters, their
    principal components are stored, and how alike the learned position embeddings are, if the
    model has any. What is in the store is not computed again.

    \b
    featviz filters cueworld/vit -o filters
    featviz filters torchvision/googlenet --untrained -o filters --json
    """
    # scikit-learn takes a second to import, and no other command needs it.
    from featviz.analysis.filters.classes import CLASSES  # noqa: PLC0415
    from featviz.analysis.filters.job import store_filters

    summary = store_filters(load_model(model, untrained, arch, device), store, force)
    found = Counter(row["class"] for row in Store(store).rows("filters"))
    counts = {name: found[name] for name in CLASSES}
    if as_json:
        print_json(
            {"store": store, "classes": counts, "stored": summary.stored, "done": summary.done}
        )
    else:
        rows: list[tuple[object, ...]] = [("class", "filters"), *counts.items()]
        print_table(rows)
    for kind, stored in summary.stored.items():
        click.echo(f"{store}: {stored} {kind} stored, {summary.done[kind]} were there", err=True)
