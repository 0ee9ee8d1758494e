"""Progress on stderr: slow imports, and the progress bar of jobs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

    from featviz._util.progress import Progress

FORMAT = "{desc}{percentage:3.0f}% |{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
CLEAR_LINE = "\r\x1b[K"


@contextmanager
def loading_pytorch() -> Iterator[None]:
    """Show a line on stderr while PyTorch is imported, if stderr is a terminal."""
    shown = sys.stderr.isatty() and "torch" not in sys.modules
    if shown:
        _write("loading PyTorch ...")
    try:
        yield
    finally:
        if shown:
            _write(CLEAR_LINE)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@contextmanager
def progress_bar(description: str = "") -> Iterator[Progress]:
    """Show a progress bar on stderr: how much is finished, the speed and the remaining time.

    If stderr is not a terminal, a line is written at most every 30 seconds. The bar appears with
    the first call: a job that is refused, or has nothing to do, shows none.

    Parameters
    ----------
    description : str
        Text before the bar.

    Yields
    ------
    callable
        To be called with the number of items finished and in all.
    """
    interval = 0.2 if sys.stderr.isatty() else 30.0
    with ExitStack() as stack:
        bar: tqdm[NoReturn] | None = None

        def show(finished: float, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(_new_bar(description, total, interval))
            bar.update(finished - bar.n)

        yield show


def _new_bar(description: str, total: int, interval: float) -> tqdm[NoReturn]:
    from tqdm import tqdm

    # `smoothing=0` is the mean speed since the start: layers take turns and differ in speed.
    return tqdm(
        desc=description,
        total=total,
        unit=" images",
        bar_format=FORMAT,
        mininterval=interval,
        smoothing=0,
    )
