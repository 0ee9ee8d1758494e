"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from cli.paths import FILE, MODEL, PATH
from cli.progress import loading_pytorch
from featviz.errors import FeatvizError
from featviz.models.loading.options import LoadOptions
from featviz.optimization.settings import Settings

if TYPE_CHECKING:
    from featviz.addressing.address import Unit
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
moved_model_option = click.option(
    "--model",
    type=MODEL,
    metavar="PATH",
    help="Where the model of the store is now, if its file or folder was moved.",
)
store_option = click.option(
    "-o",
    "--output",
    "store",
    type=PATH,
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
    type=FILE,
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
    """A command with an option --image, which may be followed by several files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert ``--image`` before each further file, once every argument is given."""
        expanded: list[str] = []
        positional, is_value, is_file = 0, False, False
        arguments = sum(isinstance(each, click.Argument) for each in self.params)
        options = [each for each in self.params if isinstance(each, click.Option)]
        with_value = {name for option in options if not option.is_flag for name in option.opts}
        for argument in args:
            if argument.startswith("-"):
                is_value = argument in with_value
                is_file = argument.partition("=")[0] == "--image" and positional >= arguments
            elif is_value:
                is_value = False
            elif is_file:
                expanded.append("--image")
            else:
                positional += 1
            expanded.append(argument)
        return super().parse_args(ctx, expanded)


class Parsed(click.ParamType[Any]):
    """A text that a function of featviz parses.

    Parameters
    ----------
    name : str
        What the help calls the text.
    parse : callable
        Takes the text and returns the value, or raises `FeatvizError`.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Parse a text; a value that is not a text is parsed already."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except FeatvizError as error:
            self.fail(str(error), param, ctx)


def load_options(
    model: str, prefix: str = "", suffix: str = "", argument: str = "options"
) -> Callable[[Function], Function]:
    """Make a decorator that adds the options for loading a model.

    Parameters
    ----------
    model : str
        What the help calls the model, such as ``MODEL_A``.
    prefix, suffix : str
        Parts of every option before and after its name, such as ``donor`` and ``a``.
    argument : str
        Argument of the command that receives them, as one `LoadOptions`.
    """

    def decorate(function: Function) -> Function:
        parts = {
            each.name: "-".join(filter(None, (prefix, each.metadata["flag"], suffix)))
            for each in fields(LoadOptions)
        }
        names = {name: flag.replace("-", "_") for name, flag in parts.items()}

        @wraps(function)
        def command(*arguments: Any, **values: Any) -> Any:
            given = {name: values.pop(names[name]) for name in names}
            several = {name: _by_name(name, given[name]) for name in ("model_args", "saes")}
            options = LoadOptions(**given | several)
            return function(*arguments, **values, **{argument: options})

        for each in reversed(fields(LoadOptions)):
            about = each.metadata
            is_flag = each.default is False
            command = click.option(
                f"--{parts[each.name]}",
                names[each.name],
                is_flag=is_flag,
                multiple=each.name in ("model_args", "saes"),
                type=bool if is_flag else Parsed(about["metavar"], about["parse"]),
                metavar=about["metavar"],
                help=about["help"].format(model=model),
            )(command)
        return cast(Function, command)

    return decorate


def _by_name(option: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if option == "saes" and len(set(names)) < len(names):
        raise FeatvizError(f"--sae needs different names, got {', '.join(names)}")
    return dict(pairs)


def model_options(function: Function) -> Function:
    """Add MODEL, --device and the options for loading it; `load_model` takes their values."""
    for decorate in (device_option, load_options("MODEL"), click.argument("model", type=MODEL)):
        function = decorate(function)
    return function


skip_unreadable_option = click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Leave out images of the dataset that cannot be read, instead of stopping with an error "
    "that names them. A store keeps their names.",
)


def data_options(function: Function) -> Function:
    """Add the options of a dataset; `featviz.data.datasets.open_data` takes their values."""
    for decorate in (
        skip_unreadable_option,
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
        Store of the images. If it holds images, their defaults are kept.
    **settings
        Fields of `featviz.optimization.settings.Settings`.

    Returns
    -------
    Recipe
    """
    from featviz.optimization.recipe import make_recipe
    from featviz.rendering.job import keep_defaults

    defaults = {"precision": "auto", "frequency_schedule": None}
    given = [name for name, value in defaults.items() if settings.get(name, value) != value]
    return keep_defaults(model, make_recipe(model, **settings), store, given)


def load_model(model: str, options: LoadOptions, device: str) -> VisionModel:
    """Load the model that the options of `model_options` name.

    Parameters
    ----------
    model, device
        See `featviz.models.loading.load.load`.
    options : LoadOptions

    Returns
    -------
    VisionModel
    """
    with loading_pytorch():
        from featviz.models.loading.load import load

    return load(model, device=device, **vars(options))


def load_model_of(store: Store, name: str | None, device: str) -> VisionModel:
    """Load the model whose results a store holds.

    Parameters
    ----------
    store, name, device
        See `featviz.models.loading.model_of_store.load_model_of`; the name is the value of
        `moved_model_option`.

    Returns
    -------
    VisionModel
    """
    with loading_pytorch():
        from featviz.models.loading import model_of_store

    return model_of_store.load_model_of(store, name, device)


def rendered_units(model: VisionModel, store: str) -> list[Unit]:
    """List the units that a store holds rendered images of, without dead latents.

    Parameters
    ----------
    model : VisionModel
        The model of the store.
    store : str

    Returns
    -------
    list of Unit

    Raises
    ------
    FeatvizError
        If the store is of another model or holds no images, or a unit does not exist.
    """
    from featviz.addressing.selectors import units
    from featviz.analysis.examples.firing import dead_latents, latent_name
    from featviz.store.reader import Store

    opened = Store(store)
    load = model.load_options.to_json()
    if conflict := opened.manifest.conflict(model.name, model.fingerprint, load):
        raise FeatvizError(f"{store} {conflict}")
    addresses = [*opened.addresses(), *opened.addresses("sides")]
    if not addresses:
        raise FeatvizError(
            f"{store} holds no rendered images; add a SELECTOR, such as patch_embed:0-15"
        )
    dead = dead_latents(opened)
    return units(model, *(each for each in addresses if latent_name(each) not in dead))
