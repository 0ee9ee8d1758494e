"""How far to trust a picture, in numbers: of natural images, of its spectrum, of its making."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

Floats = npt.NDArray[np.float64]

NAN = float("nan")


@dataclass(frozen=True)
class Natural:
    """What the values of a unit on natural images come to.

    Attributes
    ----------
    percentiles : float64 array, shape (101,)
        The 0th to the 100th of its values.
    """

    percentiles: Floats

    @property
    def median(self) -> float:
        """The value on the middle image."""
        return float(self.percentiles[50])

    @property
    def best(self) -> float:
        """The value on the best image."""
        return float(self.percentiles[100])

    def share(self, value: float) -> float:
        """Tell how far a value is from the median to the best image.

        Values before a nonlinearity have an arbitrary zero and may be negative, so a plain quotient
        would say nothing. This one does not change when the unit is scaled up or moved.

        Returns
        -------
        float
            ``(value - median) / (best - median)``: 0 at the median, 1 at the best image, above 1
            beyond it and negative below the median. NaN where the unit does not vary.
        """
        spread = self.best - self.median
        return (value - self.median) / spread if spread > 0 else NAN

    def rank(self, value: float) -> float:
        """Tell which percentage of natural images has lower values.

        Returns
        -------
        float
            From 0 to 100; linear between two percentiles, and in the middle of those that equal
            the value. 100 above the best image, 0 below the worst.
        """
        lower = int(np.searchsorted(self.percentiles, value, "left"))
        upper = int(np.searchsorted(self.percentiles, value, "right"))
        if np.isnan(value) or np.isnan(self.percentiles).any():
            return NAN
        if upper > lower:
            return (lower + upper - 1) / 2
        if lower in {0, len(self.percentiles)}:
            return 0.0 if lower == 0 else 100.0
        below, above = self.percentiles[lower - 1], self.percentiles[lower]
        return float(lower - 1 + (value - below) / (above - below))

    @classmethod
    def from_row(cls, row: Row) -> Natural:
        """Take it from a row of examples."""
        return cls(np.asarray(row["percentiles"], np.float64))


@dataclass(frozen=True)
class Numbers:
    """How far to trust one picture. What was not measured is NaN.

    Attributes
    ----------
    activation : float
        The unit's value on the stored picture, without views.
    ratio : float
        How far that is from the median natural image, 0, to the best one, 1; see `Natural.share`.
    percentile : float
        Percentage of natural images with lower values; see `Natural.rank`.
    held_out : float
        The mean value over views that the optimization did not use; see `featviz.scores`.
    kept : float
        What these views keep of the way from the median natural image to the picture:
        ``(held_out - median) / (activation - median)``. NaN where the picture is no better than the
        median image.
    fine, grid : float
        Shares of the picture's energy in high frequencies and on the grid of patches.
    spectrum : float
        Distance of its power spectrum to that of natural images.
    rise : float
        What the last doubling of the optimization's steps brought; see `featviz.scores`.
    """

    activation: float
    ratio: float = NAN
    percentile: float = NAN
    held_out: float = NAN
    kept: float = NAN
    fine: float = NAN
    grid: float = NAN
    spectrum: float = NAN
    rise: float = NAN


def numbers(render: Row, examples: Row | None, scores: Row | None) -> tuple[Numbers, ...]:
    """Compute the numbers of each sample of a render.

    Parameters
    ----------
    render : Row
        Of kind ``renders``.
    examples, scores : Row, optional
        Of these kinds, of the same unit.

    Returns
    -------
    tuple of Numbers, one for each of D samples
    """
    natural = None if examples is None else Natural.from_row(examples)
    found = []
    for sample, activation in enumerate(map(float, render["activation"])):
        values = {
            name: NAN if scores is None else float(scores[name][sample])
            for name in ("held_out", "fine", "grid", "spectrum", "rise")
        }
        if natural is not None:
            way, held_out = activation - natural.median, values["held_out"]
            values["ratio"] = natural.share(activation)
            values["percentile"] = natural.rank(activation)
            values["kept"] = (held_out - natural.median) / way if way > 0 else NAN
        found.append(Numbers(activation, **values))
    return tuple(found)
