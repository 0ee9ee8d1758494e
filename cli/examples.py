"""`featviz examples`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    data_options,
    force_option,
    images_option,
    load_model,
    model_options,
    rendered_units,
    store_option,
)
from cli.output import finish, json_option, print_json, print_table
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from featviz.analysis.examples.result import Examples
    from featviz.data.datasets import Dataset


@click.command()
@model_options
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@data_options
@store_option
@images_option()
@click.option(
    "--top",
    default=9,
    show_default=True,
    metavar="K",
    help="Number of images with the highest and with the lowest activation to store.",
)
@force_option
@json_option
def examples(
    model: str,
    selectors: tuple[str, ...],
    data: str,
    download: bool,
    skip_unreadable: bool,
    store: str,
    images: int | None,
    top: int,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
) -> None:
    """Find the dataset images that activate units most.

    Stores, for each unit, the images with the highest and lowest activation, images at quantiles
    in between, and statistics of all activations. Prints the best image (its index in the
    dataset), its activation, the class with the highest mean, and the sparsity. Without a
    SELECTOR, uses all units that the store holds rendered images of.

    \b
    Examples:
      # 16 MLP neurons, on your own images
      featviz examples cueworld/vit blocks.9.mlp.fc1:0-15 --data folder:dogs -o a
      # Attention logits of all heads in block 3
      featviz examples cueworld/vit blocks.3.attn.qk:all@same --data cueworld -o b
      # All latents of a sparse autoencoder, by their pre-activations
      featviz examples vit_base_patch32_224 sae.x:all@max --data cueworld -o d --sae x=PATH
      # Every unit that was rendered into the store
      featviz examples cueworld/vit --data cueworld:5000 -o neurons --top 16
    """
    loaded = load_model(model, options, device)

    from featviz.addressing.selectors import units
    from featviz.analysis.examples.job import examples_to_store
    from featviz.analysis.examples.result import Examples
    from featviz.data.datasets import open_data
    from featviz.store.reader import Store

    chosen = units(loaded, *selectors) if selectors else rendered_units(loaded, store)
    dataset = open_data(data, download, skip_unreadable)
    with progress_bar() as progress:
        summary = examples_to_store(loaded, chosen, dataset, store, images, top, force, progress)
    opened = Store(store)
    addresses = [str(unit) for unit in chosen if str(unit) not in summary.failures]
    found = [Examples.from_row(opened.row(address, "examples")) for address in addresses]
    if as_json:
        settings = opened.configuration["examples"]
        reports = [_report(each, dataset, settings["quantiles"]) for each in found]
        print_json({"store": store, **settings, "units": reports, "failures": summary.failures})
    else:
        rows = [_row(each, dataset.classes) for each in found]
        print_table([("unit", "image", "value", "class", "sparsity"), *rows])
    finish(store, summary, "units stored")


def _row(each: Examples, names: Sequence[str]) -> tuple[object, ...]:
    best = each.top_classes[:1]
    name = names[best[0]] if best else "-"
    return each.address, int(each.top[0]), float(each.top_values[0]), name, each.sparsity


def _report(each: Examples, dataset: Dataset, quantiles: Sequence[float]) -> dict[str, Any]:
    """Convert the examples and statistics of a unit to JSON."""
    spread = _images(dataset, each.spread, each.spread_values, each.spread_tokens)
    return {
        "address": each.address,
        "top": _images(dataset, each.top, each.top_values, each.top_tokens),
        "bottom": _images(dataset, each.bottom, each.bottom_values, each.bottom_tokens),
        "spread": [{"quantile": q} | image for q, image in zip(quantiles, spread, strict=True)],
        "classes": [
            {"class": dataset.classes[index], "mean": float(each.classes[index])}
            for index in each.top_classes
        ],
        "mean": each.mean,
        "deviation": each.deviation,
        "sparsity": each.sparsity if math.isfinite(each.sparsity) else None,
        "active": each.active,
        "percentiles": each.percentiles.tolist(),
        "histogram": each.histogram.tolist(),
        "grid": None if -1 in each.grid else each.grid.tolist(),
        "prefix": each.prefix,
    }


def _images(
    dataset: Dataset,
    images: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.int32],
) -> list[dict[str, Any]]:
    """Describe images; -1 marks missing ones, which are left out."""
    there = [row for row, image in enumerate(images) if image >= 0]
    labels = dataset.labels(images[there].tolist())
    return [
        {
            "image": int(images[row]),
            "value": float(values[row]),
            "class": dataset.classes[label] if 0 <= label < len(dataset.classes) else None,
            **_position(*tokens[row].tolist()),
        }
        for row, label in zip(there, labels, strict=True)
    ]


def _position(token: int, key: int) -> dict[str, int]:
    if key >= 0:
        return {"query": token, "key": key}
    return {"token": token} if token >= 0 else {}
