"""Whether an effect exceeds those of controls: a paired bootstrap over images.

A control stands for the unit as one more draw from the same layer. If the unit were such a draw
too, it would exceed the level, an order statistic of the controls' effects, in no more than
`SHARE` of all cases, whatever the distribution of effects is. The bootstrap then asks whether it
exceeds the level by more than the choice of images explains. So p is about images alone: a unit
that is like its controls, and happens to be among the highest `SHARE` of them, has a small p.

Source: the rank argument is that of Monte Carlo tests, Barnard, "Discussion of The Spectral
Analysis of Point Processes", JRSS B 25, 1963; p-values above 0, Davison and Hinkley, "Bootstrap
Methods and their Application", 1997, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SHARE = 0.05
"""Share of controls that may exceed their level; also the p at which a claim is given up."""


def draw(classes: Indices, resamples: int, generator: np.random.Generator) -> Floats:
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


def resampled_means(weights: Floats, images: Indices, values: Floats) -> Floats:
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


class Level:
    """The level of K controls that are added one by one: it only rises.

    Before all of them are added it is a lower bound of theirs.

    Parameters
    ----------
    count : int
        K, of which not all need to be added.
    """

    def __init__(self, count: int) -> None:
        rank = rank_of_level(count)
        self._kept = None if rank is None else count + 1 - rank
        self._highest: Floats | None = None

    def add(self, effects: Floats) -> None:
        """Add the effects of one control, of the same shape (...) each time.

        What is not a number counts as higher than all that is.
        """
        if self._kept is None:
            return
        own = effects[None]
        together = own if self._highest is None else np.concatenate([self._highest, own])
        self._highest = np.sort(together, axis=0)[-self._kept :]

    @property
    def value(self) -> Floats | None:
        """The level, shape (...); None if so few cannot have one, or too few are added."""
        found = self._highest
        return None if found is None or len(found) != self._kept else found[0]


@dataclass(frozen=True)
class Compared:
    """M effects beside those of controls.

    Attributes
    ----------
    level : array, shape (M,)
        That of the controls; a lower bound where p is above `SHARE`. NaN with too few.
    p : array, shape (M,)
        That the effect is at most 0, or at most the level; in (0, 1]. Above `SHARE` a lower bound.
        NaN where the level is, and, as is the level, where another effect settled the matter first.
    """

    level: Floats
    p: Floats


def compare(
    own: tuple[Floats, Floats], controls: Iterable[tuple[Floats, Floats]], count: int
) -> Compared:
    """Compare effects with those of controls, of which no more are taken than a claim needs.

    A claim needs every effect to exceed its level. The level only rises with each control, so that
    once p is above `SHARE` for one of the effects it stays there, and the rest is not asked for.

    Parameters
    ----------
    own : arrays, shapes (M,) and (M, B)
        The effects, and in each of B resamples.
    controls : iterable of the same
        Measured when they are taken, best the strongest first.
    count : int
        How many controls there are.
    """
    estimate, resampled = own
    unknown = np.full(len(estimate), np.nan)
    if rank_of_level(count) is None or not np.isfinite(estimate).all():
        return Compared(unknown, unknown)
    whole, drawn = Level(count), Level(count)
    p, decided = unknown, np.ones(len(estimate), bool)
    for added, (control_estimate, control_resampled) in enumerate(controls, 1):
        whole.add(control_estimate)
        drawn.add(control_resampled)
        if drawn.value is None:
            continue
        above = resampled - np.maximum(drawn.value, 0)
        p = np.array([positive(each) for each in above])
        if (p > SHARE).any():
            decided = (p > SHARE) | (added == count)
            break
    level = unknown if whole.value is None else whole.value
    known = decided & np.isfinite(level)
    return Compared(np.where(known, level, np.nan), np.where(known, p, np.nan))


def positive(statistic: Floats) -> float:
    """Compute the p that a statistic is at most 0, from its resamples (B,)."""
    # What is not a number is not above 0.
    return float((1 + np.count_nonzero(~(statistic > 0))) / (len(statistic) + 1))
