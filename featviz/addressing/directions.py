"""Directions in the space of a layer's outputs or an activation, read from ``.npy`` files."""

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
_WITH_DIGEST = re.compile(r"(?P<stem>.+)-(?P<digest>[0-9a-f]{8})\.npy")


@dataclass(frozen=True)
class Direction:
    """A direction in the output space of a layer; the unit's value is the dot product with it.

    Attributes
    ----------
    name : str
        Stem of the file's name.
    digest : str
        First 8 hexadecimal digits of the SHA-256 of the file's numbers as float32, so that
        different contents have different addresses.
    row : int or None
        Row of a file of several directions; None for a file of one.
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
    """Return whether `text`, the index part of an address, names a file of directions."""
    return _FILE.fullmatch(text) is not None


def read_directions(text: str, width: int | None = None, what: str = "it") -> list[Direction]:
    """Read ``FILE.npy`` (one direction) or ``FILE.npy.ROWS`` (rows of a matrix of directions).

    The text of a `Direction` is read from its original file: ``probe-1a2b3c4d.npy`` from
    ``probe.npy`` in the same folder, if the numbers are unchanged.

    Parameters
    ----------
    text : str
        Index part of an address or selector.
    width : int, optional
        Required length of a direction; any if not given.
    what : str
        The site, for the error message about a wrong length.

    Returns
    -------
    list of Direction
        In the order of the selected rows.

    Raises
    ------
    FeatvizError
        If the file does not exist, has changed, or does not hold finite nonzero vectors of the
        required length.
    """
    match = _FILE.fullmatch(text)
    if match is None:
        raise FeatvizError(f"{text!r} names no directions; write FILE.npy or FILE.npy.0-15")
    path, expected = _locate(Path(match["path"]))
    vectors = _read(path)
    digest = hashlib.sha256(vectors.tobytes()).hexdigest()[:8]
    if expected and expected != digest:
        raise FeatvizError(f"{path} has changed: its digest is {digest}, not {expected}")
    if width is not None and vectors.shape[-1] != width:
        raise FeatvizError(
            f"{path} has directions of length {vectors.shape[-1]}; {what} needs length {width}"
        )
    if vectors.ndim == 1:
        if match["rows"]:
            raise FeatvizError(f"{path} holds a single direction without rows; write {path}")
        return [Direction(path.stem, digest, None, vectors)]
    rows = expand(match["rows"] or "all", range(len(vectors)), f"{path} has directions")
    return [Direction(path.stem, digest, row, vectors[row]) for row in rows]


def read_layer_directions(site: Site, text: str) -> list[Direction]:
    """Read directions in the output space of a layer, or the space of an activation.

    Parameters
    ----------
    site : Site
        Must not be logits or latents; its width is the required length.
    text : str
        See `read_directions`.

    Returns
    -------
    list of Direction

    Raises
    ------
    FeatvizError
        If the site has logits or latents; see also `read_directions`.
    """
    if site.kind not in ("layer", "activation"):
        what = "latents" if site.kind == "latents" else "logits"
        raise FeatvizError(
            f"{site.path} has {what}; only layers and activations of blocks have directions"
        )
    return read_directions(text, site.width, site.path)


def _locate(path: Path) -> tuple[Path, str | None]:
    """Return the file to read, and the digest that the address requires, if any."""
    match = _WITH_DIGEST.fullmatch(path.name)
    # Unlike `Path.exists`, this does not raise for a name that is too long.
    if match and not os.path.exists(path):  # noqa: PTH110
        return path.with_name(f"{match['stem']}.npy"), match["digest"]
    return path, None


def _read(path: Path) -> npt.NDArray[np.float32]:
    try:
        # Unlike `np.load`, this does not accept archives or pickles.
        with path.open("rb") as file:
            vectors = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except Exception as error:  # a damaged header makes NumPy raise almost anything
        raise FeatvizError(f"{path} is not a .npy file of numbers: {error}") from error
    if vectors.ndim not in (1, 2) or not vectors.size or vectors.dtype.kind not in "fiu":
        shape = f"{vectors.dtype} {vectors.shape}"
        raise FeatvizError(f"{path} must hold a vector or matrix of real numbers, not {shape}")
    with np.errstate(over="ignore"):  # out-of-range numbers become infinite, and are refused
        vectors = np.ascontiguousarray(vectors, np.float32)
    if not np.isfinite(vectors).all() or not np.abs(vectors).sum(-1).all():
        raise FeatvizError(f"{path} has a direction that is zero or not finite")
    return vectors
