"""Rows of stores, one after another, past those that are damaged."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.build.plan import Render


def read(renders: Iterable[Render]) -> Iterator[Row | FeatvizError]:
    """Read the row of each render, or give the error that keeps it from being read.

    Every store is read in one go as far as its rows follow each other; one row is held at a time.
    """
    renders = list(renders)
    wanted: defaultdict[tuple[Store, str], list[str]] = defaultdict(list)
    for render in renders:
        wanted[render.store, render.kind].append(render.address)
    readers = {
        (store, kind): row_by_row(partial(store.rows, kind), addresses)
        for (store, kind), addresses in wanted.items()
    }
    for render in renders:
        yield next(readers[render.store, render.kind])


def row_by_row(
    rows: Callable[[list[str]], Iterator[Row]], addresses: Iterable[str]
) -> Iterator[Row | FeatvizError]:
    """Give a row, or the error that keeps it from being read, for each address.

    Parameters
    ----------
    rows : callable
        Reads the rows at some addresses in order, as `Store.rows` does, up to the first that is
        damaged.
    """
    left = deque(addresses)
    while left:
        try:
            for row in rows(list(left)):
                left.popleft()
                yield row
        except FeatvizError as error:  # it ended there; the next row begins anew behind it
            left.popleft()
            yield error
