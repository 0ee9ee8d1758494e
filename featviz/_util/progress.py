"""The progress callback."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, int], object]
"""Told before every batch and after every step how many pictures are finished, and of how many."""


def ignore(finished: float, total: int) -> None:
    """Show no progress."""
