"""The progress callback, and the progress bar of ``progress=True``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from featviz._util.arguments import described
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from tqdm.auto import tqdm

Progress = Callable[[float, int], object]
"""Called as ``progress(finished, total)`` with numbers of items.

`finished` may be a fraction where a job reports steps within a batch.
"""
BAR_FORMAT = "{percentage:3.0f}% |{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}]"


def ignore(finished: float, total: int) -> None:
    """Ignore `finished` and `total`: the default `Progress`."""


class Bar:
    """A `Progress` that shows a bar on stderr, or in the output of a notebook cell.

    The bar appears with the first call, and is closed when all items are finished.
    """

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __call__(self, finished: float, total: int) -> None:
        """Show the number of finished items, and their total."""
        if self._bar is None:
            from tqdm.auto import tqdm  # noqa: PLC0415  it looks for a notebook

            self._bar = tqdm(total=total, bar_format=BAR_FORMAT, smoothing=0)
        self._bar.update(finished - self._bar.n)
        if finished >= total:
            self._bar.close()


def as_progress(progress: Progress | bool) -> Progress:
    """Return the callback that a public function is called with.

    Parameters
    ----------
    progress : callable or bool
        True for a progress bar, False for none.

    Returns
    -------
    callable

    Raises
    ------
    FeatvizError
        If it is something else.
    """
    if callable(progress):
        return progress
    if not isinstance(progress, bool):
        raise FeatvizError(
            "progress must be True, False or a function of the numbers of finished and of all "
            f"items, got {described(progress)}"
        )
    return Bar() if progress else ignore


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
