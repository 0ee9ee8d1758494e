"""The progress bar of jobs that make pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NoReturn

from tqdm import tqdm

from featviz._util.progress import Progress

FORMAT = "{desc}{percentage:3.0f}% |{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"


@contextmanager
def picture_bar(what: str) -> Iterator[Progress]:
    """Show on stderr how many pictures are finished, how fast, and how long the rest takes.

    Where stderr is no terminal, a line is written at most every 30 seconds. There is no bar
    before the first batch: a job that is refused, or has nothing to do, shows none.
    """
    interval = 0.2 if sys.stderr.isatty() else 30.0
    with ExitStack() as stack:
        bar: tqdm[NoReturn] | None = None

        def show(finished: float, total: int) -> None:
            nonlocal bar
            if bar is None:
                # The speed is that since the start: it changes from layer to layer, and layers
                # take turns.
                bar = tqdm(
                    desc=what,
                    total=total,
                    unit=" images",
                    bar_format=FORMAT,
                    mininterval=interval,
                    smoothing=0,
                )
                stack.enter_context(bar)
            # The job goes on when nobody reads its bar any more.
            with suppress(BrokenPipeError):
                bar.update(finished - bar.n)

        yield show
