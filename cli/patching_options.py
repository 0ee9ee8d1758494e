"""Options that several commands of patching share."""

from __future__ import annotations

from collections.abc import Callable

import click

from cli.options import Function
from cli.paths import FILE, PATH
from patching.settings import BY, EMBEDDING_METRICS, METRICS, SITES


def selection_options(function: Function) -> Function:
    """Add the options of `patching.interventions.selection.Selection`, except windows."""
    for decorate in (
        click.option(
            "--tokens",
            multiple=True,
            default=("all",),
            show_default=True,
            metavar="NAMES",
            help="Tokens: all, class, registers, prefix, patches, a rectangle of patches 0-3x2-5 "
            "(rows, columns) or indices, joined by +; repeat the option to compare sets.",
        ),
        click.option(
            "--heads",
            default="all",
            show_default=True,
            metavar="RANGE",
            help="Heads (or neurons of mlp_act), such as 0-3,7.",
        ),
        click.option(
            "--layers",
            default="all",
            show_default=True,
            metavar="RANGE",
            help="Blocks, such as 0-3,7.",
        ),
        click.option(
            "--by",
            type=click.Choice(BY),
            help="Patch each layer, head, neuron, latent or token by itself.  [default: layer; "
            "head for head; latent for latents]",
        ),
        click.option(
            "--site",
            default="attn_out",
            show_default=True,
            metavar="SITE",
            help=f"Activation to patch: {', '.join(SITES)}; or latents: sae.NAME:35,167, or "
            "sae.NAME for all. Also as in addresses (attn.z), or head (z, by head), neurons "
            "(mlp_act), attn, mlp and resid.",
        ),
    ):
        function = decorate(function)
    return function


noising_option = click.option(
    "--noising",
    is_flag=True,
    help="Patch corrupted activations into the clean run, instead of the reverse.",
)
frozen_norms_option = click.option(
    "--frozen-norms",
    is_flag=True,
    help="Keep the scale of every LayerNorm on the residual stream as in the unpatched run.",
)
all_images_option = click.option(
    "--all-images", is_flag=True, help="Include images that the clean run classifies wrongly."
)


def grouping_options(function: Function) -> Function:
    """Add the options of `patching.effects.image_groups.Grouping`."""
    for decorate in (
        click.option(
            "--difference",
            nargs=2,
            metavar="A B",
            help="Estimate the difference of the effects between two groups of images: names of "
            "families, of classes (sub-folders), or COLUMN=VALUE of --groups.",
        ),
        click.option(
            "--groups",
            type=FILE,
            metavar="CSV",
            help="Average over groups of images, too: a file with a column file and columns of "
            "attributes.",
        ),
    ):
        function = decorate(function)
    return function


plots_option = click.option(
    "--plots",
    type=PATH,
    metavar="DIR",
    help="Plot the effects as PNG and SVG files (needs matplotlib). `featviz gallery` draws them "
    "without it.",
)


def metric_options(default: str, what: str) -> Callable[[Function], Function]:
    """Make a decorator that adds --metric and --direction, for `metric_for`.

    Parameters
    ----------
    default : str
        Metric of a classifier, one of `patching.settings.METRICS`.
    what : str
        First sentence of the help of --metric.
    """

    def decorate(function: Function) -> Function:
        metric = click.option(
            "--metric",
            type=click.Choice((*METRICS, *EMBEDDING_METRICS)),
            help=f"{what} cosine and projection are of an embedding, and need no labels.  "
            f"[default: {default}; cosine without a classifier]",
        )
        direction = click.option(
            "--direction",
            type=FILE,
            metavar="FILE",
            help="Direction in the space of the embedding, for the metric projection: an .npy file "
            "of a vector, or FILE.npy.3 for row 3 of a matrix.",
        )
        return metric(direction(function))

    return decorate
