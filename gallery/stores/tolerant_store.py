"""A store without what is damaged of it, for a gallery that shows all the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.stores.merge import PICTURES
from gallery.stores.row_reader import row_by_row


class LostRowError(FeatvizError):
    """A row is damaged. Its kind has been read through; what is lost of it is no longer listed."""


class TolerantStore(Store):
    """A store without its damaged parts, and without the damaged rows of all but pictures.

    Of pictures of units, a damaged row is an error as in any store, for a placeholder stands for
    it. Of the other kinds, it is left out once it was met: by `rows` without a word, by `row` with
    `LostRowError`. A shard whose addresses cannot be read has none.

    Parameters
    ----------
    path : str or Path
        See `featviz.Store`.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._unlisted: list[str] = []
        self._lost: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def addresses(self, kind: str = "renders") -> list[str]:
        """Return the addresses of a kind, as a store does, less those that are lost."""
        lost = self._lost[kind]
        return [address for address in super().addresses(kind) if address not in lost]

    def rows(self, kind: str = "renders", addresses: Iterable[str] | None = None) -> Iterator[Row]:
        """Read rows as a store does, past those that are damaged, which are lost from then on."""
        if kind in PICTURES:
            yield from super().rows(kind, addresses)
            return
        wanted = list(self.addresses(kind) if addresses is None else addresses)
        found = row_by_row(partial(super().rows, kind), wanted)
        for address, row in zip(wanted, found, strict=True):
            if isinstance(row, FeatvizError):
                self._lost[kind][address] = str(row)
            else:
                yield row

    def row(self, address: str, kind: str = "renders") -> Row:
        """Read one row.

        Raises
        ------
        LostRowError
            When it is of a kind without pictures, and damaged.
        FeatvizError
            As a store does.
        """
        try:
            return super().row(address, kind)
        except FeatvizError as error:
            if kind in PICTURES:
                raise
            if address not in self._lost[kind]:
                for _ in self.rows(kind):
                    pass  # the reading is what finds them
            if address not in self._lost[kind]:  # there is no such row
                raise
            raise LostRowError(str(error)) from error

    def losses(self) -> list[str]:
        """Tell what is lost, in one line for each kind and reason."""
        lines = [*self._unlisted]
        for kind, lost in self._lost.items():
            reasons: defaultdict[str, list[str]] = defaultdict(list)
            for address, reason in lost.items():
                reasons[reason].append(address)
            for reason, (first, *others) in reasons.items():
                more = f" and {len(others):,} more" if others else ""
                lines.append(f"{kind} of {first}{more}: {reason}")
        return lines

    def _listed(self, part: Path, kind: str) -> list[str]:
        try:
            return super()._listed(part, kind)
        except FeatvizError as error:
            self._unlisted.append(f"{kind}: {error}")
            return []


def losses(stores: Iterable[Store]) -> list[str]:
    """Tell what is lost of each store that leaves out what is damaged."""
    return [line for store in stores if isinstance(store, TolerantStore) for line in store.losses()]
