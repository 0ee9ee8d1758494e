"""`featviz trace`."""

from __future__ import annotations

import click

from cli.effect_tables import report_effects
from cli.options import (
    data_options,
    force_option,
    images_option,
    load_model,
    load_options,
    model_options,
    store_option,
)
from cli.output import json_option, print_json, print_message, print_summary
from cli.patching_options import (
    all_images_option,
    frozen_norms_option,
    grouping_options,
    metric_options,
    noising_option,
    plots_option,
    selection_options,
)
from cli.paths import MODEL
from cli.progress import loading_pytorch, progress_bar
from featviz.models.loading.options import LoadOptions
from patching.settings import ABLATIONS, CORRUPTIONS, EMBEDDING_METRICS, METRICS


@click.command()
@model_options
@data_options
@images_option(1)
@store_option
@click.option(
    "--corrupt",
    metavar="NAME",
    help=f"Corruption of the images: {', '.join(CORRUPTIONS)}, or none (with --donor).",
)
@noising_option
@click.option("--donor", type=MODEL, metavar="MODEL", help="Take the activations from this model.")
@load_options("the donor", prefix="donor", argument="donor_options")
@click.option(
    "--ablate",
    type=click.Choice(ABLATIONS),
    help="Ablate activations of the clean run instead: replace them by zeros, by their mean over "
    "the images, or by those of an image of another class.",
)
@selection_options
@click.option(
    "--window",
    default="1",
    show_default=True,
    metavar="N[,N...]",
    help="Number of adjacent blocks that are patched together.",
)
@frozen_norms_option
@metric_options("probability", "Metric to print and plot; all metrics of labels are stored;")
@all_images_option
@grouping_options
@plots_option
@force_option
@json_option
def trace(
    model: str,
    data: str,
    download: bool,
    skip_unreadable: bool,
    corrupt: str | None,
    site: str,
    window: str,
    by: str | None,
    layers: str,
    heads: str,
    tokens: tuple[str, ...],
    images: int | None,
    noising: bool,
    donor: str | None,
    donor_options: LoadOptions,
    ablate: str | None,
    frozen_norms: bool,
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
    """Find the layers that carry a cue, by activation patching.

    Corrupts images so that they lose a cue, such as color, and patches clean activations into the
    corrupted run, one site at a time. The indirect effect of a site is the change of the metric
    (by default the label's probability); its share is the fraction of the total effect. Stores the
    effects on each image and their means, which `featviz gallery` draws; prints the means with 95 %
    bootstrap intervals (from, to).

    \b
    Examples:
      # Which attention layers carry color?
      featviz trace cueworld/vit --data cueworld --corrupt grayscale -o color
      # Which carry texture? Three adjacent blocks at a time
      featviz trace cueworld/vit --data cueworld --corrupt blur --window 3 -o b
      # Head by head
      featviz trace cueworld/vit --data cueworld --corrupt blur --site head -o z
      # Plots of the effects
      featviz trace cueworld/vit --data cueworld --corrupt blur -o blur --plots .
      # Activations of another model
      featviz trace cueworld/vit_colourblind --data cueworld --donor cueworld/vit -o two
      # Mean ablation of each MLP
      featviz trace cueworld/vit --data cueworld --ablate mean --site mlp -o c
      # Layers whose effect differs between two groups of images
      featviz trace cueworld/vit --data cueworld --corrupt mask --difference colour shape -o d
      # Latents of a sparse autoencoder, whose reconstruction error is kept
      featviz trace cueworld/vit --data cueworld --ablate zero --sae s=sae.pt --site sae.s:7 -o s
    """
    with loading_pytorch():
        from featviz.data.datasets import open_data
        from patching.effects.accuracy import low_accuracy_message
        from patching.effects.image_groups import Grouping, read_attributes
        from patching.effects.metrics import metric_for
        from patching.effects.table import read_traces
        from patching.interventions.corruptions import corruption
        from patching.interventions.selection import Selection, windows_of
        from patching.plots.style import check_plots
        from patching.sweeps.job import Settings, trace_to_store

    if plots is not None:
        check_plots()
    loaded = load_model(model, options, device)
    other = None if donor is None else load_model(donor, donor_options, device)
    dataset = open_data(data, download, skip_unreadable)
    metric, along = metric_for(loaded, metric, direction, "probability")
    embedding = ("cosine",) if along is None else EMBEDDING_METRICS
    settings = Settings(
        Selection(site, windows_of(window), by, layers, heads, tokens),
        None if corrupt in {None, "none"} else corruption(str(corrupt)),
        "noising" if noising else "denoising",
        ablate,
        frozen_norms,
        METRICS if metric in METRICS else embedding,
        along,
    )
    attributes = () if groups is None else read_attributes(groups, dataset)
    grouping = Grouping(attributes, difference)
    with progress_bar() as progress:
        summary = trace_to_store(
            loaded,
            dataset,
            settings,
            store,
            images,
            other,
            force,
            progress,
            all_images,
            grouping,
        )
    print_summary(store, summary, "images traced")
    traced = read_traces(store)
    if summary.done:  # the job has checked the accuracy in an earlier call
        clean = loaded if other is None or noising else other
        right = int(traced.right.sum())
        if message := low_accuracy_message(clean, dataset, right, len(traced.image)):
            print_message(message)
    report = report_effects(store, metric, all_images, plots, as_json, grouping)
    if as_json:
        print_json(report)
