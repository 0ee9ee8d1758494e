"""The protocol of data sources: images and labels by index."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Protocol

from torch import Tensor

HELD_OUT = 10_000
"""The stream of cueworld's images; the bundled models were trained on others."""


class Source(Protocol):
    """Images by number.

    Attributes
    ----------
    classes : tuple of str
        Names of the labels; empty where unknown.
    in_turn : bool
        Whether the order shows every class in turn, so that the first images are a fair sample.
    """

    classes: tuple[str, ...]
    in_turn: bool

    def __len__(self) -> int:
        """Count the images."""

    def fingerprint(self) -> str:
        """Digest of what is there."""

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Read an image, (3, size, size) in [0, 1], and its label, -1 where unknown."""

    def label(self, number: int) -> int:
        """Return what `read` gives as the label."""


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256 in hexadecimal of parts, each after its length, so that no two lists are alike."""
    state = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()
