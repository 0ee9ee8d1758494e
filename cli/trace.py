"""`featviz trace`."""

from __future__ import annotations

import click
import numpy as np

from cli.options import data_options, force_option, load_model, model_options, store_option
from cli.output import json_option, print_json, print_table
from cli.progress import picture_bar
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from patching.effects.labels import classes_for
from patching.effects.metrics import METRICS
from patching.effects.report import Found, Peak, name_of, summarize
from patching.effects.report import as_json as averages_json
from patching.effects.table import Floats, read_traces
from patching.interventions.corruptions import FORMS, corruption
from patching.interventions.donors import ABLATIONS
from patching.interventions.selection import BY, Where, windows_of
from patching.plots.job import figures_to_store
from patching.plots.style import check_plots
from patching.trace_job import Settings, trace_to_store

SHOWN = 24
"""Sites in the printed table, at most; the strongest ones, if there are more."""


@click.command()
@model_options
@data_options
@click.option(
    "--corrupt",
    metavar="NAME",
    help=f"What takes the cue away: {', '.join(FORMS.values())}, or none.",
)
@click.option(
    "--site",
    default="attn",
    show_default=True,
    help="attn, mlp, resid, head, resid_pre, resid_mid, q, k, v, pattern, neurons, patch_embed or "
    "pos_embed.",
)
@click.option(
    "--window", default="1", show_default=True, metavar="N[,N...]", help="Blocks patched together."
)
@click.option("--by", type=click.Choice(BY), help="What has a patch of its own: layer if absent.")
@click.option("--layers", default="all", show_default=True, metavar="NUMBERS", help="As 0-3,7.")
@click.option(
    "--heads", default="all", show_default=True, metavar="NUMBERS", help="Heads, or neurons."
)
@click.option(
    "--tokens",
    multiple=True,
    default=("all",),
    show_default=True,
    metavar="NAMES",
    help="class, registers, patches, 0-3x2-5 or numbers, joined by +; again for another set.",
)
@click.option("--images", type=click.IntRange(1), metavar="N", help="Of the data; all if absent.")
@click.option("--noising", is_flag=True, help="Put corrupted activations into the clean run.")
@click.option("--donor", metavar="MODEL", help="Take activations from another model.")
@click.option("--donor-arch", metavar="NAME", help="The architecture, if it is a file of weights.")
@click.option("--donor-untrained", is_flag=True, help="Random weights for the donor.")
@click.option(
    "--ablate", type=click.Choice(ABLATIONS), help="Take activations of the clean run away."
)
@click.option("--frozen-norms", is_flag=True, help="Keep the scale of every norm of the stream.")
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="probability",
    show_default=True,
    help="That is printed and drawn; all are stored.",
)
@click.option("--all-images", is_flag=True, help="Count what the clean run gets wrong, too.")
@store_option
@click.option("--plots", metavar="DIR", help="Draw the effects there, and into the store.")
@force_option
@json_option
def trace(
    model: str,
    data: str,
    download: bool,
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
    donor_arch: str | None,
    donor_untrained: bool,
    ablate: str | None,
    frozen_norms: bool,
    metric: str,
    all_images: bool,
    store: str,
    plots: str | None,
    force: bool,
    as_json: bool,
    untrained: bool,
    arch: str | None,
    device: str,
) -> None:
    """Find which part of MODEL carries a cue, by putting activations of one run into another.

    Clean activations are put into the run on corrupted images, one site after the other. The
    indirect effect of a site is what that does to the label's probability. Every effect is stored
    image by image; running the command again goes on where it ended.

    \b
    featviz trace cueworld/vit --data cueworld --corrupt grayscale --window 1,3 -o traces
    featviz trace cueworld/vit --data cueworld --corrupt blur --site head -o heads --plots plots
    featviz trace cueworld/vit_colourblind --data cueworld --donor cueworld/vit --site head -o two
    featviz trace cueworld/vit --data cueworld:180 --ablate mean --site mlp -o ablated --json
    """
    if plots is not None:
        check_plots()
    loaded = load_model(model, untrained, arch, device)
    other = None if donor is None else load_model(donor, donor_untrained, donor_arch, device)
    dataset = open_data(data, download)
    settings = Settings(
        Where(site, windows_of(window), by, layers, heads, tokens),
        None if corrupt in {None, "none"} else corruption(str(corrupt)),
        "noising" if noising else "denoising",
        ablate,
        frozen_norms,
    )
    with picture_bar("") as progress:
        summary = trace_to_store(loaded, dataset, settings, store, images, other, force, progress)
    traced = read_traces(store)
    counted = traced if all_images else traced.only_right()
    click.echo(f"{store}: {summary.stored} images traced, {summary.done} were there", err=True)
    if counted.left_out:
        wrong = f"{counted.left_out} of {len(traced.image)} images are left out"
        click.echo(f"{wrong}: the clean run gets them wrong", err=True)
    if not len(counted.image):
        raise FeatvizError(
            "no image counts; --all-images counts those that the clean run gets wrong"
        )
    classes = classes_for(loaded, dataset, dataset.numbers(images))
    found = summarize(counted.select(metric=metric), classes)
    if plots is not None:
        for file in figures_to_store(loaded, dataset, store, found, plots, all_images):
            click.echo(str(file), err=True)
    if as_json:
        print_json(
            {
                "store": store,
                "images": len(traced.image),
                "left_out": counted.left_out,
                "averages": averages_json(summarize(counted, classes, detail=True)),
            }
        )
    else:
        print_table(_groups(found))
        click.echo()
        print_table(_sites(found))
        if len(traced.sites) > SHOWN * len(set(traced.sites.window.tolist())):
            click.echo(f"{SHOWN} of {len(traced.sites)} sites are shown; --json has all", err=True)


