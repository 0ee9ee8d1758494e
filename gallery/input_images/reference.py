"""What the values of units on an image are compared with, so that units of all layers compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.evidence.metrics import NaturalValues
from featviz.store.columns import Row

NATURAL, PICTURE = "natural", "picture"
"""Kinds of references: natural images, and the picture of the unit."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Reference:
    """Two values of each unit, at which its relative value is 0 and 1.

    Attributes
    ----------
    kind : str
        `NATURAL`: the median and the best natural image, as in
        `featviz.analysis.evidence.metrics.NaturalValues.ratio`. `PICTURE`: a gray image and the
        picture of the unit.
    zero, one : array, shape (units,)
        NaN if unknown.
    natural : dict of int to Row
        Percentiles and values of the top natural images, by index of the unit.
    images : int
        Number of natural images.
    """

    kind: str
    zero: NDArray[np.float64]
    one: NDArray[np.float64]
    natural: Mapping[int, Row] = field(default_factory=dict)
    images: int = 0

    def relative(self, units: Sequence[int], values: Floats) -> NDArray[np.float64]:
        """Return values relative to the reference.

        Parameters
        ----------
        units : sequence of int
            Indices of U units.
        values : array, shape (U, ...)

        Returns
        -------
        float64 array, shape (U, ...)
            ``(value - zero) / (one - zero)``; NaN if unknown, or if one is not above zero.
        """
        shape = (-1, *[1] * (values.ndim - 1))
        zero, one = (each[list(units)].reshape(shape) for each in (self.zero, self.one))
        spread = np.where(one > zero, one - zero, np.nan)
        found: NDArray[np.float64] = (values - zero) / spread
        return found

    def rank(self, unit: int, value: float) -> tuple[int | None, float | None]:
        """Return the place of a value among the natural images.

        Parameters
        ----------
        unit : int
            Index of the unit.
        value : float

        Returns
        -------
        rank : int or None
            1 if no natural image has a higher value. None if it is below the top images that the
            store lists, or there are none.
        percentile : float or None
            Percentage of natural images with lower values; None if there are none.
        """
        row = self.natural.get(unit)
        if row is None:
            return None, None
        top = row["top_values"][np.isfinite(row["top_values"])]
        above = int((top > value).sum())
        percentile = NaturalValues.from_row(row).percentile(value)
        return above + 1 if above < len(top) else None, percentile


def natural_reference(rows: Iterable[Row], units: Sequence[str]) -> Reference | None:
    """Compare with natural images.

    Parameters
    ----------
    rows : iterable of Row
        Of kind ``examples``; of several with one address, the first counts.
    units : sequence of str
        Addresses, in the order of the page.

    Returns
    -------
    Reference or None
        None if no unit has natural images.
    """
    indices = {unit: index for index, unit in enumerate(units)}
    found: dict[int, Row] = {}
    images = 0
    zero, one = np.full((2, len(units)), np.nan)
    for row in rows:
        index = indices.get(row["address"])
        if index is not None and index not in found:
            found[index] = {name: row[name] for name in ("percentiles", "top_values")}
            natural = NaturalValues.from_row(row)
            zero[index], one[index] = natural.median, natural.best
            images = int(row["histogram"].sum())
    return Reference(NATURAL, zero, one, found, images) if found else None
