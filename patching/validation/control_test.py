"""Test of an effect against those of controls: a Monte Carlo rank test with a paired bootstrap.

Null hypothesis: the candidate is one more draw from the population that its controls come from.
Then its effect exceeds the critical value, an order statistic of the controls' effects, with
probability at most `ALPHA`, whatever the distribution of effects. The bootstrap tests whether the
effect exceeds the critical value by more than the choice of images explains. The p-value thus
covers images only: a candidate like its controls that happens to be in the top `ALPHA` of them has
a small p-value.

Source: Barnard, "Discussion of The Spectral Analysis of Point Processes", JRSS B 25, 1963, for the
rank argument; Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2,
for p-values above 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from patching.effects.bootstrap import Floats

ALPHA = 0.05
"""Significance level: maximum share of exchangeable candidates above their critical value, and the
p-value above which a claim is rejected."""


def critical_rank(count: int) -> int | None:
    """Compute the rank of the critical value among controls.

    It is the smallest rank r that an exchangeable candidate exceeds with probability at most
    `ALPHA`: that of being among the ``count + 1 - r`` largest of ``count + 1`` effects.

    Parameters
    ----------
    count : int
        Number of controls.

    Returns
    -------
    int or None
        From 1, the smallest effect, to `count`; None if there are too few controls.
    """
    rank = math.ceil((1 - ALPHA) * (count + 1) - 1e-9)
    return rank if rank <= count else None


class CriticalValue:
    """The critical value of K controls, updated one control at a time.

    Until all controls are added it is a lower bound.

    Parameters
    ----------
    count : int
        K, the number of controls; not all need to be added.
    """

    def __init__(self, count: int) -> None:
        rank = critical_rank(count)
        self._kept = None if rank is None else count + 1 - rank
        self._largest: Floats | None = None

    def add(self, effects: Floats) -> None:
        """Add the effects of one control.

        Parameters
        ----------
        effects : array, shape (...)
            Of the same shape in each call. NaN counts as the largest value.
        """
        if self._kept is None:
            return
        added = effects[None]
        both = added if self._largest is None else np.concatenate([self._largest, added])
        self._largest = np.sort(both, axis=0)[-self._kept :]

    @property
    def value(self) -> Floats | None:
        """The critical value, shape (...); None if K is too small, or too few are added yet."""
        found = self._largest
        return None if found is None or len(found) != self._kept else found[0]


@dataclass(frozen=True)
class ControlComparison:
    """M effects of a candidate compared with those of controls.

    Attributes
    ----------
    critical_value : array, shape (M,)
        Of the controls' effects; a lower bound where p is above `ALPHA`. NaN with too few controls.
    p : array, shape (M,)
        In (0, 1], for the hypothesis that the effect is not above 0, or not above the critical
        value; a lower bound where it is above `ALPHA`. Both are NaN for an effect whose comparison
        was stopped because that of another effect failed.
    """

    critical_value: Floats
    p: Floats


def compare(
    own: tuple[Floats, Floats], controls: Iterable[tuple[Floats, Floats]], count: int
) -> ControlComparison:
    """Compare effects with those of controls, and stop as soon as one comparison fails.

    A claim needs every effect to exceed its critical value. Critical values only rise as controls
    are added, so a p-value above `ALPHA` stays there, and the remaining controls are not measured.

    Parameters
    ----------
    own : (array, array), shapes (M,) and (M, B)
        The candidate's effects, over all images and over each of B resamples.
    controls : iterable of (array, array)
        The same of each control, measured as they are consumed; best the strongest first.
    count : int
        Number of controls.

    Returns
    -------
    ControlComparison
    """
    estimate, resampled = own
    unknown = np.full(len(estimate), np.nan)
    if critical_rank(count) is None or not np.isfinite(estimate).all():
        return ControlComparison(unknown, unknown)
    overall, of_resamples = CriticalValue(count), CriticalValue(count)
    p, decided = unknown, np.ones(len(estimate), bool)
    for added, (control_estimate, control_resampled) in enumerate(controls, 1):
        overall.add(control_estimate)
        of_resamples.add(control_resampled)
        if of_resamples.value is None:
            continue
        excess = resampled - np.maximum(of_resamples.value, 0)
        p = np.array([bootstrap_p(each) for each in excess])
        if (p > ALPHA).any():
            decided = (p > ALPHA) | (added == count)
            break
    critical = unknown if overall.value is None else overall.value
    known = decided & np.isfinite(critical)
    return ControlComparison(np.where(known, critical, np.nan), np.where(known, p, np.nan))


def bootstrap_p(statistic: Floats) -> float:
    """Compute the p-value of the hypothesis that a statistic is not above 0.

    Parameters
    ----------
    statistic : array, shape (B,)
        In each resample; NaN counts as not above 0.

    Returns
    -------
    float
        In (0, 1].
    """
    return float((1 + np.count_nonzero(~(statistic > 0))) / (len(statistic) + 1))
