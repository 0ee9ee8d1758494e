"""`featviz examples`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from cli.output import finish, json_option, named, print_json, print_message, print_table
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from featviz.analysis.examples.firing import Firing
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
    dataset), its activation, the class with the highest mean, and the sparsity; of latents of a
    sparse autoencoder also the density, the share of the tokens on which they fire. Without a
    SELECTOR, uses all units that the store holds rendered images of.

    \b
    Examples:
      # 16 MLP neurons, on your own images
      featviz examples cueworld/vit blocks.9.mlp.fc1:0-15 --data folder:dogs -o a
      # Attention logits of all heads in block 3
      featviz examples cueworld/vit blocks.3.attn.qk:all@same --data cueworld -o b
      # All latents of a sparse autoencoder, by their pre-activations
      featviz examples vit_base_patch32_224 sae.x:all@max --data cueworld -o d --sae x=PATH
      # Those of them that fire on these images, at the class token
      featviz examples vit_base_patch32_224 sae.x:alive@cls --data cueworld -o d --sae x=PATH
      # Every unit that was rendered into the store
      featviz examples cueworld/vit --data cueworld:5000 -o neurons --top 16
    """
    loaded = load_model(model, options, device)

    from featviz.addressing.selectors import units
    from featviz.analysis.examples.firing import KIND as FIRING
    from featviz.analysis.examples.firing import Firing, latent_name
    from featviz.analysis.examples.job import examples_to_store
    from featviz.analysis.examples.result import Examples
    from featviz.data.datasets import open_data
    from featviz.store.reader import Store

    chosen = units(loaded, *selectors, store=store) if selectors else rendered_units(loaded, store)
    dataset = open_data(data, download, skip_unreadable)
    with progress_bar() as progress:
        summary = examples_to_store(loaded, chosen, dataset, store, images, top, force, progress)
    opened = Store(store)
    addresses = [str(unit) for unit in chosen if str(unit) not in summary.failures]
    found = [Examples.from_row(row) for row in opened.rows("examples", addresses)]
    latents = list(filter(latent_name, addresses))
    firing = {row["address"]: Firing.from_row(row) for row in opened.rows(FIRING, latents)}
    dead = list(dict.fromkeys(latent_name(unit) for unit in latents if firing[unit].is_dead))
    if as_json:
        settings = opened.configuration["examples"]
        reports = [
            _report(each, dataset, settings["quantiles"], firing.get(each.address))
            for each in found
        ]
        report = {"store": store, **settings, "units": reports, "failures": summary.failures}
        print_json(report | ({"dead": dead} if latents else {}))
    else:
        rows = [_row(each, dataset.classes, firing) for each in found]
        density = ("density",) if latents else ()
        print_table([("unit", "image", "value", "class", "sparsity", *density), *rows])
    if dead:
        count = len(set(map(latent_name, latents)))
        print_message(f"dead: {len(dead)} of {count} latents fire on no token: {named(dead)}")
    finish(store, summary, "units stored")


def _row(each: Examples, names: Sequence[str], firing: Mapping[str, Firing]) -> tuple[object, ...]:
    best = each.top_classes[:1]
    name = names[best[0]] if best else "-"
    own = firing.get(each.address)
    density: tuple[object, ...] = ("-",) if firing else ()
    if own is not None:
        density = (own.tokens,)
    return each.address, int(each.top[0]), float(each.top_values[0]), name, each.sparsity, *density


def _report(
    each: Examples, dataset: Dataset, quantiles: Sequence[float], firing: Firing | None
) -> dict[str, Any]:
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
        **({} if firing is None else {"firing": _firing_report(firing, quantiles)}),
    }


def _firing_report(firing: Firing, quantiles: Sequence[float]) -> dict[str, Any]:
    values = firing.quantiles.tolist()
    return {
        "tokens": firing.tokens,
        "images": firing.images,
        "quantiles": []
        if firing.is_dead
        else [{"quantile": q, "value": v} for q, v in zip(quantiles, values, strict=True)],
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
