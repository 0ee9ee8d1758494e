"""What the effects of a sweep come to: averages, and where they peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patching.effects.averages import Average, averages, groups
from patching.effects.bootstrap import LEVEL, Intervals
from patching.effects.table import Floats, Sites, Table

RESAMPLES = 2000


@dataclass(frozen=True)
class Peak:
    """The site with the largest effect, as a share of the total effect.

    Attributes
    ----------
    place : int
        Among the sites of the table.
    likely : tuple of int
        The fewest sites one of which is the peak in 95 % of the bootstrap's resamples of the
        images, the most frequent first.
    """

    place: int
    likely: tuple[int, ...]


def peak_of(values: Floats, seed: int = 0) -> Peak:
    """Find where the mean over images is largest, and where else it might be.

    Parameters
    ----------
    values : array, shape (N, S)
        Of N images at S sites; at least one of each.
    """
    count, sites = values.shape
    generator = np.random.default_rng(seed)
    even = np.full(count, 1 / count)
    won = np.zeros(sites, np.int64)
    for _ in range(0, RESAMPLES, 500):
        weights = generator.multinomial(count, even, size=500).astype(np.float64)
        won += np.bincount((weights @ values).argmax(1), minlength=sites)
    order = np.argsort(-won, kind="stable")
    enough = int(np.searchsorted(won[order].cumsum(), LEVEL * won.sum())) + 1
    return Peak(int(values.mean(0).argmax()), tuple(order[:enough].tolist()))


@dataclass(frozen=True)
class Found:
    """One group's averages at the sites of one window.

    Attributes
    ----------
    window : int
        Number of blocks.
    table : Table
        With that window, of all images that count.
    average : Average
    peak : Peak or None
        None where the total effect may be 0, so that no effect is a share of it.
    """

    window: int
    table: Table
    average: Average
    peak: Peak | None


def summarize(table: Table, classes: Sequence[str], detail: bool = False) -> list[Found]:
    """Average a table, window by window: over all images and each family, metric by metric.

    Intervals for all sites together are for those of one window.

    Parameters
    ----------
    table : Table
        Of the images that count, of which there must be one.
    classes : sequence of str
        Names of the labels.
    detail : bool
        Average over every class, too.
    """
    over = [group for group in groups(classes) if detail or group.kind != "class"]
    found = []
    for window in dict.fromkeys(table.sites.window.tolist()):
        part = table.select(window=window)
        found += [Found(window, part, one, _peak(part, one)) for one in averages(part, over)]
    return found


def _peak(table: Table, average: Average) -> Peak | None:
    if not np.isfinite(average.share.estimate).all():
        return None
    chosen = table.images(average.group.holds(table.label)).select(metric=average.metric)
    return peak_of(chosen.effect[0].T * np.sign(average.total.estimate))


def as_json(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Write averages as JSON has them; what is unknown is null."""
    return [
        {
            "group": one.average.group.name,
            "kind": one.average.group.kind,
            "metric": one.average.metric,
            "window": one.window,
            "images": one.average.count,
            "clean": one.average.clean,
            "corrupted": one.average.corrupted,
            "total": _interval(one.average.total, 0),
            "peak": None
            if one.peak is None
            else {
                **_site(one.table.sites, one.peak.place),
                "likely": [_site(one.table.sites, place) for place in one.peak.likely],
            },
            "sites": [
                {
                    **_site(one.table.sites, place),
                    "effect": _interval(one.average.effect, place),
                    "share": _interval(one.average.share, place),
                }
                for place in range(len(one.table.sites))
            ],
        }
        for one in found
    ]


def name_of(sites: Sites, place: int) -> str:
    """Name a site as far as it differs from the others of its sweep: ``layer 3, head 2``."""
    parts = []
    for name in ("layer", "head", "token"):
        column = getattr(sites, name)
        if name == "layer" or len(set(column.tolist())) > 1:
            what = "neuron" if name == "head" and sites.site[place] == "neurons" else name
            parts.append(f"{what} {column[place]}")
    return ", ".join(parts)


def _site(sites: Sites, place: int) -> dict[str, Any]:
    return {field.name: getattr(sites, field.name)[place].item() for field in fields(Sites)}


def _interval(found: Intervals, place: int) -> dict[str, float | None]:
    names = ("estimate", "low", "high", "all_low", "all_high")
    columns: dict[str, NDArray[np.float64]] = {name: getattr(found, name) for name in names}
    values = {name: float(column[place]) for name, column in columns.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
