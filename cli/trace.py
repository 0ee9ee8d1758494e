"""`featviz trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    all_images_option,
    data_options,
    force_option,
    frozen_norms_option,
    grouping_options,
    images_option,
    load_model,
    load_options,
    metric_options,
    model_options,
    noising_option,
    plots_option,
    selection_options,
    store_option,
)
from cli.output import (
    json_option,
    print_json,
    print_line,
    print_message,
    print_summary,
    print_table,
)
from cli.paths import MODEL
from cli.progress import loading_pytorch, progress_bar
from featviz.models.loading.options import LoadOptions
from patching.settings import ABLATIONS, CORRUPTIONS, EMBEDDING_METRICS, METRICS

if TYPE_CHECKING:
    from patching.effects.image_groups import Grouping
    from patching.effects.report import GroupEffects, Peak
    from patching.effects.table import Floats

SHOWN = 24
"""Maximum number of sites in the printed table; the ones with the largest effects."""


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


def report_effects(
    store: str,
    metric: str,
    all_images: bool,
    plots: str | None,
    as_json: bool,
    grouping: Grouping,
) -> dict[str, Any]:
    """Plot the effects in a store and print tables of them, or return them as JSON.

    Parameters
    ----------
    store : str
    metric : str
        Metric of plots and tables.
    all_images : bool
        Whether to include images that the clean run misclassifies.
    plots : str or None
        Folder of figures.
    as_json : bool
        Whether to return the effects, and print no tables.
    grouping : Grouping
        Further groups of images.

    Returns
    -------
    dict
        Empty unless `as_json` is set.
    """
    from featviz.store.reader import Store
    from patching.effects.report import as_json as averages_json
    from patching.effects.report import summarize
    from patching.effects.table import read_traces
    from patching.plots.job import write_figures

    traced = read_traces(store)
    counted = traced if all_images else traced.only_right()
    if counted.left_out:
        count = f"{counted.left_out} of {len(traced.image)} images"
        print_message(f"{count} are left out: the clean run classifies them wrongly")
    classes = Store(store).configuration["traces"]["classes"]
    more = grouping.groups(classes)
    found = summarize(counted.select(metric=metric), classes, more=more)
    if plots is not None and found:
        usual = [each for each in found if each.average.group.kind in {"all", "family"}]
        for file in write_figures(store, usual, plots):
            print_message(str(file))
    if as_json:
        return {
            "store": store,
            "images": len(traced.image),
            "left_out": counted.left_out,
            "averages": averages_json(summarize(counted, classes, True, more)),
        }
    _print_effects(found)
    if len(traced.sites) > SHOWN * len(set(traced.sites.window.tolist())):
        print_message(f"{SHOWN} of {len(traced.sites)} sites are shown; --json has all")
    return {}


def _print_effects(found: list[GroupEffects]) -> None:
    tables = (_group_rows(found), _site_rows(found), _difference_rows(found))
    for place, rows in enumerate(filter(None, tables)):
        if place:
            print_line()
        print_table(rows)


def _group_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each group of images: the total effect, and the site of the largest one."""
    interval = ("from", "to")
    headings = ("images", "window", "count", "total", *interval, "peak", "effect", *interval)
    rows: list[tuple[object, ...]] = [(*headings, "share")]
    for each in found:
        average = each.average
        total = _cells(average.total.estimate, average.total.low, average.total.high, 0)
        peak: tuple[object, ...] = ("none",)
        if each.peak is not None:
            site, effect = each.peak.site, average.effect
            # The largest of many sites needs the simultaneous interval.
            cells = _cells(effect.estimate, effect.all_low, effect.all_high, site)
            share = round(float(average.share.estimate[site]), 3)
            peak = (_peak_name(each, each.peak), *cells, share)
        if average.group.parts:
            peak = ()
        row = (average.group.name, each.window, average.count, *total, *peak)
        rows.append((*row, *[""] * (len(rows[0]) - len(row))))
    return rows


def _site_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each site: the indirect effect on all images, and on each family."""
    from patching.effects.report import name_of

    single = [each for each in found if not each.average.group.parts]
    names = list(dict.fromkeys(each.average.group.name for each in single))
    rows: list[tuple[object, ...]] = [
        ("window", "site", "effect", "from", "to", "share", *names[1:])
    ]
    for whole in (each for each in found if each.average.group.kind == "all"):
        effect = whole.average.effect
        families = [each for each in single if each.window == whole.window and each is not whole]
        for site in _strongest(effect.estimate):
            share = float(whole.average.share.estimate[site])
            cells = _cells(effect.estimate, effect.low, effect.high, site)
            others = [_rounded(each.average.effect.estimate[site]) for each in families]
            name = name_of(whole.table.sites, site)
            rows.append((whole.window, name, *cells, _rounded(share), *others))
    return rows


def _difference_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each site: its effects on two groups, and their difference.

    The first interval is of a site chosen in advance, the second simultaneous over all sites.
    """
    from patching.effects.report import name_of

    rows: list[tuple[object, ...]] = []
    for each in found:
        group, difference = each.average.group, each.average.effect
        if not group.parts:
            continue
        names = [part.name for part in group.parts]
        parts = [
            next(
                one for one in found if (one.window, one.average.group.name) == (each.window, name)
            )
            for name in names
        ]
        interval = ("from", "to")
        headings = (
            "window",
            "site",
            *names,
            "difference",
            *interval,
            *(f"{x} (all)" for x in interval),
        )
        rows = rows or [headings]
        for site in _strongest(difference.estimate):
            own = (_rounded(one.average.effect.estimate[site]) for one in parts)
            cells = _cells(difference.estimate, difference.low, difference.high, site)
            every = (_rounded(end[site]) for end in (difference.all_low, difference.all_high))
            rows.append((each.window, name_of(each.table.sites, site), *own, *cells, *every))
    return rows


def _strongest(estimates: Floats) -> list[int]:
    """All sites in order, or the largest effects first if there are more than `SHOWN`."""
    if len(estimates) <= SHOWN:
        return list(range(len(estimates)))
    order: list[int] = (-abs(estimates)).argsort(kind="stable")[:SHOWN].tolist()
    return order


def _peak_name(found: GroupEffects, peak: Peak) -> str:
    """Name the peak, and how many other sites it may be."""
    from patching.effects.report import name_of

    sites = found.table.sites
    others = [site for site in dict.fromkeys(peak.likely) if site != peak.site]
    name = name_of(sites, peak.site)
    if len(others) in {1, 2}:
        return f"{name} (or {' or '.join(name_of(sites, site) for site in others)})"
    return f"{name} (or {len(others)} others)" if others else name


def _cells(middle: Floats, low: Floats, high: Floats, index: int) -> tuple[float, ...]:
    return tuple(_rounded(column[index]) for column in (middle, low, high))


def _rounded(value: float) -> float:
    return round(float(value), 4) + 0.0  # adding 0.0 turns -0.0 into 0.0
