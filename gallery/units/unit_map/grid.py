"""Placement of points on a grid, one in each cell, so that their pictures do not overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

FILLED = 0.6  # share of the cells that hold a point
ASPECT = 4 / 3  # columns per row


def place_on_grid(points: NDArray[np.floating]) -> tuple[NDArray[np.intp], int, int]:
    """Assign each point a cell of its own on a grid, and keep the arrangement of the points.

    Empty cells that are farthest from all points are filled with dummy points, so that gaps between
    groups remain. The cells are then halved again and again along their longer side, and the points
    with them, by their order along that side; ties by index.

    Parameters
    ----------
    points : array, shape (N, 2)
        N is at least 1.

    Returns
    -------
    cells : array of int, shape (N, 2)
        Column and row of each point.
    columns, rows : int
        Size of the grid.

    Source: Hilasaca et al., "A grid-based method for removing overlaps of dimensionality reduction
    scatterplot layouts", 2023 (DGrid).
    """
    count, low = len(points), points.min(0)
    extent = np.maximum(points.max(0) - low, 1e-6)
    columns = int(np.ceil(np.sqrt(count / FILLED * ASPECT)))
    rows = int(np.ceil(count / FILLED / columns))
    scaled = (points - low) / extent * [columns - 1, rows - 1]
    dummies = _farthest_cells(np.rint(scaled).astype(np.intp), columns, rows)
    everything = np.concatenate([scaled, dummies])
    cells = np.empty((columns * rows, 2), np.intp)
    parts = [(np.arange(columns * rows), 0, 0, columns, rows)]
    while parts:
        members, column, row, width, height = parts.pop()
        if len(members) == 1:
            cells[members] = column, row
        elif width > height:
            members, half = members[everything[members, 0].argsort(kind="stable")], width // 2
            cut = half * height
            parts.append((members[:cut], column, row, half, height))
            parts.append((members[cut:], column + half, row, width - half, height))
        else:
            members, half = members[everything[members, 1].argsort(kind="stable")], height // 2
            cut = half * width
            parts.append((members[:cut], column, row, width, half))
            parts.append((members[cut:], column, row + half, width, height - half))
    return cells[:count], columns, rows


def _farthest_cells(taken: NDArray[np.intp], columns: int, rows: int) -> NDArray[np.intp]:
    """Return as many cells as points are missing to fill the grid, farthest from points first."""
    is_free = np.ones((rows, columns), np.bool_)
    is_free[taken[:, 1], taken[:, 0]] = False
    distances = distance_transform_edt(is_free).ravel()
    chosen = (-distances).argsort(kind="stable")[: columns * rows - len(taken)]
    return np.stack([chosen % columns, chosen // columns], axis=1)
