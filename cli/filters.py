"""`featviz filters`."""

from __future__ import annotations

from collections import Counter

import click

from cli.options import force_option, load_model, model_options, store_option
from cli.output import json_option, print_json, print_summary, print_table
from featviz.models.loading.options import LoadOptions


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
    options: LoadOptions,
    device: str,
) -> None:
    """Store and classify the filters of the first layer.

    The first layer is a patch embedding or another convolution on RGB. Stores the filters as
    images with their class, their principal components, and the similarities of learned position
    embeddings if the model has any. Prints the number of filters in each class.

    \b
    Examples:
      featviz filters cueworld/vit -o filters
      # A convolutional network
      featviz filters torchvision/googlenet --untrained -o googlenet
    """
    loaded = load_model(model, options, device)

    from featviz.analysis.filters.classes import CLASSES
    from featviz.analysis.filters.job import store_filters
    from featviz.store.reader import Store

    summaries = store_filters(loaded, store, force)
    found = Counter(row["class"] for row in Store(store).rows("filters"))
    counts = {name: found[name] for name in CLASSES}
    if as_json:
        stored = {kind: summary.stored for kind, summary in summaries.items()}
        done = {kind: summary.done for kind, summary in summaries.items()}
        print_json({"store": store, "classes": counts, "stored": stored, "done": done})
    else:
        rows: list[tuple[object, ...]] = [("class", "filters"), *counts.items()]
        print_table(rows)
    for kind, summary in summaries.items():
        print_summary(store, summary, f"{kind} stored")
