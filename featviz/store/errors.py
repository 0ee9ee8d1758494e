"""Read errors: a damaged file, or one that the operating system refuses to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from featviz.errors import FeatvizError

UNREADABLE = (
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""Exceptions that h5py raises for a file with invalid content."""


class DamagedError(FeatvizError):
    """A file does not have the content that was written; delete it and run the job again."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error that invalid content can cause in the ``with`` block into a one-line error.

    Parameters
    ----------
    path : Path
        The file that the block reads, for the message.

    Raises
    ------
    DamagedError
        If the content is invalid.
    FeatvizError
        If the operating system refuses to read it.
    """
    try:
        yield
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.strerror:
            raise FeatvizError(f"cannot read {path}: {error.strerror}") from error
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise DamagedError(f"{path} is damaged: {reason.splitlines()[0]}") from error
