"""Images of filters: one each, and a contact sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from featviz.analysis.filters.classes import CLASSES

if TYPE_CHECKING:
    from featviz.analysis.filters.filters import Filters

COLUMNS = 16
SIDE = 64
GAP = 4
HEADING = 20


def pictures(filters: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert filters on RGB to images.

    Parameters
    ----------
    filters : array, shape (N, 3, h, w)
        On RGB.

    Returns
    -------
    array of uint8, shape (N, h, w, 3)
        ``127.5 + 127.5 * weight / largest``, rounded: a weight of 0 is 127.5 (stored as 128), and
        the largest absolute weight of each filter is 0 or 255. Bright pixels increase the
        response. All filters have the same contrast, whatever their energy.
    """
    largest = np.abs(filters).max((1, 2, 3), keepdims=True)
    scaled = np.divide(filters, largest, out=np.zeros_like(filters), where=largest > 0)
    levels: NDArray[np.uint8] = np.rint(127.5 + 127.5 * scaled).astype(np.uint8)
    return levels.transpose(0, 2, 3, 1).copy()


def contact_sheet(filters: Filters) -> NDArray[np.uint8]:
    """Arrange the images of all filters of a layer by class, in display order, on white.

    Parameters
    ----------
    filters : Filters

    Returns
    -------
    array of uint8, shape (height, width, 3)
        Rows of 16 filters, each enlarged to at least 64 pixels; above each class are its name and
        its number of filters.
    """
    height, width = filters.images.shape[1:3]
    factor = max(1, -(-SIDE // max(height, width)))
    tiles = filters.images.repeat(factor, 1).repeat(factor, 2)
    tiles = np.pad(tiles, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    ranked = np.argsort(filters.order)
    blocks: list[NDArray[np.uint8]] = []
    for name in CLASSES:
        members = [index for index in ranked if filters.classes[index] == name]
        if members:
            blocks.append(_heading(f"{name}: {len(members)}", COLUMNS * tiles.shape[2]))
            blocks += [
                _row(tiles[members[start : start + COLUMNS]])
                for start in range(0, len(members), COLUMNS)
            ]
    return np.concatenate(blocks)


def _row(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = COLUMNS - len(tiles)
    whole = np.pad(tiles, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    return np.concatenate(list(whole), axis=1)


def _heading(text: str, width: int) -> NDArray[np.uint8]:
    image = Image.new("RGB", (width, HEADING), "white")
    ImageDraw.Draw(image).text((0, HEADING // 4), text, fill="black")
    return np.asarray(image)
