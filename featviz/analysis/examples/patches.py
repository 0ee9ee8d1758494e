"""Where a patch lies in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]


def patch_box(token: int, grid: Sequence[int], prefix: int, side: int) -> Box | None:
    """Find the pixels of a patch.

    Of a convolution the patch is a cell of its feature map, which sees more of the image than
    itself.

    Parameters
    ----------
    token : int
        Prefix tokens first.
    grid : (int, int)
        Rows and columns; (-1, -1) where there are none.
    prefix : int
        How many tokens come before the patches.
    side : int
        Of the picture in pixels.

    Returns
    -------
    (left, top, right, bottom) or None
        Right and bottom are the first pixels that are outside. None of a token that is no patch.
    """
    rows, columns = (int(each) for each in grid)
    if rows < 1 or columns < 1 or not prefix <= token < prefix + rows * columns:
        return None
    row, column = divmod(token - prefix, columns)
    horizontal = _span(column, columns, side)
    vertical = _span(row, rows, side)
    return horizontal[0], vertical[0], horizontal[1], vertical[1]


def crop(image: Picture, token: int, grid: Sequence[int], prefix: int) -> Picture | None:
    """Cut a patch out of an image (side, side, 3); None of a token that is no patch."""
    box = patch_box(token, grid, prefix, len(image))
    if box is None:
        return None
    left, top, right, bottom = box
    return image[top:bottom, left:right]


def _span(number: int, count: int, side: int) -> tuple[int, int]:
    start = number * side // count
    return start, max(start + 1, (number + 1) * side // count)
