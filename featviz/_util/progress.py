"""The progress callback."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, int], object]
"""Called as ``progress(finished, total)`` with numbers of items.

`finished` may be a fraction where a job reports steps within a batch.
"""


def ignore(finished: float, total: int) -> None:
    """Ignore `finished` and `total`: the default `Progress`."""


def part_of(progress: Progress, start: float, size: float, total: int) -> Progress:
    """Make the callback of one part of a job, which reports the progress of the whole job.

    Parameters
    ----------
    progress : callable
        Callback of the whole job.
    start : float
        Number of items finished before this part.
    size : float
        Number of items in this part. The part may count in other units; its count is scaled.
    total : int
        Number of items of the whole job.

    Returns
    -------
    callable
    """
    return lambda finished, part: progress(start + size * finished / part, total)
