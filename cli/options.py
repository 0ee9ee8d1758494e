"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.progress import loading_pytorch
from featviz.optimization.settings import Settings

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel
    from featviz.optimization.recipe import Recipe
    from featviz.store.reader import Store

Function = TypeVar("Function", bound=Callable[..., Any])

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="DEVICE",
    help="cpu, cuda, cuda:1, ..., or auto: a GPU if there is one.",
)
store_option = click.option(
    "-o",
    "--output",
    "store",
    required=True,
    metavar="STORE",
    help="Folder to store results in; an existing store is resumed.",
)
force_option = click.option(
    "--force",
    is_flag=True,
    help="Rename a store of another model or other settings, and damaged files, and start anew, "
    "instead of stopping with an error. Nothing is deleted.",
)
force_results_option = click.option(
    "--force",
    is_flag=True,
    help="Rename earlier results of other settings, and damaged files, and start anew, instead "
    "of stopping with an error. Nothing is deleted.",
)
image_files_option = click.option(
    "--image",
    "files",
    multiple=True,
    required=True,
    metavar="FILE...",
    help="One or more image files, after MODEL and SELECTOR. They are resized (shorter side) and "
    "center-cropped to the model's input.",
)


class Batch(click.ParamType[int | None]):
    """``auto``, which is None, or a number of images."""

    name = "auto|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Parse an integer from 1 up, or ``auto``."""
        if value == "auto":
            return None
        if not re.fullmatch("[1-9][0-9]{0,8}", str(value)):
            self.fail(f"expected a number of images or auto, got {value!r}", param, ctx)
        return int(str(value))


batch_option = click.option(
    "--batch",
    type=Batch(),
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Images per batch; auto measures what fits into memory.",
)


class MultiImageCommand(click.Command):
    """A command with `image_files_option`, which may be followed by several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert ``--image`` before each further file, once MODEL and SELECTOR are given."""
        expanded: list[str] = []
        positional, is_value, is_file = 0, False, False
        options = [each for each in self.params if isinstance(each, click.Option)]
        with_value = {name for option in options if not option.is_flag for name in option.opts}
        for argument in args:
            if argument.startswith("-"):
                is_value = argument in with_value
                is_file = argument.partition("=")[0] == "--image" and positional >= 2
            elif is_value:
                is_value = False
            elif is_file:
                expanded.append("--image")
            else:
                positional += 1
            expanded.append(argument)
        return super().parse_args(ctx, expanded)


def model_options(function: Function) -> Function:
    """Add MODEL and the options for loading it; `load_model` takes their values."""
    for decorate in (
        device_option,
        click.option("--arch", metavar="NAME", help="Architecture, if MODEL is a file of weights."),
        click.option(
            "--untrained", is_flag=True, help="Use random weights, the same in every run."
        ),
        click.argument("model"),
    ):
        function = decorate(function)
    return function


def data_options(function: Function) -> Function:
    """Add --data and --download; `featviz.data.datasets.open_data` takes their values."""
    for decorate in (
        click.option(
            "--download", is_flag=True, help="Download a torchvision dataset that is missing."
        ),
        click.option("--data", required=True, metavar="DATA", help="Dataset of images."),
    ):
        function = decorate(function)
    return function


def images_option(least: int | None = None) -> Callable[[Function], Function]:
    """Make the option --images: how many images of a dataset to use.

    Parameters
    ----------
    least : int, optional
        Smallest number that is accepted.
    """
    return click.option(
        "--images",
        type=int if least is None else click.IntRange(least),
        metavar="N",
        help="Number of images of the dataset to use.  [default: all]",
    )


def setting_options(*names: str) -> Callable[[Function], Function]:
    """Make a decorator that adds an option for each of some settings of a recipe.

    Parameters
    ----------
    *names : str
        Fields of `featviz.optimization.settings.Settings`.
    """
    chosen = [setting for setting in fields(Settings) if setting.name in names]

    def decorate(function: Function) -> Function:
        for setting in reversed(chosen):
            function = _setting_option(setting)(function)
        return function

    return decorate


def _setting_option(setting: Field[Any]) -> Callable[[Function], Function]:
    about = setting.metadata
    names = [name.replace("_", "-") for name in (setting.name, about["alias"]) if name]
    kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool}
    kind = kinds.get(str(setting.type).split(" | ")[0], str)
    return click.option(
        *(f"--{name}" for name in names),
        setting.name,
        type=click.Choice(about["choices"]) if about["choices"] else kind,
        is_flag=kind is bool,
        default=setting.default,
        show_default=setting.default is not None and kind is not bool,
        metavar=about["metavar"],
        help=about["help"],
    )


recipe_options = setting_options(
    *(setting.name for setting in fields(Settings) if setting.name != "split_qk")
)
"""Add an option for each setting of a recipe but ``split_qk``."""


def recipe_for(model: VisionModel, store: str, **settings: Any) -> Recipe:
    """Make the recipe that the options of `recipe_options` describe.

    Parameters
    ----------
    model : VisionModel
    store : str
        Store of the images. With ``precision="auto"`` a store that holds images keeps theirs.
    **settings
        Fields of `featviz.optimization.settings.Settings`.

    Returns
    -------
    Recipe
    """
    from featviz.optimization.recipe import make_recipe
    from featviz.rendering.job import keep_precision

    recipe = make_recipe(model, **settings)
    return keep_precision(model, recipe, store) if settings["precision"] == "auto" else recipe


def load_model(model: str, untrained: bool, arch: str | None, device: str) -> VisionModel:
    """Load the model that the options of `model_options` name.

    Parameters
    ----------
    model, untrained, arch, device
        See `featviz.models.loading.load.load`.

    Returns
    -------
    VisionModel
    """
    with loading_pytorch():
        from featviz.models.loading.load import load

    return load(model, untrained=untrained, arch=arch, device=device)


def load_model_of(store: Store, device: str) -> VisionModel:
    """Load the model whose results a store holds.

    Parameters
    ----------
    store : Store
    device : str
        See `featviz.models.loading.load.load`.

    Returns
    -------
    VisionModel
    """
    return load_model(store.model, **store.load, device=device)
