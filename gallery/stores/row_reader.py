"""Reading rows of stores one at a time, with an error in place of each damaged row."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.build.plan import Render
from gallery.stores.natural_row import natural_row


def read_rows(renders: Iterable[Render]) -> Iterator[Row | FeatvizError]:
    """Read the row of each render.

    Consecutive rows of a store are read in one go; only one row is in memory at a time.

    Parameters
    ----------
    renders : iterable of Render

    Yields
    ------
    Row or FeatvizError
        In the order of `renders`: the row, or the error that was raised instead.
    """
    renders = list(renders)
    wanted: defaultdict[tuple[Store, str], list[str]] = defaultdict(list)
    for render in renders:
        wanted[render.store, render.kind].append(render.address)
    readers = {
        (store, kind): read_one_by_one(partial(store.rows, kind), addresses)
        for (store, kind), addresses in wanted.items()
    }
    for render in renders:
        row = next(readers[render.store, render.kind])
        yield _as_picture(render, row) if render.natural else row


def _as_picture(render: Render, row: Row | FeatvizError) -> Row | FeatvizError:
    try:
        return row if isinstance(row, FeatvizError) else natural_row(render.store, row)
    except FeatvizError as error:
        return error


def read_one_by_one(
    rows: Callable[[list[str]], Iterator[Row]], addresses: Iterable[str]
) -> Iterator[Row | FeatvizError]:
    """Read the row of each address, and continue after damaged rows.

    Parameters
    ----------
    rows : callable
        Reads the rows at the given addresses in order, like `Store.rows`, up to the first damaged
        one.
    addresses : iterable of str

    Yields
    ------
    Row or FeatvizError
        In the order of `addresses`: the row, or the error that was raised instead.
    """
    remaining = deque(addresses)
    while remaining:
        try:
            for row in rows(list(remaining)):
                remaining.popleft()
                yield row
        except FeatvizError as error:  # the generator has ended; restart after the damaged row
            remaining.popleft()
            yield error
