"""Telling a damaged file from one that the operating system refuses to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from featviz.errors import FeatvizError

# What h5py raises for a file whose bytes are wrong.
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


class DamagedError(FeatvizError):
    """A file is not what was written: deleting it and running the job again is right."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell in one line that `path` is damaged, whatever HDF5 makes of its bytes.

    Raises
    ------
    DamagedError
        For an error of the block that wrong bytes can cause.
    FeatvizError
        When it is the operating system that refuses.
    """
    try:
        yield
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.strerror:
            raise FeatvizError(f"cannot read {path}: {error.strerror}") from error
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise DamagedError(f"{path} is damaged: {reason.splitlines()[0]}") from error
