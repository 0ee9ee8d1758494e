"""Rows of stores, one after another, past those that are damaged."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from featviz.errors import FeatvizError
from featviz.store import Row, Store
from gallery.plan import Render


def read(renders: Iterable[Render]) -> Iterator[Row | FeatvizError]:
    """Read the row of each render, or give the error that keeps it from being read.

    Every store is read in one go as far as its rows follow each other; one row is held at a time.
    """
    renders = list(renders)
    wanted: defaultdict[tuple[Store, str], deque[str]] = defaultdict(deque)
    for render in renders:
        wanted[render.store, render.kind].append(render.address)
    readers = {place: _Reader(*place, addresses) for place, addresses in wanted.items()}
    for render in renders:
        yield readers[render.store, render.kind].next()


class _Reader:
    """Some rows of one store and kind."""

    def __init__(self, store: Store, kind: str, addresses: deque[str]) -> None:
        self._store, self._kind, self._left = store, kind, addresses
        self._rows: Iterator[Row] | None = None

    def next(self) -> Row | FeatvizError:
        if self._rows is None:
            self._rows = self._store.rows(self._kind, list(self._left))
        self._left.popleft()
        try:
            return next(self._rows)
        except FeatvizError as error:
            self._rows = None  # it ended there; the next row begins anew behind it
            return error
