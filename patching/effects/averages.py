"""Effects averaged over images: over all images, each family and each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from featviz import cueworld
from featviz._util.arguments import instance, sequence
from featviz.errors import FeatvizError
from patching.effects.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    difference_intervals,
    intervals,
)
from patching.effects.table import Table


@dataclass(frozen=True)
class Group:
    """Images that are averaged over, or two groups whose difference is estimated.

    Attributes
    ----------
    kind : str
        ``"all"``, ``"family"``, ``"class"``, ``"attribute"`` or ``"difference"``.
    name : str
        Name of the family, class or attribute, or ``"all"``.
    labels : frozenset of int or None
        None for images with any label or none.
    images : frozenset of int or None
        Indices of the images in their dataset; None for all images with the labels.
    parts : tuple of Group
        Two for a difference, the first minus the second; else empty.
    """

    kind: Literal["all", "family", "class", "attribute", "difference"]
    name: str
    labels: frozenset[int] | None = None
    images: frozenset[int] | None = None
    parts: tuple[Group, ...] = ()

    def holds(self, labels: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of N images belong to the group.

        Parameters
        ----------
        labels, images : int64 arrays, shape (N,)
            Label and index of each image.

        Returns
        -------
        bool array, shape (N,)
        """
        if self.parts:
            first, second = (each.holds(labels, images) for each in self.parts)
            return first | second
        found = np.ones(len(labels), bool)
        if self.labels is not None:
            found &= np.isin(labels, list(self.labels))
        if self.images is not None:
            found &= np.isin(images, list(self.images))
        return found


@dataclass(frozen=True)
class Average:
    """One metric averaged over the images of a group, with intervals over images.

    For two groups, each number is the average over the first minus that over the second, except
    for the count of all their images. Shares are then NaN.

    Attributes
    ----------
    group : Group
    metric : str
    count : int
        Number of images.
    clean, corrupted : float
        Means of the unpatched runs.
    total : Intervals
        The mean total effect, as a single site.
    effect : Intervals
        The mean indirect effect of each of S sites.
    share : Intervals
        The mean indirect effect of each site divided by the mean total effect: 0 if patching does
        nothing, 1 if it does what the donor run does. It is a ratio of means, because images whose
        total effect is near 0 would dominate a mean of ratios. NaN if the interval of the total
        effect contains 0.
    """

    group: Group
    metric: str
    count: int
    clean: float
    corrupted: float
    total: Intervals
    effect: Intervals
    share: Intervals


def groups(classes: Sequence[str]) -> list[Group]:
    """List the groups to average over: all images, the families of cueworld, and every class.

    Parameters
    ----------
    classes : sequence of str
        Names of the labels 0, 1, ... of a dataset.

    Returns
    -------
    list of Group
    """
    classes = sequence("classes", classes, "names of classes")
    found = [Group("all", "all", None)]
    if tuple(classes) == cueworld.CLASSES:
        for family in dict.fromkeys(cueworld.FAMILIES):
            own = (label for label, each in enumerate(cueworld.FAMILIES) if each == family)
            found.append(Group("family", family, frozenset(own)))
    found += [Group("class", name, frozenset([label])) for label, name in enumerate(classes)]
    return found


def averages(
    table: Table,
    over: Iterable[Group],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Average]:
    """Average every metric of a table over groups of images.

    Simultaneous intervals are for all sites of the table: select the sites that one statement is
    about.

    Parameters
    ----------
    table : Table
    over : iterable of Group
        Groups without images are skipped.
    level, resamples, seed
        See `patching.effects.bootstrap.intervals`.

    Returns
    -------
    list of Average
        For each group, one for each metric.

    Raises
    ------
    FeatvizError
        If one of two groups whose difference is estimated has fewer than 2 images.
    """
    instance("table", table, Table, "a Table, as patching.sweep returns it")
    found = []
    for group in over:
        if group.parts:
            found += _differences(table, group, level, resamples, seed)
            continue
        part = table.images(group.holds(table.label, table.image))
        if not len(part.image):
            continue
        for index, metric in enumerate(part.metric):
            total, effect = part.total[index], part.effect[index].T
            whole = intervals(total[:, None], None, level, resamples, seed)
            share = intervals(effect, total, level, resamples, seed)
            found.append(
                Average(
                    group,
                    metric,
                    len(part.image),
                    float(part.clean[index].mean()),
                    float(part.corrupted[index].mean()),
                    whole,
                    intervals(effect, None, level, resamples, seed),
                    share if whole.low[0] > 0 or whole.high[0] < 0 else _unknown(share),
                )
            )
    return found


def check_difference(group: Group, labels: NDArray[np.int64], images: NDArray[np.int64]) -> None:
    """Check that both groups of a difference have at least 2 images, and none in common.

    Parameters
    ----------
    group : Group
        Of kind ``"difference"``.
    labels, images : int64 arrays, shape (N,)
        Label and index of each image.

    Raises
    ------
    FeatvizError
        If they do not.
    """
    held = [part.holds(labels, images) for part in group.parts]
    for part, own in zip(group.parts, held, strict=True):
        if own.sum() < 2:
            count = f"{int(own.sum())} image{'' if own.sum() == 1 else 's'}"
            raise FeatvizError(
                f"the difference needs at least 2 images in each group, but {part.name!r} has "
                f"{count} of {len(images)}"
            )
    if common := int(np.all(held, axis=0).sum()):
        first, second = (part.name for part in group.parts)
        raise FeatvizError(
            f"{first!r} and {second!r} have {common} images in common; the difference needs groups "
            "without common images"
        )


def _differences(
    table: Table, group: Group, level: float, resamples: int, seed: int
) -> list[Average]:
    """Estimate the difference between two groups, for each metric."""
    check_difference(group, table.label, table.image)
    one, other = (table.images(each.holds(table.label, table.image)) for each in group.parts)
    found = []
    for index, metric in enumerate(table.metric):
        first, second = one.effect[index].T, other.effect[index].T
        totals = one.total[index][:, None], other.total[index][:, None]
        effect = difference_intervals(first, second, level, resamples, seed)
        found.append(
            Average(
                group,
                metric,
                effect.count,
                float(one.clean[index].mean() - other.clean[index].mean()),
                float(one.corrupted[index].mean() - other.corrupted[index].mean()),
                difference_intervals(*totals, level, resamples, seed),
                effect,
                _unknown(effect),
            )
        )
    return found


def _unknown(share: Intervals) -> Intervals:
    nan = np.full_like(share.estimate, np.nan)
    return replace(share, estimate=nan, low=nan, high=nan, all_low=nan, all_high=nan)
