"""The images of a dataset as small files in a store, and the patches in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from featviz._util.image_files import UNREADABLE
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_box
from featviz.store.columns import Row
from featviz.store.reader import Store

KIND = "example_images"
MOST = 160
"""Side in pixels of a stored image at most: a patch of a 16-pixel grid in 224 still has 11."""
QUALITY = 80

Picture = npt.NDArray[np.uint8]


def settings(image_size: int) -> dict[str, int]:
    """Tell how the images of a model are stored.

    Returns
    -------
    dict
        ``side`` in pixels, ``quality`` of WebP, and ``bytes``: room for each file. It is 3 bits a
        pixel and 256 bytes; photographs take 1.5 on average and rarely more than 2.8.
    """
    side = min(image_size, MOST)
    return {"side": side, "quality": QUALITY, "bytes": side * side * 3 // 8 + 256}


def encode(image: Tensor, side: int, quality: int, room: int) -> bytes:
    """Write an image as a WebP file.

    Parameters
    ----------
    image : Tensor, shape (3, H, H)
        RGB in [0, 1].
    side : int
        Pixels of the file; a larger image is made smaller (bicubic).
    quality : int
        From 0 to 100. It is lowered by 10 as often as it takes for the file to fit.
    room : int
        Bytes that the file may take. Noise takes 0.6 bits a pixel at quality 0.

    Returns
    -------
    bytes
        The same for the same image, each time.

    Raises
    ------
    FeatvizError
        If it does not fit at any quality.
    """
    pixels = (image.permute(1, 2, 0) * 255).round().byte().cpu().numpy()
    picture = Image.fromarray(pixels)
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    for tried in range(quality, -1, -10):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=tried)
        if file.tell() <= room:
            return file.getvalue()
    raise FeatvizError(f"an image of {side} x {side} pixels does not fit into {room} bytes")


def columns(files: Sequence[bytes], labels: Sequence[int], room: int) -> dict[str, Any]:
    """Arrange files of images as columns of a store."""
    webp = np.zeros((len(files), room), np.uint8)
    for row, data in zip(webp, files, strict=True):
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return {
        "webp": webp,
        "bytes": np.array([len(data) for data in files], np.int32),
        "label": np.array(labels, np.int32),
    }


def file_of(row: Row) -> bytes:
    """Take the WebP file out of a row of kind ``example_images``."""
    data: bytes = row["webp"][: int(row["bytes"])].tobytes()
    return data


def read_image(store: Store, number: int) -> Picture:
    """Read an image of the dataset from a store.

    Parameters
    ----------
    number : int
        Of the image in the dataset.

    Returns
    -------
    uint8 array, shape (side, side, 3)
        RGB.

    Raises
    ------
    FeatvizError
        If the store does not hold it, or it is no such image.
    """
    row = store.row(str(number), KIND)
    side = store.configuration[KIND]["side"]
    try:
        with Image.open(io.BytesIO(file_of(row)), formats=["WEBP"]) as picture:
            # Before its pixels are decoded: a file may claim any size.
            if picture.size != (side, side):
                raise ValueError(f"it has {picture.size} pixels and not {side} x {side}")
            return np.array(picture.convert("RGB"))
    except UNREADABLE as error:
        raise FeatvizError(f"{store.path} is damaged: image {number}: {error}") from error


def crop(image: Picture, token: int, grid: Sequence[int], prefix: int) -> Picture | None:
    """Cut a patch out of an image (side, side, 3); None of a token that is no patch."""
    box = patch_box(token, grid, prefix, len(image))
    if box is None:
        return None
    left, top, right, bottom = box
    return image[top:bottom, left:right]
