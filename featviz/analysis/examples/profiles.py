"""Profiles of units: their values on a fixed sample of images, to correlate units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

KIND = "profiles"
IMAGES = 512
"""Images of a profile, at most."""
LEVELS = 2**16 - 1

Array = npt.NDArray[Any]


def encode(values: npt.NDArray[np.float32]) -> dict[str, Array]:
    """Encode the profiles of units in 2 bytes per image.

    Levels are equally spaced between the extremes of the profile. A 16-bit float would keep 11
    bits of each value, and lose the differences between images of a unit whose mean is large.

    Parameters
    ----------
    values : float32 array, shape (U, P)
        Finite.

    Returns
    -------
    dict of arrays
        ``levels`` (U, P), uint16, from 0 at ``low`` to 65535 at ``high`` (U,), float32.
    """
    wide = values.astype(np.float64)
    low, high = wide.min(1), wide.max(1)
    span = np.where(high > low, high - low, 1)
    levels = np.rint((wide - low[:, None]) / span[:, None] * LEVELS)
    return {
        "levels": levels.astype("<u2"),
        "low": low.astype(np.float32),
        "high": high.astype(np.float32),
    }


def decode(row: Row) -> npt.NDArray[np.float32]:
    """Decode a profile.

    Parameters
    ----------
    row : Row
        Of kind ``profiles``.

    Returns
    -------
    float32 array, shape (P,)
        The values of the unit, with an error of at most 1/131070 of their range, and the rounding
        of float32.
    """
    low, high = float(row["low"]), float(row["high"])
    shares = row["levels"].astype(np.float64) / LEVELS
    values: npt.NDArray[np.float32] = (low + shares * (high - low)).astype(np.float32)
    return values
