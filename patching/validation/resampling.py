"""Whether an effect exceeds those of controls: a paired bootstrap over images.

A control stands for the unit as one more draw from the same layer. If the unit were such a draw
too, it would exceed the level, an order statistic of the controls' effects, in no more than
`SHARE` of all cases, whatever the distribution of effects is. The bootstrap then asks whether it
exceeds the level by more than the choice of images explains.

Source: the rank argument is that of Monte Carlo tests, Barnard, "Discussion of The Spectral
Analysis of Point Processes", JRSS B 25, 1963; p-values above 0, Davison and Hinkley, "Bootstrap
Methods and their Application", 1997, section 4.2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

SHARE = 0.05
"""Share of controls that may exceed their level; also the p at which a claim is given up."""


def draw(classes: Places, resamples: int, generator: np.random.Generator) -> Floats:
    """Draw how often each image is in each resample; every class keeps its number of images.

    Parameters
    ----------
    classes : array, shape (N,)

    Returns
    -------
    array, shape (resamples, N)
    """
    weights = np.zeros((resamples, len(classes)))
    for one in np.unique(classes):
        places = np.flatnonzero(classes == one)
        even = np.full(len(places), 1 / len(places))
        weights[:, places] = generator.multinomial(len(places), even, size=resamples)
    return weights


def resampled_means(weights: Floats, images: Places, values: Floats) -> Floats:
    """Average values over the images of each resample; NaN where none of them was drawn.

    Parameters
    ----------
    weights : array, shape (B, N)
        See `draw`.
    images : array, shape (n,)
        Which of the N images the values are of.
    values : array, shape (n,)

    Returns
    -------
    array, shape (B,)
    """
    chosen = weights[:, images]
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = chosen @ values / chosen.sum(1)
    return means


def rank_of_level(count: int) -> int | None:
    """Tell which of so many controls, the smallest first, is the level; None if they are too few.

    The smallest rank r that a unit like its controls exceeds with a probability of at most
    `SHARE`: of `count` + 1 exchangeable effects it is among the ``count + 1 - r`` largest.
    """
    rank = math.ceil((1 - SHARE) * (count + 1) - 1e-9)
    return rank if rank <= count else None


def level(controls: Floats) -> Floats:
    """Find the level of K controls, shape (K, ...) to (...); NaN if they are too few."""
    rank = rank_of_level(len(controls))
    if rank is None:
        return np.full(controls.shape[1:], np.nan)
    found: Floats = np.partition(controls, rank - 1, axis=0)[rank - 1]
    return found


def above(own: Floats, controls: Floats) -> float:
    """Compute the p that an effect is at most 0, or at most the level of its controls.

    Parameters
    ----------
    own : array, shape (B,)
        The mean effect in each resample.
    controls : array, shape (K, B)
        Those of controls in the same resamples.

    Returns
    -------
    float
        Above 0, at most 1; NaN with too few controls.
    """
    if rank_of_level(len(controls)) is None:
        return float("nan")
    return positive(own - np.maximum(level(controls), 0))


def positive(statistic: Floats) -> float:
    """Compute the p that a statistic is at most 0, from its resamples (B,)."""
    # What is not a number is not above 0.
    return float((1 + np.count_nonzero(~(statistic > 0))) / (len(statistic) + 1))
