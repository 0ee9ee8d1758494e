"""Sprite sheets: small pictures of the units of a layer in one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# A browser decodes a whole sheet to show one of its cells, and a sorted list may show cells of as
# many sheets as there are cells in the window. Sheets are therefore small: 2 x 2 cells take 0.7 of
# the time and 0.8 of the memory of 4 x 2 cells, and one cell a file would take four times as many
# files.
COLUMNS = 2  # cells per row; half as many if they are wide
ROWS = 2  # maximum rows of a sheet
QUALITY = 90
FEW_UNITS = 2000  # models with at most this many units have large cells
LARGE, SMALL = 96, 64  # pixels; multiples of 16, so that no encoder block spans two cells
GAP = 4  # pixels between the halves of a wide cell


def cell_size(units: int) -> int:
    """Return the height of a cell in pixels.

    Parameters
    ----------
    units : int
        Number of units of the model.
    """
    return LARGE if units <= FEW_UNITS else SMALL


def columns(wide: bool) -> int:
    """Return the number of cells in a row of a sheet.

    Parameters
    ----------
    wide : bool
        Whether cells hold pairs.
    """
    return COLUMNS // 2 if wide else COLUMNS


def capacity(wide: bool) -> int:
    """Return the maximum number of cells of a sheet.

    Parameters
    ----------
    wide : bool
        Whether cells hold pairs.
    """
    return columns(wide) * ROWS


def make_cell(pictures: Sequence[Pixels], cell: int, wide: bool) -> Pixels:
    """Fit the pictures of a unit into a cell, side by side and centered.

    Larger pictures are reduced; smaller ones are enlarged by an integer factor without smoothing.

    Parameters
    ----------
    pictures : sequence of arrays of uint8, shape (H, W, 3)
        One picture, or a pair of a query and a key side.
    cell : int
        Height of the cell in pixels.
    wide : bool
        Whether the cell has room for a pair.

    Returns
    -------
    array of uint8, shape (cell, cell, 4), or (cell, 2 cell, 4) if wide
        RGB and opacity; transparent around the pictures.
    """
    canvas = Image.new("RGBA", (cell * (1 + wide), cell))
    slots = [((cell - GAP // 2), 0), (cell - GAP // 2, cell + GAP // 2)]
    if len(pictures) == 1:
        slots = [(cell * (1 + wide), 0)]
    for pixels, (room, left) in zip(pictures, slots, strict=False):
        fitted = _fitted(Image.fromarray(pixels), min(room, cell), cell)
        across = left + (room - fitted.width) // 2
        canvas.paste(fitted, (across, (cell - fitted.height) // 2))
    return np.asarray(canvas)


def fills_cell(size: Sequence[int], cell: int) -> bool:
    """Return whether a picture leaves no part of its cell transparent; see `make_cell`.

    Parameters
    ----------
    size : sequence of int
        Width and height of the picture.
    cell : int
        Width and height of the cell.
    """
    width, height = size
    return width == height and (width >= cell or cell % width == 0)


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    factor = min(width // image.width, height // image.height)
    if factor >= 1:
        size = image.width * factor, image.height * factor
        return image.resize(size, Image.Resampling.NEAREST)
    image.thumbnail((width, height), Image.Resampling.LANCZOS)
    return image


class Sheet:
    """A sprite sheet that is being filled.

    Parameters
    ----------
    count : int
        Number of cells; at most `capacity`.
    cell : int
        Height of a cell in pixels.
    wide : bool
        Whether cells hold pairs.
    """

    def __init__(self, count: int, cell: int, wide: bool) -> None:
        self.count = count
        self._cell, self._width, self._columns = cell, cell * (1 + wide), columns(wide)
        self._pixels: Pixels | None = None  # only while it is being filled

    def put(self, index: int, pixels: Pixels) -> None:
        """Insert a cell.

        Parameters
        ----------
        index : int
            In row-major order.
        pixels : array of uint8
            See `make_cell`.
        """
        if self._pixels is None:
            rows = -(-self.count // self._columns)
            across = min(self.count, self._columns) * self._width
            self._pixels = np.zeros((rows * self._cell, across, 4), np.uint8)
        row, column = divmod(index, self._columns)
        top, left = row * self._cell, column * self._width
        self._pixels[top : top + self._cell, left : left + self._width] = pixels

    def save(self, path: Path) -> None:
        """Write the sheet as WebP, without opacity if no pixel is transparent, and empty it.

        Parameters
        ----------
        path : Path
        """
        pixels, self._pixels = self._pixels, None
        if pixels is None:
            return
        mode = "RGBA" if (pixels[..., 3] < 255).any() else "RGB"
        image = Image.fromarray(pixels).convert(mode)
        image.save(path, "WEBP", quality=QUALITY, method=2)
