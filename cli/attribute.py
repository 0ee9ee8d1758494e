"""`featviz attribute`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from cli.effect_tables import report_effects
from cli.options import (
    data_options,
    force_option,
    images_option,
    load_model,
    model_options,
    store_option,
)
from cli.output import json_option, print_json, print_line, print_message, print_summary
from cli.patching_options import (
    all_images_option,
    frozen_norms_option,
    grouping_options,
    metric_options,
    noising_option,
    plots_option,
    selection_options,
)
from cli.progress import loading_pytorch, progress_bar
from featviz.models.loading.options import LoadOptions
from patching.settings import CORRUPTIONS

if TYPE_CHECKING:
    from patching.sweeps.exact_check import Check


@click.command()
@model_options
@data_options
@images_option(1)
@store_option
@click.option(
    "--corrupt",
    required=True,
    metavar="NAME",
    help=f"Corruption of the images: {', '.join(CORRUPTIONS)}.",
)
@noising_option
@selection_options
@click.option(
    "--window", default="1", hidden=True, help="Refused: windows are not sums over blocks."
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Steps of integrated gradients; 0 for one gradient of the unpatched run.",
)
@click.option(
    "--direct",
    is_flag=True,
    help="Estimate direct effects only: later blocks add what they add in the unpatched run.",
)
@frozen_norms_option
@click.option(
    "--exact",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    metavar="N",
    help="Number of sites that are also patched exactly, to check the estimates.",
)
@metric_options("probability", "Metric whose change is estimated;")
@all_images_option
@grouping_options
@plots_option
@force_option
@json_option
def attribute(
    model: str,
    data: str,
    download: bool,
    skip_unreadable: bool,
    corrupt: str,
    site: str,
    window: str,
    by: str | None,
    layers: str,
    heads: str,
    tokens: tuple[str, ...],
    images: int | None,
    noising: bool,
    steps: int,
    direct: bool,
    frozen_norms: bool,
    exact: int,
    metric: str | None,
    direction: str | None,
    all_images: bool,
    groups: str | None,
    difference: tuple[str, str] | None,
    store: str,
    plots: str | None,
    force: bool,
    as_json: bool,
    options: LoadOptions,
    device: str,
) -> None:
    """Estimate the effects of patching every site, by gradients.

    Attribution patching: the effect of a patch is, to first order, the change of the activation
    times the gradient of the metric. A few passes give the effects of all sites that `featviz
    trace` patches one by one, such as all neurons. For queries and keys, the attention pattern is
    recomputed (AtP*). Some sites, evenly spread over the ranks of their estimates, are also
    patched exactly: trust the estimates if both rank the sites alike. Effects are stored as those
    of `featviz trace`, and `featviz gallery` draws them.

    \b
    Examples:
      # Which neurons carry texture?
      featviz attribute cueworld/vit --data cueworld --corrupt blur --site neurons --by neuron -o n
      # Heads, with gradients averaged over 4 steps
      featviz attribute cueworld/vit --data cueworld --corrupt blur --site head --steps 4 -o heads
      # What each head adds to the logits directly
      featviz attribute cueworld/vit --data cueworld --corrupt blur --site head --direct -o direct
    """
    with loading_pytorch():
        from featviz.data.datasets import open_data
        from patching.effects.image_groups import Grouping, read_attributes
        from patching.effects.metrics import metric_for
        from patching.interventions.corruptions import corruption
        from patching.interventions.selection import Selection, windows_of
        from patching.plots.style import check_plots
        from patching.sweeps.estimated_patching import Estimate
        from patching.sweeps.exact_check import TRUSTED, read_check, read_diagnostics
        from patching.sweeps.job import Settings, trace_to_store

    if plots is not None:
        check_plots()
    loaded = load_model(model, options, device)
    dataset = open_data(data, download, skip_unreadable)
    metric, along = metric_for(loaded, metric, direction, "probability")
    settings = Settings(
        Selection(site, windows_of(window), by, layers, heads, tokens),
        corruption(corrupt),
        "noising" if noising else "denoising",
        frozen=frozen_norms,
        metrics=(metric,),
        direction=along,
        estimate=Estimate(steps, direct, exact),
    )
    attributes = () if groups is None else read_attributes(groups, dataset)
    grouping = Grouping(attributes, difference)
    with progress_bar() as progress:
        summary = trace_to_store(
            loaded, dataset, settings, store, images, None, force, progress, all_images, grouping
        )
    print_summary(store, summary, "images attributed")
    messages, check = read_diagnostics(store), read_check(store, all_images)
    for message in messages:
        print_message(f"note: {message}")
    report = report_effects(store, metric, all_images, plots, as_json, grouping)
    if as_json:
        print_json({**report, "diagnostics": messages, "check": check and check.to_json()})
    elif check is not None:
        print_line()
        print_line(_check_text(check))
    if check is not None and not check.rank >= TRUSTED and len(check.sites) > 1:
        rank = "undefined" if math.isnan(check.rank) else f"{check.rank:.3f}, under {TRUSTED}"
        print_message(
            f"warning: rank correlation with exact patching is {rank}: do not trust the estimates; "
            "--steps may help, `featviz trace` is exact"
        )


def _check_text(check: Check) -> str:
    rank = "undefined" if math.isnan(check.rank) else f"{check.rank:.2f}"
    signs = "" if math.isnan(check.signs) else f", {check.signs:.0%} of signs agree"
    return (
        f"exact patching of {len(check.sites)} sites on {check.images} images: "
        f"rank correlation {rank}{signs}"
    )
