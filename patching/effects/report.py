"""Summary of a sweep: averages over groups of images, and the site of the largest effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.models.loading.sae_files import LATENTS
from patching.effects.averages import Average, Group, averages, groups
from patching.effects.bootstrap import LEVEL, Intervals, peak_counts
from patching.effects.table import Floats, Table
from patching.interventions.selection import Sites


@dataclass(frozen=True)
class Peak:
    """The site with the largest effect, relative to the total effect.

    Attributes
    ----------
    site : int
        Index of the site in the table.
    likely : tuple of int
        The smallest set of sites that contains the peak in 95 % of the bootstrap resamples, most
        frequent first.
    """

    site: int
    likely: tuple[int, ...]


def peak_of(values: Floats, seed: int = 0) -> Peak:
    """Find the site with the largest mean over images, and others that may have it.

    Parameters
    ----------
    values : array, shape (N, S)
        Values of N images at S sites; at least one of each.
    seed : int
        Random seed of the resamples.

    Returns
    -------
    Peak
    """
    won = peak_counts(values, seed)
    order = np.argsort(-won, kind="stable")
    enough = int(np.searchsorted(won[order].cumsum(), LEVEL * won.sum())) + 1
    return Peak(int(values.mean(0).argmax()), tuple(order[:enough].tolist()))


@dataclass(frozen=True)
class GroupEffects:
    """Averages of one metric over one group of images, at the sites of one window.

    Attributes
    ----------
    window : int
        Number of blocks.
    table : Table
        Effects at the sites of that window, for the images of all groups.
    average : Average
    peak : Peak or None
        None if the total effect may be 0, so that shares are undefined.
    """

    window: int
    table: Table
    average: Average
    peak: Peak | None


def summarize(
    table: Table, classes: Sequence[str], detail: bool = False, more: Sequence[Group] = ()
) -> list[GroupEffects]:
    """Average a table for each window, over all images and over each family, for each metric.

    Simultaneous intervals are for the sites of one window.

    Parameters
    ----------
    table : Table
        Of at least one image.
    classes : sequence of str
        Names of the labels.
    detail : bool
        Whether to average over each class, too.
    more : sequence of Group
        Further groups.

    Returns
    -------
    list of GroupEffects
    """
    over = [group for group in groups(classes) if detail or group.kind != "class"]
    over += [group for group in more if group not in over]
    found = []
    for window in dict.fromkeys(table.sites.window.tolist()):
        part = table.select(window=window)
        found += [
            GroupEffects(window, part, average, _peak(part, average))
            for average in averages(part, over)
        ]
    return found


def _peak(table: Table, average: Average) -> Peak | None:
    if not np.isfinite(average.share.estimate).all():
        return None
    chosen = table.images(average.group.holds(table.label, table.image)).select(
        metric=average.metric
    )
    return peak_of(chosen.effect[0].T * np.sign(average.total.estimate))


def as_json(summaries: Sequence[GroupEffects]) -> list[dict[str, Any]]:
    """Convert averages to JSON values; unknown numbers become null.

    Parameters
    ----------
    summaries : sequence of GroupEffects

    Returns
    -------
    list of dict
    """
    return [
        {
            "group": each.average.group.name,
            "kind": each.average.group.kind,
            "metric": each.average.metric,
            "window": each.window,
            "images": each.average.count,
            "clean": each.average.clean,
            "corrupted": each.average.corrupted,
            "total": _interval(each.average.total, 0),
            "peak": None
            if each.peak is None
            else {
                **_site(each.table.sites, each.peak.site),
                "likely": [_site(each.table.sites, site) for site in each.peak.likely],
            },
            "sites": [
                {
                    **_site(each.table.sites, site),
                    "effect": _interval(each.average.effect, site),
                    "share": _interval(each.average.share, site),
                }
                for site in range(len(each.table.sites))
            ],
        }
        for each in summaries
    ]


def name_of(sites: Sites, index: int) -> str:
    """Name a site by the attributes that vary among the sites, such as ``layer 3, head 2``.

    Parameters
    ----------
    sites : Sites
    index : int
        Index of the site.
    """
    site = str(sites.site[index])
    unit = "neuron" if site == "neurons" else "latent" if site.startswith(LATENTS) else "head"
    parts = []
    for name in ("layer", "head", "token"):
        column = getattr(sites, name)
        if name == "layer" or len(set(column.tolist())) > 1:
            parts.append(f"{unit if name == 'head' else name} {column[index]}")
    return ", ".join(parts)


def _site(sites: Sites, index: int) -> dict[str, Any]:
    return {field.name: getattr(sites, field.name)[index].item() for field in fields(Sites)}


def _interval(found: Intervals, index: int) -> dict[str, float | None]:
    names = ("estimate", "low", "high", "all_low", "all_high")
    columns: dict[str, NDArray[np.float64]] = {name: getattr(found, name) for name in names}
    values = {name: float(column[index]) for name, column in columns.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
