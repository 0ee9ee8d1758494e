"""Effects averaged over images: over all images, each family and each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from featviz import cueworld
from featviz._util.arguments import instance, sequence
from patching.effects.bootstrap import LEVEL, RESAMPLES, Intervals, intervals
from patching.effects.table import Table


@dataclass(frozen=True)
class Group:
    """Labels whose images are averaged over.

    Attributes
    ----------
    kind : str
        ``"all"``, ``"family"`` or ``"class"``.
    name : str
        Name of the family or class, or ``"all"``.
    labels : frozenset of int or None
        None for all images, including those without a label.
    """

    kind: Literal["all", "family", "class"]
    name: str
    labels: frozenset[int] | None

    def holds(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of N images belong to the group.

        Parameters
        ----------
        labels : int64 array, shape (N,)

        Returns
        -------
        bool array, shape (N,)
        """
        if self.labels is None:
            return np.ones(len(labels), bool)
        return np.isin(labels, list(self.labels))


@dataclass(frozen=True)
class Average:
    """One metric averaged over the images of a group, with intervals over images.

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
    """
    instance("table", table, Table, "a Table, as patching.sweep returns it")
    found = []
    for group in over:
        part = table.images(group.holds(table.label))
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


def _unknown(share: Intervals) -> Intervals:
    nan = np.full_like(share.estimate, np.nan)
    return replace(share, estimate=nan, low=nan, high=nan, all_low=nan, all_high=nan)
