"""`featviz compare`."""

from __future__ import annotations

import click
import numpy as np

from cli.options import data_options, force_option, load_model, store_option
from cli.output import SOME_FAILED, json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.addressing.selectors import units
from featviz.analysis.compare.job import compare_to_store, default_units
from featviz.data.datasets import open_data
from featviz.optimization.presets import PRESETS
from featviz.optimization.recipe import make_recipe
from featviz.store.reader import Store


@click.command()
@click.argument("model_a")
@click.argument("model_b")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@data_options
@store_option
@click.option("--images", type=click.IntRange(4), metavar="N", help="Of the data; all if absent.")
@click.option("--steps", default=512, show_default=True, help="Optimization steps.")
@click.option("--size", type=int, metavar="PX", help="Side of the pictures; MODEL_A's if absent.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Chosen by each model if absent.")
@click.option("--seed", default=0, show_default=True, help="Names the random streams.")
@click.option("--untrained-a", is_flag=True, help="Random weights for MODEL_A.")
@click.option("--untrained-b", is_flag=True, help="Random weights for MODEL_B.")
@click.option("--arch-a", metavar="NAME", help="The architecture, if MODEL_A is a file.")
@click.option("--arch-b", metavar="NAME", help="The architecture, if MODEL_B is a file.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1")
@force_option
@json_option
@click.pass_context
def compare(
    ctx: click.Context,
    model_a: str,
    model_b: str,
    selectors: tuple[str, ...],
    data: str,
    download: bool,
    store: str,
    images: int | None,
    steps: int,
    size: int | None,
    preset: str | None,
    seed: int,
    untrained_a: bool,
    untrained_b: bool,
    arch_a: str | None,
    arch_b: str | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Compare the layers and the units of two models on a dataset.

    Stores the linear CKA of every block of MODEL_A with every block of MODEL_B, and for each unit
    of MODEL_A the unit of MODEL_B that correlates with it most, both rendered. Without a
    SELECTOR these are the first 4 units of 8 layers. Running the command again resumes it.

    \b
    featviz compare cueworld/vit cueworld/resnet --data cueworld -o two
    featviz compare cueworld/vit cueworld/vit_colourblind blocks.9.mlp.fc1:0-15 --data cueworld -o c
    featviz compare vit_tiny_patch16_224 vit_tiny_patch16_224 --untrained-b --data folder:dogs -o d
    """
    first = load_model(model_a, untrained_a, arch_a, device)
    second = load_model(model_b, untrained_b, arch_b, device)
    chosen = units(first, *selectors) if selectors else default_units(first)
    side = first.image_size if size is None else size
    recipe, made_b = (
        make_recipe(model, preset=preset, size=side, steps=steps, seed=seed)
        for model in (first, second)
    )
    dataset = open_data(data, download)
    with picture_bar("") as progress:
        summary = compare_to_store(
            first, second, dataset, chosen, (recipe, made_b), store, images, force, progress
        )
    opened = Store(store)
    there = set(opened.addresses("matches"))
    rows = [opened.row(str(unit), "matches") for unit in chosen if str(unit) in there]
    own, layers = (opened.configuration["cka"][key] for key in ("own_layers", "layers"))
    table = {path: opened.row(path, "cka")["similarity"] for path in own}
    if as_json:
        print_json(
            {
                "store": store,
                "layers": {"a": own, "b": layers},
                "similarity": [values.tolist() for values in table.values()],
                "matches": [
                    {
                        "address": row["address"],
                        "match": row["match"],
                        "correlation": float(row["correlation"]),
                    }
                    for row in rows
                ],
                "failures": summary.failures,
            }
        )
    else:
        likest = [
            (path, layers[int(np.argmax(values))], float(values.max()))
            for path, values in table.items()
        ]
        print_table([("layer", "most alike", "CKA"), *likest])
        click.echo()
        pairs = [(row["address"], row["match"], float(row["correlation"])) for row in rows]
        print_table([("unit", "match", "correlation"), *pairs])
    for unit, reason in summary.failures.items():
        click.echo(f"failed: {unit}: {reason}", err=True)
    counts = f"{summary.rendered} units matched, {summary.done} were there"
    click.echo(f"{store}: {counts}, {len(summary.failures)} failed", err=True)
    ctx.exit(SOME_FAILED if summary.failures else 0)
