"""A store that skips its damaged parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.stores.merge import PICTURES
from gallery.stores.row_reader import read_one_by_one


class DamagedRowError(FeatvizError):
    """A row is damaged. All damaged rows of its kind have been found and are no longer listed."""


class TolerantStore(Store):
    """A store that skips damaged shards, and damaged rows of all kinds except pictures of units.

    A damaged picture raises an error as in `Store`; the gallery shows a placeholder. A damaged row
    of another kind is skipped by `rows`, raises `DamagedRowError` in `row`, and is no longer
    listed. A shard whose addresses cannot be read counts as empty.

    Parameters
    ----------
    path : str or Path
        See `featviz.Store`.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._damaged_shards: list[str] = []
        self._damaged_rows: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def addresses(self, kind: str = "renders") -> list[str]:
        """Return the addresses of a kind, without those of rows known to be damaged.

        See `Store.addresses`.
        """
        damaged = self._damaged_rows[kind]
        return [address for address in super().addresses(kind) if address not in damaged]

    def rows(self, kind: str = "renders", addresses: Iterable[str] | None = None) -> Iterator[Row]:
        """Read rows, and skip damaged ones, which are no longer listed afterwards.

        See `Store.rows`.
        """
        if kind in PICTURES:
            yield from super().rows(kind, addresses)
            return
        wanted = list(self.addresses(kind) if addresses is None else addresses)
        found = read_one_by_one(partial(super().rows, kind), wanted)
        for address, row in zip(wanted, found, strict=True):
            if isinstance(row, FeatvizError):
                self._damaged_rows[kind][address] = str(row)
            else:
                yield row

    def row(self, address: str, kind: str = "renders") -> Row:
        """Read one row. See `Store.row`.

        Raises
        ------
        DamagedRowError
            If the row is damaged, and not a picture of a unit.
        FeatvizError
            As `Store.row`.
        """
        try:
            return super().row(address, kind)
        except FeatvizError as error:
            if kind in PICTURES:
                raise
            if address not in self._damaged_rows[kind]:
                for _ in self.rows(kind):
                    pass  # finds all damaged rows of the kind
            if address not in self._damaged_rows[kind]:  # no such row
                raise
            raise DamagedRowError(str(error)) from error

    def damage(self) -> list[str]:
        """Return one line per kind and reason for everything that is damaged."""
        lines = [*self._damaged_shards]
        for kind, damaged in self._damaged_rows.items():
            reasons: defaultdict[str, list[str]] = defaultdict(list)
            for address, reason in damaged.items():
                reasons[reason].append(address)
            for reason, (first, *others) in reasons.items():
                more = f" and {len(others):,} more" if others else ""
                lines.append(f"{kind} of {first}{more}: {reason}")
        return lines

    def _listed(self, part: Path, kind: str) -> list[str]:
        try:
            return super()._listed(part, kind)
        except FeatvizError as error:
            self._damaged_shards.append(f"{kind}: {error}")
            return []


def damage(stores: Iterable[Store]) -> list[str]:
    """Describe what is damaged in the `TolerantStore` instances among some stores.

    Parameters
    ----------
    stores : iterable of Store

    Returns
    -------
    list of str
        See `TolerantStore.damage`.
    """
    return [line for store in stores if isinstance(store, TolerantStore) for line in store.damage()]
