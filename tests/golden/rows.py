"""Rows of stores compared: numbers, texts and pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz import Store

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""Of numbers that are computed anew. Small ones are mostly differences of numbers about 1."""

COARSE = {"activation": 1e-3, "held_out": 1e-3, "rise": 1e-3, "spectrum": 1e-2}
"""Relative ones of columns that are measured on pictures of 8 bits. Where arithmetic rounds
otherwise (AVX2, or no vectors at all), one value in a hundred of a picture is a level off, which
moved these columns by up to 2.2e-4, 1.2e-4, 4e-5 and 2.3e-3, and no other beyond the above."""

ONE_LEVEL, MOST_LEVELS = 0.995, 3
"""Share of a picture's values that are at most one level of 255 off, and by how much the others may
be. There, none was more than one level off."""


def differing(golden: Store, found: Store) -> Iterator[str]:
    """Tell which rows of a golden store another one has not, or has otherwise."""
    for kind in golden.kinds:
        if golden.addresses(kind) != found.addresses(kind):
            yield f"{kind}: {golden.addresses(kind)} there, {found.addresses(kind)} here"
            continue
        for one, other in zip(golden.rows(kind), found.rows(kind), strict=True):
            for column, value in one.items():
                if reason := difference(kind, column, one, other):
                    yield f"{kind}/{column} of {one['address']}: {reason} ({np.shape(value)})"


def difference(kind: str, column: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Tell how a column of two rows differs; nothing if it does not."""
    golden, found = np.asarray(one[column]), np.asarray(other[column])
    if (golden.dtype, golden.shape) != (found.dtype, found.shape):
        return f"{golden.dtype} {golden.shape} there, {found.dtype} {found.shape} here"
    if (kind, column) == ("example_images", "webp"):
        golden, found = decoded(one), decoded(other)
    elif (kind, column) == ("example_images", "bytes"):
        return ""
    if golden.dtype.kind == "f":
        relative = COARSE.get(column, RELATIVE)
        near = np.isclose(golden, found, relative, ABSOLUTE, equal_nan=True)
        return "" if near.all() else f"{golden[~near][:3]} there, {found[~near][:3]} here"
    if golden.dtype == np.uint8 and golden.ndim > 2:
        return unlike(golden, found)
    return "" if np.array_equal(golden, found) else f"{golden} there, {found} here"


def unlike(golden: NDArray[np.uint8], found: NDArray[np.uint8]) -> str:
    """Tell how far apart two pictures are; nothing if they are the same but for rounding."""
    apart = np.abs(golden.astype(int) - found.astype(int))
    near, most = (apart <= 1).mean(), apart.max()
    if near >= ONE_LEVEL and most <= MOST_LEVELS:
        return ""
    return f"{near:.2%} of the values are within one level, and the farthest {most} off"


def decoded(row: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Decode a natural image."""
    file = io.BytesIO(row["webp"][: int(row["bytes"])].tobytes())
    return np.asarray(Image.open(file).convert("RGB"))
