"""`featviz compare`."""

from __future__ import annotations

from typing import Any

import click

from cli.options import (
    data_options,
    device_option,
    force_option,
    images_option,
    load_model,
    load_options,
    setting_options,
    store_option,
)
from cli.output import finish, json_option, print_json, print_line, print_table
from cli.paths import MODEL
from cli.progress import progress_bar
from featviz.models.loading.options import LoadOptions


@click.command()
@click.argument("model_a", type=MODEL)
@click.argument("model_b", type=MODEL)
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@data_options
@store_option
@images_option(4)
@setting_options("steps", "preset", "seed")
@click.option(
    "--size",
    type=int,
    metavar="PX",
    help="Side of the images in pixels.  [default: the input size of MODEL_A]",
)
@load_options("MODEL_A", suffix="a", argument="options_a")
@load_options("MODEL_B", suffix="b", argument="options_b")
@device_option
@force_option
@json_option
def compare(
    model_a: str,
    model_b: str,
    selectors: tuple[str, ...],
    data: str,
    download: bool,
    skip_unreadable: bool,
    store: str,
    images: int | None,
    size: int | None,
    options_a: LoadOptions,
    options_b: LoadOptions,
    device: str,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Compare the layers and units of two models on a dataset.

    Stores the linear CKA between all blocks of MODEL_A and of MODEL_B. For each unit of MODEL_A
    that a SELECTOR names (by default four in each of eight layers), stores the unit of MODEL_B
    with the highest correlation, and an image of both.

    \b
    Examples:
      # Layers, and a few units of each of eight layers
      featviz compare cueworld/vit cueworld/resnet --data cueworld -o a
      # Four classes and their matches
      featviz compare cueworld/vit cueworld/mixer head:0-3 --data cueworld -o b
      # Trained and random weights of one architecture
      featviz compare resnet18 resnet18 --untrained-b --data folder:dogs -o c
    """
    first = load_model(model_a, options_a, device)
    second = load_model(model_b, options_b, device)

    from featviz.addressing.selectors import units
    from featviz.analysis.compare.job import compare_to_store, default_units
    from featviz.data.datasets import open_data
    from featviz.optimization.recipe import make_recipe
    from featviz.store.reader import Store

    chosen = units(first, *selectors) if selectors else default_units(first)
    side = first.image_size if size is None else size
    recipe_a, recipe_b = (make_recipe(model, size=side, **settings) for model in (first, second))
    dataset = open_data(data, download, skip_unreadable)
    with progress_bar() as progress:
        summary = compare_to_store(
            first, second, dataset, chosen, (recipe_a, recipe_b), store, images, force, progress
        )
    opened = Store(store)
    stored = set(opened.addresses("matches"))
    rows = [opened.row(str(unit), "matches") for unit in chosen if str(unit) in stored]
    matches = [(row["address"], row["match"], float(row["correlation"])) for row in rows]
    own, layers = (opened.configuration["cka"][key] for key in ("own_layers", "layers"))
    similarity = {path: opened.row(path, "cka")["similarity"] for path in own}
    if as_json:
        keys = ("address", "match", "correlation")
        print_json(
            {
                "store": store,
                "layers": {"a": own, "b": layers},
                "similarity": [values.tolist() for values in similarity.values()],
                "matches": [dict(zip(keys, each, strict=True)) for each in matches],
                "failures": summary.failures,
            }
        )
    else:
        most_similar = [
            (path, layers[int(values.argmax())], float(values.max()))
            for path, values in similarity.items()
        ]
        print_table([("layer", "most similar", "CKA"), *most_similar])
        print_line()
        print_table([("unit", "match", "correlation"), *matches])
    finish(store, summary, "units matched")
