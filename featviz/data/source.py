"""The protocol of data sources: images and labels by index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor


class Source(Protocol):
    """Images by index.

    Attributes
    ----------
    classes : tuple of str
        Names of the labels; empty if unknown.
    wordnet_ids : tuple of str
        WordNet ids of the classes, as of ImageNet; empty if unknown.
    interleaved : bool
        Whether consecutive images go through all classes, so that the first images are a
        representative sample.
    """

    classes: tuple[str, ...]
    wordnet_ids: tuple[str, ...]
    interleaved: bool

    def __len__(self) -> int:
        """Return the number of images."""

    def fingerprint(self) -> str:
        """Return a digest of the content."""

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Read image `index` as a square of `size` pixels.

        Returns
        -------
        image : Tensor, shape (3, size, size)
            RGB in [0, 1].
        label : int
            Index into `classes`, -1 if unknown.
        """

    def label(self, index: int) -> int:
        """Return the label of image `index`, as `read` does."""


@runtime_checkable
class FileSource(Protocol):
    """A source that reads its images from files, some of which may be unreadable."""

    def file_name(self, index: int) -> str:
        """Return a name of image `index` that does not depend on the location of the source."""

    def check(self, index: int) -> None:
        """Read image `index` without keeping it.

        Raises
        ------
        FeatvizError
            If it cannot be read.
        """


def digest(parts: Iterable[str | bytes]) -> str:
    """Hash `parts`, each preceded by its length, so that different lists have different digests.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    state = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def tail_of(path: Path, length: int = 16_384) -> bytes:
    """Read the size and the last bytes of a file, which differ for changed images.

    Parameters
    ----------
    path : Path
    length : int
        Number of bytes.

    Returns
    -------
    bytes
        The same for all files that cannot be opened: `Dataset.readable` names them.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return str(size).encode() + b":" + file.read()
    except OSError:
        return b"unreadable"
