"""The progress bar of jobs that make pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from featviz.batches import Progress

FORMAT = "{desc}{percentage:3.0f}% |{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"


@contextmanager
def picture_bar(what: str) -> Iterator[Progress]:
    """Show on stderr how many pictures are finished, how fast, and how long the rest takes.

    Where stderr is no terminal, a line is written at most every 30 seconds.
    """
    interval = 0.2 if sys.stderr.isatty() else 30.0
    with tqdm(
        desc=what, unit=" images", bar_format=FORMAT, mininterval=interval, file=sys.stderr, total=0
    ) as bar:

        def show(finished: float, total: int) -> None:
            bar.total = total
            bar.update(finished - bar.n)

        yield show
