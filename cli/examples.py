"""`featviz examples`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from cli.options import data_options, force_option, load_model, model_options, store_option
from cli.output import SOME_FAILED, json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.analysis.examples.job import examples_to_store
from featviz.analysis.examples.result import Examples
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store


@click.command()
@model_options
@click.argument("selectors", nargs=-1, metavar="[SELECTOR...]")
@data_options
@store_option
@click.option("--images", type=int, metavar="N", help="How many images; all if absent.")
@click.option(
    "--top", default=9, show_default=True, metavar="K", help="Images at the top, and at the bottom."
)
@force_option
@json_option
@click.pass_context
def examples(
    ctx: click.Context,
    /,
    model: str,
    selectors: tuple[str, ...],
    data: str,
    download: bool,
    store: str,
    images: int | None,
    top: int,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
) -> None:
    """Find the images of a dataset that excite units most, and what their values are like.

    One pass over the images serves all units that the SELECTORs stand for; without any, all
    units that are rendered in the store. Prints for each the number of its best image, the value
    there, the class with the highest mean value, and how sparse the values are. Running the
    command again resumes it.

    \b
    featviz examples cueworld/vit blocks.9.mlp.fc1:0-15 --data cueworld:5000 -o neurons
    featviz examples cueworld/vit blocks.3.attn.qk:all@same --data cueworld -o heads --images 500
    featviz examples cueworld/vit --data cueworld:5000 -o neurons --top 16 --json
    """
    loaded = load_model(model, untrained, arch, device)
    chosen = units(loaded, *selectors) if selectors else _rendered(loaded, store)
    dataset = open_data(data, download)
    with picture_bar("") as progress:
        summary = examples_to_store(loaded, chosen, dataset, store, images, top, force, progress)
    opened = Store(store)
    kept = [str(unit) for unit in chosen if unit not in summary.failures]
    found = [Examples.from_row(opened.row(address, "examples")) for address in kept]
    if as_json:
        told = opened.configuration["examples"]
        failures = {str(unit): reason for unit, reason in summary.failures.items()}
        reports = [_report(each, dataset, told["quantiles"]) for each in found]
        print_json({"store": store, **told, "units": reports, "failures": failures})
    else:
        rows = [_row(each, dataset.classes) for each in found]
        print_table([("unit", "image", "value", "class", "sparsity"), *rows])
    for unit, reason in summary.failures.items():
        click.echo(f"failed: {unit}: {reason}", err=True)
    counts = f"{summary.stored} units stored, {summary.done} were there"
    click.echo(f"{store}: {counts}, {len(summary.failures)} failed", err=True)
    ctx.exit(SOME_FAILED if summary.failures else 0)


def _rendered(model: VisionModel, store: str) -> list[Unit]:
    """List the units that a store has pictures of."""
    opened = Store(store)
    if conflict := opened.manifest.conflict(model.name, model.fingerprint, "", {}):
        raise FeatvizError(f"{store} {conflict}")
    addresses = [*opened.addresses(), *opened.addresses("sides")]
    if not addresses:
        raise FeatvizError(f"{store} holds no pictures; name the units, such as patch_embed:0-15")
    return units(model, *addresses)


def _row(each: Examples, names: Sequence[str]) -> tuple[object, ...]:
    best = each.top_classes[:1]
    name = names[best[0]] if best else "-"
    return each.address, int(each.top[0]), float(each.top_values[0]), name, each.sparsity


def _report(each: Examples, dataset: Dataset, quantiles: Sequence[float]) -> dict[str, Any]:
    """Put what is known of a unit into values that JSON has."""
    spread = _images(dataset, each.spread, each.spread_values, each.spread_tokens)
    return {
        "address": each.address,
        "top": _images(dataset, each.top, each.top_values, each.top_tokens),
        "bottom": _images(dataset, each.bottom, each.bottom_values, each.bottom_tokens),
        "spread": [{"quantile": q} | image for q, image in zip(quantiles, spread, strict=True)],
        "classes": [
            {"class": dataset.classes[number], "mean": float(each.classes[number])}
            for number in each.top_classes
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
    numbers: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.int32],
) -> list[dict[str, Any]]:
    """Describe images, leaving out the places where the dataset had none to put."""
    there = [place for place, number in enumerate(numbers) if number >= 0]
    labels = dataset.labels(numbers[there].tolist())
    return [
        {
            "image": int(numbers[place]),
            "value": float(values[place]),
            "class": dataset.classes[label] if 0 <= label < len(dataset.classes) else None,
            **_place(*tokens[place].tolist()),
        }
        for place, label in zip(there, labels, strict=True)
    ]


def _place(token: int, key: int) -> dict[str, int]:
    if key >= 0:
        return {"query": token, "key": key}
    return {"token": token} if token >= 0 else {}
