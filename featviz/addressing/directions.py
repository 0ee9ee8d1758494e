"""Directions among the outputs of a layer, from ``.npy`` files."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from featviz.addressing.ranges import expand
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.sites import Site

_FILE = re.compile(r"(?P<path>[\w./-]+\.npy)(\.(?P<rows>[\w,-]+))?")
_STAMPED = re.compile(r"(?P<stem>.+)-(?P<digest>[0-9a-f]{8})\.npy")


@dataclass(frozen=True)
class Direction:
    """A direction: the unit is its dot product with what the layer puts out.

    Attributes
    ----------
    name : str
        Stem of the file's name.
    digest : str
        First 8 hexadecimal digits of the SHA-256 of the file's numbers as float32, so that another
        file of the same name gives another address.
    row : int or None
        Which row of a file of several directions.
    vector : float32 array, shape (width,)
    """

    name: str
    digest: str
    row: int | None
    vector: npt.NDArray[np.float32] = field(repr=False, compare=False)

    def __str__(self) -> str:
        row = "" if self.row is None else f".{self.row}"
        return f"{self.name}-{self.digest}.npy{row}"


def is_direction(text: str) -> bool:
    """Tell whether the index in an address names a file."""
    return _FILE.fullmatch(text) is not None


def read_directions(text: str, width: int | None = None, what: str = "it") -> list[Direction]:
    """Read ``FILE.npy`` (one direction) or ``FILE.npy.ROWS`` (of a matrix of directions).

    The text of a `Direction` is read from the file that it was made of: ``probe-1a2b3c4d.npy`` from
    ``probe.npy`` in the same folder, if the numbers are still the same.

    Parameters
    ----------
    width : int, optional
        How many numbers a direction needs.
    what : str
        The site, for the error when a direction has more or fewer.

    Raises
    ------
    FeatvizError
        If the file is not there, holds no finite numbers, or has another shape.
    """
    match = _FILE.fullmatch(text)
    if match is None:
        raise FeatvizError(f"{text!r} names no directions; write FILE.npy or FILE.npy.0-15")
    path, digest = _found(Path(match["path"]))
    numbers = _numbers(path)
    stamp = hashlib.sha256(numbers.tobytes()).hexdigest()[:8]
    if digest and digest != stamp:
        raise FeatvizError(f"{path} has changed: its digest is {stamp}, not {digest}")
    if width is not None and numbers.shape[-1] != width:
        raise FeatvizError(
            f"{path} has {numbers.shape[-1]} numbers a direction; {what} has {width}"
        )
    if numbers.ndim == 1:
        if match["rows"]:
            raise FeatvizError(f"{path} holds one direction and no rows; write {path}")
        return [Direction(path.stem, stamp, None, numbers)]
    rows = expand(match["rows"] or "all", range(len(numbers)), f"{path} has directions")
    return [Direction(path.stem, stamp, row, numbers[row]) for row in rows]


def of_layer(site: Site, text: str) -> list[Direction]:
    """Read directions among the outputs of a layer."""
    if site.kind != "layer":
        raise FeatvizError(f"{site.path} is no layer whose outputs have directions")
    return read_directions(text, site.width, site.path)


def _found(path: Path) -> tuple[Path, str | None]:
    stamped = _STAMPED.fullmatch(path.name)
    # Unlike `Path.exists`, this raises nothing for a name that is too long.
    if stamped and not os.path.exists(path):  # noqa: PTH110
        return path.with_name(f"{stamped['stem']}.npy"), stamped["digest"]
    return path, None


def _numbers(path: Path) -> npt.NDArray[np.float32]:
    try:
        # Unlike `np.load`, it takes neither archives nor pickles for arrays.
        with path.open("rb") as file:
            numbers = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except Exception as error:  # a damaged header makes NumPy raise almost anything
        raise FeatvizError(f"{path} is no .npy file of numbers: {error}") from error
    if numbers.ndim not in (1, 2) or not numbers.size or numbers.dtype.kind not in "fiu":
        shape = f"{numbers.dtype} {numbers.shape}"
        raise FeatvizError(f"{path} is no vector or matrix of real numbers but {shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite in it
        numbers = np.ascontiguousarray(numbers, np.float32)
    if not np.isfinite(numbers).all() or not np.abs(numbers).sum(-1).all():
        raise FeatvizError(f"{path} has a direction that is zero or not finite")
    return numbers
