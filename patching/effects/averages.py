"""Effects averaged over images: over all, over each family and over each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from featviz import cueworld
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
        Of the family or class; ``all``.
    labels : frozenset of int or None
        None for every image, also one without a label.
    """

    kind: Literal["all", "family", "class"]
    name: str
    labels: frozenset[int] | None

    def holds(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which images belong to it, (N,)."""
        return np.ones(len(labels), bool) if self.labels is None else _among(labels, self.labels)


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
        The mean total effect, as one site.
    effect : Intervals
        The mean indirect effect of each of S sites.
    share : Intervals
        The mean indirect effect of each site as a share of the mean total effect: 0 where patching
        does nothing, 1 where it does all that the donor's run does. A ratio of means, because an
        image whose own total effect is near 0 would rule a mean of ratios. NaN where the
        interval of the total effect holds 0, so that there is nothing to share.
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
    """List what averages are taken over: everything, cueworld's families, and every class.

    Parameters
    ----------
    classes : sequence of str
        Names of the labels 0, 1, ..., as a dataset gives them.
    """
    found = [Group("all", "all", None)]
    if tuple(classes) == cueworld.CLASSES:
        for family in dict.fromkeys(cueworld.FAMILIES):
            own = (label for label, one in enumerate(cueworld.FAMILIES) if one == family)
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
    """Average every metric over groups of images; groups without images are passed over.

    Intervals for all sites together are for the sites of the table: select those that one
    statement is about.

    Parameters
    ----------
    level, resamples, seed
        See `patching.effects.bootstrap.intervals`.
    """
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


def _among(labels: NDArray[np.int64], chosen: Iterable[int]) -> NDArray[np.bool_]:
    return np.isin(labels, list(chosen))


def _unknown(share: Intervals) -> Intervals:
    nothing = np.full_like(share.estimate, np.nan)
    return replace(
        share, estimate=nothing, low=nothing, high=nothing, all_low=nothing, all_high=nothing
    )
