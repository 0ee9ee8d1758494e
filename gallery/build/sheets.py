"""Sheets: the units' pictures of one layer, small, in a grid; a page cuts out what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

COLUMNS = 32  # cells a row; half as many if they are wide
ROWS = 48  # of cells at most in a sheet
QUALITY = 90
FEW_UNITS = 2000  # up to this many in a model there is room for large cells
LARGE, SMALL = 96, 64  # pixels, multiples of 16: no block of the encoder lies in two cells
BETWEEN = 4  # pixels between the halves of a wide cell


def cell_size(units: int) -> int:
    """Return the height of a cell in pixels, by the number of units of a model."""
    return LARGE if units <= FEW_UNITS else SMALL


def columns(wide: bool) -> int:
    """Return the number of cells in a row of a sheet."""
    return COLUMNS // 2 if wide else COLUMNS


def capacity(wide: bool) -> int:
    """Return how many cells a sheet has at most."""
    return columns(wide) * ROWS


def make_cell(pictures: Sequence[Pixels], cell: int, wide: bool) -> Pixels:
    """Fit the pictures of a unit into a cell, side by side, each in the middle of its place.

    A larger picture is reduced; a smaller one is enlarged by a whole number, so that its pixels
    stay what they are.

    Parameters
    ----------
    pictures : sequence of arrays of uint8, shape (H, W, 3)
        One, or the query's and the key's if the cell is wide.

    Returns
    -------
    array of uint8, shape (cell, cell, 4), or (cell, 2 cell, 4) if wide
        RGB and opacity; it is transparent beside the pictures.
    """
    ground = Image.new("RGBA", (cell * (1 + wide), cell))
    places = [((cell - BETWEEN // 2), 0), (cell - BETWEEN // 2, cell + BETWEEN // 2)]
    if len(pictures) == 1:
        places = [(cell * (1 + wide), 0)]
    for pixels, (room, left) in zip(pictures, places, strict=False):
        fitted = _fitted(Image.fromarray(pixels), min(room, cell), cell)
        across = left + (room - fitted.width) // 2
        ground.paste(fitted, (across, (cell - fitted.height) // 2))
    return np.asarray(ground)


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    factor = min(width // image.width, height // image.height)
    if factor >= 1:
        size = image.width * factor, image.height * factor
        return image.resize(size, Image.Resampling.NEAREST)
    image.thumbnail((width, height), Image.Resampling.LANCZOS)
    return image


class Sheet:
    """One sheet while it is filled.

    Parameters
    ----------
    count : int
        Cells that it will have; at most `capacity`.
    """

    def __init__(self, count: int, cell: int, wide: bool) -> None:
        self.count = count
        self._cell, self._width, self._columns = cell, cell * (1 + wide), columns(wide)
        rows = -(-count // self._columns)
        across = min(count, self._columns) * self._width
        self._pixels = np.zeros((rows * cell, across, 4), np.uint8)

    def put(self, place: int, pixels: Pixels) -> None:
        """Put a cell at its place: first across, then down."""
        row, column = divmod(place, self._columns)
        top, left = row * self._cell, column * self._width
        self._pixels[top : top + self._cell, left : left + self._width] = pixels

    def save(self, path: Path) -> None:
        """Write it as WebP, without opacity if no picture leaves room."""
        mode = "RGBA" if (self._pixels[..., 3] < 255).any() else "RGB"
        image = Image.fromarray(self._pixels).convert(mode)
        image.save(path, "WEBP", quality=QUALITY, method=2)
