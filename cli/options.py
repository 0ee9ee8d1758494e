"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from featviz.models.load import load
from featviz.models.vision_model import VisionModel
from featviz.optimization.presets import PRESETS
from featviz.optimization.recipe import PARAMS, PRECISIONS, Recipe, make_recipe
from featviz.rendering.plan import keep_precision
from featviz.store.reader import Store

Function = TypeVar("Function", bound=Callable[..., Any])


def model_options(function: Function) -> Function:
    """Add MODEL and the options that say how it is loaded."""
    for decorate in (
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1"),
        click.option("--arch", metavar="NAME", help="The architecture of a file of weights."),
        click.option("--untrained", is_flag=True, help="Random weights, the same every time."),
        click.argument("model"),
    ):
        function = decorate(function)
    return function


def data_options(function: Function) -> Function:
    """Add --data and --download; `featviz.data.datasets.open_data` takes their values."""
    for decorate in (
        click.option("--download", is_flag=True, help="Fetch what torchvision offers."),
        click.option(
            "--data",
            required=True,
            metavar="DATA",
            help="cueworld[:COUNT], folder:PATH, cifar10:ROOT, cifar100:ROOT, "
            "torchvision:CLASS:ROOT.",
        ),
    ):
        function = decorate(function)
    return function


def recipe_options(function: Function) -> Function:
    """Add the settings of a recipe, under the names of those of `featviz.optimization.recipe.make_recipe`."""
    options = (
        click.option("--samples", default=1, show_default=True, help="Pictures of each unit."),
        click.option(
            "--diversity",
            default=0.5,
            show_default=True,
            metavar="W",
            help="What unlike samples are worth, in parts of the unit's value.",
        ),
        click.option(
            "--tv-weight",
            "--smoothness",
            "tv_weight",
            default=0.0,
            show_default=True,
            metavar="W",
            help="What one unit of total variation costs, in parts of the unit's value.",
        ),
        click.option("--steps", default=512, show_default=True, help="Optimization steps."),
        click.option(
            "--size", type=int, metavar="PX", help="Side of the pictures; the model's if absent."
        ),
        click.option(
            "--preset", type=click.Choice(list(PRESETS)), help="Chosen by the model if absent."
        ),
        click.option("--param", type=click.Choice(PARAMS), help="Chosen by the preset if absent."),
        click.option(
            "--spectrum",
            metavar="DATA",
            help="A dataset whose magnitudes maco images have; a power of 1 / f if absent.",
        ),
        click.option(
            "--frequency-schedule",
            "--progressive",
            "frequency_schedule",
            type=float,
            metavar="SHARE",
            help="Let finer and finer waves begin to move along this share of the steps; for "
            "fourier images chosen by the preset if absent.",
        ),
        click.option(
            "--precision",
            type=click.Choice(PRECISIONS),
            default="auto",
            show_default=True,
            help="auto is that of the pictures in the store, or the fastest of the device.",
        ),
        click.option("--seed", default=0, show_default=True, help="Names the random streams."),
        click.option(
            "--cosine-power",
            "--cosine",
            "cosine_power",
            default=0.0,
            show_default=True,
            metavar="P",
            help="Weigh the value by this power of the cosine with all that the layer puts out.",
        ),
    )
    for decorate in reversed(options):
        function = decorate(function)
    return function


store_option = click.option(
    "-o", "--output", "store", required=True, metavar="STORE", help="The store's folder."
)
force_option = click.option(
    "--force", is_flag=True, help="Rename a store or shard that is in the way."
)


def recipe_for(model: VisionModel, store: str, **settings: Any) -> Recipe:
    """Make the recipe that the options of `recipe_options` tell, for pictures in a store."""
    recipe = make_recipe(model, **settings)
    return keep_precision(model, recipe, store) if settings["precision"] == "auto" else recipe


def load_model(model: str, untrained: bool, arch: str | None, device: str) -> VisionModel:
    """Load the model that the options of `model_options` name."""
    return load(model, untrained=untrained, arch=arch, device=device)


def load_model_of(store: Store, device: str) -> VisionModel:
    """Load the model that a store is of."""
    return load(store.model, **store.load, device=device)
