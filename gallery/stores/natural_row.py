"""Picture rows of units without a picture: the natural image with the highest activation."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.units.natural_images import checked_content


def natural_row(store: Store, row: Row) -> Row:
    """Return a row of kind ``examples`` in the form of kind ``renders``.

    Parameters
    ----------
    store : Store
        With the image.
    row : Row

    Returns
    -------
    Row
        One sample: the natural image with the highest activation, without a trajectory.

    Raises
    ------
    FeatvizError
        If the store does not hold the image, or it is damaged.
    """
    return {
        "address": row["address"],
        "images": _image(store, _index(row))[None],
        "activation": row["top_values"][:1],
        "trajectory": np.zeros((1, 0), np.float32),
        "image": _index(row),
    }


def _index(row: Row) -> int:
    if not len(row["top"]) or row["top"][0] < 0:
        raise FeatvizError(f"{row['address']} has no natural image")
    return int(row["top"][0])


@lru_cache(1024)  # units share their natural images
def _image(store: Store, index: int) -> NDArray[np.uint8]:
    content = checked_content(store.row(str(index), "example_images"))
    with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
        return np.array(image.convert("RGB"))
