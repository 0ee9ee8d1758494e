"""`featviz activations`."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import MultiImageCommand, image_files_option, load_model, model_options
from cli.output import json_option, print_json, print_table
from featviz.models.loading.options import LoadOptions


@click.command(cls=MultiImageCommand)
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@image_files_option
@json_option
def activations(
    model: str,
    selectors: tuple[str, ...],
    files: tuple[str, ...],
    options: LoadOptions,
    device: str,
    as_json: bool,
) -> None:
    """Print the activations of units on image files.

    For example, edit an image and see how a neuron responds.

    \b
    Examples:
      # One neuron on two images
      featviz activations cueworld/vit blocks.9.mlp.fc1:3 --image a.png b.png
      # Eight neurons at the class token
      featviz activations cueworld/vit blocks.9.mlp.fc1:0-7@cls --image a.png
      # Pre-activation of a latent of a sparse autoencoder
      featviz activations vit_base_patch32_224 sae.x:7@max --sae x=PATH --image a.png
    """
    loaded = load_model(model, options, device)

    import torch

    from featviz._util.image_files import read_image
    from featviz.activations.readout import readout
    from featviz.addressing.selectors import units

    chosen = units(loaded, *selectors)
    read = readout(loaded, chosen)
    columns = []
    with torch.no_grad():
        for file in files:
            image = read_image(file, loaded.image_size).to(loaded.device)
            columns.append(read(image[None])[0].tolist())
    if as_json:
        print_json(
            [
                {"address": str(unit), "image": file, "activation": value}
                for file, column in zip(files, columns, strict=True)
                for unit, value in zip(chosen, column, strict=True)
            ]
        )
        return
    rows: list[tuple[object, ...]] = [("unit", *(Path(file).name for file in files))]
    rows += [(str(unit), *values) for unit, *values in zip(chosen, *columns, strict=True)]
    print_table(rows)
