"""Activation maps of example images in a store: the value of the unit at every patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featviz.errors import FeatvizError
from featviz.store.columns import Row

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

KIND = "example_maps"
SELECTIONS = ("top", "spread")
"""Examples with a map. On the images with the lowest values, there is little to see."""
MAX_SIDE = 16
"""Rows and columns of a stored map, at most."""
LEVELS = 254
"""The highest level; the lowest is 1, and 0 is a patch without a value."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer]


def settings(model: VisionModel) -> dict[str, int]:
    """Return how maps of a `model` are stored: ``cells``, the size of the largest of any layer."""
    grids = [site.grid for site in model.sites.values() if site.grid is not None]
    shapes = [_shrunk(grid) for grid in grids]
    return {"cells": max((rows * columns for rows, columns in shapes), default=0)}


class MapTable:
    """Maps of N units on K images each, as they are stored: a byte per cell.

    A map with more than 16 rows or columns is reduced: each cell is the maximum over a square of
    patches, so that the patch with the highest value stays in the highest cell.

    Parameters
    ----------
    units, images : int
        N and K.
    cells : int
        See `settings`.

    Attributes
    ----------
    columns : dict of arrays
        ``levels`` (N, K, cells), uint8: from 1 at ``low`` to 255 at ``high`` (N, K), float32, the
        lowest and the highest value of each map; 0 at patches without a value, and after the last
        cell. ``grid`` (N, 2), int32: rows and columns; -1 if the unit has no map.
    """

    def __init__(self, units: int, images: int, cells: int) -> None:
        self.columns: dict[str, npt.NDArray[Any]] = {
            "levels": np.zeros((units, images, cells), np.uint8),
            "low": np.full((units, images), np.nan, np.float32),
            "high": np.full((units, images), np.nan, np.float32),
            "grid": np.full((units, 2), -1, np.int32),
        }

    def put(self, units: Ints, images: Ints, maps: Floats) -> None:
        """Store the maps (M, R, C) of some pairs of a unit and an image, each by index, (M,)."""
        maps = _reduced(maps)
        self.columns["grid"][units] = maps.shape[1:]
        values = maps.reshape(len(maps), -1).astype(np.float64)
        values[~np.isfinite(values)] = np.nan
        low, high = np.fmin.reduce(values, 1), np.fmax.reduce(values, 1)
        span = np.where(high > low, high - low, 1)
        levels = np.rint((values - low[:, None]) / span[:, None] * LEVELS) + 1
        levels[np.isnan(levels)] = 0
        self.columns["levels"][units, images, : levels.shape[1]] = levels
        self.columns["low"][units, images] = low
        self.columns["high"][units, images] = high


def read_maps(row: Row) -> dict[int, Floats]:
    """Read the maps of a unit.

    Parameters
    ----------
    row : Row
        Of kind ``example_maps``.

    Returns
    -------
    dict of int to float32 array, shape (rows, columns)
        For each image, by its index in the dataset, the value of the unit at every patch, see
        `featviz.activations.patch_maps.patch_maps`; NaN at patches without a value. Values differ
        from the original ones by at most 1/508 of the range of the map.

    Raises
    ------
    FeatvizError
        If the grid does not fit the levels.
    """
    rows, columns = row["grid"].tolist()
    cells = row["levels"].shape[1]
    if min(rows, columns) < 1 or rows * columns > cells:
        raise FeatvizError(f"its maps have {rows} x {columns} patches and {cells} levels")
    levels = row["levels"][:, : rows * columns].astype(np.float64)
    low, high = (row[name].astype(np.float64)[:, None] for name in ("low", "high"))
    values = np.where(levels > 0, low + (levels - 1) / LEVELS * (high - low), np.nan)
    maps = values.astype(np.float32).reshape(-1, rows, columns)
    return {int(image): each for image, each in zip(row["images"], maps, strict=True) if image >= 0}


def _reduced(maps: Floats) -> Floats:
    factor = _factor(maps.shape[1:])
    if factor == 1:
        return maps
    for axis in (1, 2):
        # `fmax` takes the value where the other is NaN.
        maps = np.fmax.reduceat(maps, np.arange(0, maps.shape[axis], factor), axis)
    return maps


def _shrunk(grid: tuple[int, ...]) -> tuple[int, int]:
    factor = _factor(grid)
    rows, columns = (-(-side // factor) for side in grid)
    return rows, columns


def _factor(grid: tuple[int, ...]) -> int:
    return -(-max(grid) // MAX_SIDE)
