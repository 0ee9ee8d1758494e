"""Choice of a few images whose effects are shown one by one."""

from __future__ import annotations

import numpy as np

from patching.effects.table import Table

COUNT = 6
"""Maximum number of typical images."""


def typical(table: Table, count: int = COUNT) -> list[int]:
    """Choose typical images of the classes with the largest mean total effects.

    Of each class, this is the image whose total effect is nearest to the median.

    Parameters
    ----------
    table : Table
        The first metric counts.
    count : int
        Maximum number of images.

    Returns
    -------
    list of int
        Indices of images in the table.
    """
    total = table.total[0]
    means = {label: abs(total[table.label == label].mean()) for label in np.unique(table.label)}
    chosen = []
    for label in sorted(means, key=lambda label: -means[label])[:count]:
        own = np.flatnonzero(table.label == label)
        median = np.median(total[own])
        chosen.append(int(own[np.abs(total[own] - median).argmin()]))
    return chosen
