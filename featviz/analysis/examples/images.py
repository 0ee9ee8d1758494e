"""Images of a dataset as WebP files in a store, and their patches."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from featviz._util.image_files import UNREADABLE
from featviz._util.images import to_uint8
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_box
from featviz.store.reader import Store

KIND = "example_images"
MAX_SIDE = 160
"""Side in pixels of a stored image, at most: a 16-pixel patch of a 224-pixel image keeps 11."""
QUALITY = 80

Picture = npt.NDArray[np.uint8]


def settings(image_size: int) -> dict[str, int]:
    """Return how example images are stored.

    Parameters
    ----------
    image_size : int
        Side of the model's input in pixels.

    Returns
    -------
    dict of str to int
        ``side`` in pixels, ``quality`` of WebP (0 to 100), and ``bytes``: the space for each file,
        3 bits per pixel plus 256 bytes. Photographs take 1.5 bits per pixel on average, and rarely
        more than 2.8.
    """
    side = min(image_size, MAX_SIDE)
    return {"side": side, "quality": QUALITY, "bytes": side * side * 3 // 8 + 256}


def encode(image: Tensor, side: int, quality: int, max_bytes: int) -> bytes:
    """Encode an image as a WebP file.

    Parameters
    ----------
    image : Tensor, shape (3, H, H)
        RGB in [0, 1].
    side : int
        Side of the file in pixels; images of another size are resized (bicubic).
    quality : int
        From 0 to 100; reduced in steps of 10 until the file fits.
    max_bytes : int
        Size of the file in bytes, at most. Noise takes 0.6 bits per pixel at quality 0.

    Returns
    -------
    bytes
        Deterministic.

    Raises
    ------
    FeatvizError
        If the file does not fit at any quality.
    """
    picture = Image.fromarray(to_uint8(image).cpu().numpy())
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    for reduced in range(quality, -1, -10):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=reduced)
        if file.tell() <= max_bytes:
            return file.getvalue()
    raise FeatvizError(f"an image of {side} x {side} pixels does not fit into {max_bytes} bytes")


def columns(files: Sequence[bytes], labels: Sequence[int], max_bytes: int) -> dict[str, Any]:
    """Arrange image files as columns of a store.

    Parameters
    ----------
    files : sequence of bytes
        N WebP files.
    labels : sequence of int
        Class of each image; -1 if unknown.
    max_bytes : int
        Width of the column of files.

    Returns
    -------
    dict of arrays
        ``webp`` (N, max_bytes), padded with zeros; ``bytes`` (N,), the sizes; ``label`` (N,).
    """
    webp = np.zeros((len(files), max_bytes), np.uint8)
    for row, data in zip(webp, files, strict=True):
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return {
        "webp": webp,
        "bytes": np.array([len(data) for data in files], np.int32),
        "label": np.array(labels, np.int32),
    }


def read_image(store: Store, index: int) -> Picture:
    """Read an example image from a store.

    Parameters
    ----------
    store : Store
    index : int
        Index of the image in the dataset.

    Returns
    -------
    uint8 array, shape (side, side, 3)
        RGB.

    Raises
    ------
    FeatvizError
        If the store does not hold the image, or the image is damaged.
    """
    row = store.row(str(index), KIND)
    side = store.configuration[KIND]["side"]
    data = row["webp"][: int(row["bytes"])].tobytes()
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            # Before its pixels are decoded: a file may claim any size.
            if picture.size != (side, side):
                raise ValueError(f"its size is {picture.size} and not {side} x {side}")
            return np.array(picture.convert("RGB"))
    except UNREADABLE as error:
        raise FeatvizError(f"{store.path} is damaged: image {index}: {error}") from error


def crop(image: Picture, token: int, grid: Sequence[int], prefix: int) -> Picture | None:
    """Crop an image to a patch.

    Parameters
    ----------
    image : uint8 array, shape (side, side, 3)
    token, grid, prefix
        See `featviz.models.token_grid.patch_box`.

    Returns
    -------
    uint8 array or None
        None for a token that is not a patch.
    """
    box = patch_box(token, grid, prefix, len(image))
    if box is None:
        return None
    left, top, right, bottom = box
    return image[top:bottom, left:right]