def _groups(found: list[Found]) -> list[tuple[object, ...]]:
    """Tell the total effect on each group of images, and where the indirect effect peaks."""
    rows: list[tuple[object, ...]] = [
        (
            "images",
            "window",
            "count",
            "total",
            "from",
            "to",
            "peak",
            "effect",
            "from",
            "to",
            "share",
        )
    ]
    for one in found:
        average = one.average
        total = _cells(average.total.estimate, average.total.low, average.total.high, 0)
        peak: tuple[object, ...] = ("none",)
        if one.peak is not None:
            place, effect = one.peak.place, average.effect
            # The highest of many sites, so with an interval that is right for all of them.
            cells = _cells(effect.estimate, effect.all_low, effect.all_high, place)
            share = round(float(average.share.estimate[place]), 3)
            peak = (_peak(one, one.peak), *cells, share)
        row = (average.group.name, one.window, average.count, *total, *peak)
        rows.append((*row, *[""] * (len(rows[0]) - len(row))))
    return rows


def _sites(found: list[Found]) -> list[tuple[object, ...]]:
    """Tell the indirect effect of each site on all images, and on each family."""
    names = list(dict.fromkeys(one.average.group.name for one in found))
    rows: list[tuple[object, ...]] = [
        ("window", "site", "effect", "from", "to", "share", *names[1:])
    ]
    for whole in (one for one in found if one.average.group.kind == "all"):
        effect = whole.average.effect
        beside = [one for one in found if one.window == whole.window and one is not whole]
        for place in _strongest(effect.estimate):
            share = float(whole.average.share.estimate[place])
            cells = _cells(effect.estimate, effect.low, effect.high, place)
            others = [_rounded(one.average.effect.estimate[place]) for one in beside]
            name = name_of(whole.table.sites, place)
            rows.append((whole.window, name, *cells, _rounded(share), *others))
    return rows


def _strongest(estimates: Floats) -> list[int]:
    """All sites in order, or the strongest ones first if there are too many to read."""
    if len(estimates) <= SHOWN:
        return list(range(len(estimates)))
    order: list[int] = np.argsort(-np.abs(estimates), kind="stable")[:SHOWN].tolist()
    return order


def _peak(found: Found, peak: Peak) -> str:
    """Name the peak, and how many other sites may be it."""
    others = len(set(peak.likely) - {peak.place})
    sites = found.table.sites
    if 0 < others < 3:
        named = [name_of(sites, place) for place in peak.likely if place != peak.place]
        return f"{name_of(sites, peak.place)} (or {' or '.join(named)})"
    return name_of(sites, peak.place) + (f" (or {others} others)" if others else "")


def _cells(middle: Floats, low: Floats, high: Floats, place: int) -> tuple[float, ...]:
    return tuple(_rounded(column[place]) for column in (middle, low, high))


def _rounded(value: float) -> float:
    return round(float(value), 4) + 0.0  # of minus zero, zero
