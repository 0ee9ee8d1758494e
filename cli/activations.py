"""`featviz activations`."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from cli.options import load_model, model_options
from cli.output import json_option, print_json, print_table
from featviz._util.image_files import read_image
from featviz.activations.readout import readout
from featviz.addressing.selectors import units


class ManyImages(click.Command):
    """A command in which one `--image` may be followed by several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `--image` before each file that follows one, once MODEL and SELECTOR are given."""
        spread: list[str] = []
        words, valued, many = 0, False, False
        options = [each for each in self.params if isinstance(each, click.Option)]
        takers = {name for option in options if not option.is_flag for name in option.opts}
        for argument in args:
            if argument.startswith("-"):
                valued = argument in takers
                many = argument.partition("=")[0] == "--image" and words >= 2
            elif valued:
                valued = False
            elif many:
                spread.append("--image")
            else:
                words += 1
            spread.append(argument)
        return super().parse_args(ctx, spread)


@click.command(cls=ManyImages)
@model_options
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@click.option(
    "--image", "files", multiple=True, required=True, metavar="FILE...", help="Image files to read."
)
@json_option
def activations(
    model: str,
    selectors: tuple[str, ...],
    files: tuple[str, ...],
    untrained: bool,
    arch: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Print the value of units on image files.

    Recolor a picture, blur it, hide a part, and see what a neuron makes of it. Images of
    another size are resized until the shorter side fits, and their middle is read.

    \b
    featviz activations cueworld/vit blocks.9.mlp.fc1:3 --image red.png blue.png
    featviz activations cueworld/vit blocks.9.mlp.fc1:0-7@cls --image red.png --json
    """
    loaded = load_model(model, untrained, arch, device)
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
