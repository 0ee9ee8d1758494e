"""`Store`: what a folder of shards or a packed file holds, read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from featviz.errors import FeatvizError, did_you_mean
from featviz.store.columns import ADDRESS, Row
from featviz.store.damage import reading
from featviz.store.manifest import FORMAT_VERSION, Manifest
from featviz.store.order import by_site
from featviz.store.packing import Pack
from featviz.store.shards import Shards


class _Source(Protocol):
    """Where the rows lie: the shards of a folder, or a packed file."""

    manifest: Manifest

    def kinds(self) -> list[str]: ...
    def parts(self, kind: str) -> list[Path]: ...
    def addresses(self, part: Path, kind: str) -> list[str]: ...
    def rows(self, part: Path, kind: str, numbers: list[int]) -> Iterator[Row]: ...
    def keys(self, part: Path, kind: str) -> list[str]: ...
    def state(self) -> str: ...
    def problems(self) -> Iterator[str]: ...
    def size(self) -> int: ...


class Store:
    """A store, opened to read: a folder, or the file that `pack` makes of it.

    Only what is asked for is read, and nothing that is not as it was written: the bytes of a shard
    are compared with its name when the first of its rows is read, a packed row with its digest.
    What it lists is what was there when it was first asked; open it again to see newer shards.

    Parameters
    ----------
    path : str or Path
        The folder or the file.

    Raises
    ------
    FeatvizError
        When there is no store, it is of a newer format, or it is damaged; so do all methods when
        they meet a damaged part.

    Attributes
    ----------
    path : Path
    model : str
        The name that loads the model.
    fingerprint : str
        Hexadecimal digest of its weights.
    load : dict
        The other arguments that load it: ``untrained`` and ``arch``.
    sites : tuple of str
        Module paths in forward order.
    configuration : dict of dict
        For each kind of result, what decides its values.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._source: _Source
        with reading(self.path):
            is_folder, is_there = self.path.is_dir(), self.path.exists()
        if is_folder:
            self._source = Shards(self.path, Manifest.read(self.path))
        elif is_there:
            self._source = Pack(self.path)
        else:
            raise FeatvizError(f"there is no store {self.path}; `featviz render -o` makes one")
        self.manifest = self._source.manifest
        self.model = self.manifest.model
        self.fingerprint = self.manifest.fingerprint
        self.load = self.manifest.load
        self.sites = self.manifest.sites
        self.configuration = self.manifest.configuration
        self._indexes: dict[str, dict[str, tuple[Path, int]]] = {}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of result that it holds, sorted."""
        return tuple(self._source.kinds())

    def addresses(self, kind: str = "renders") -> list[str]:
        """Return every address of a kind once.

        Returns
        -------
        list of str
            By site in forward order, then in natural order (``:2`` before ``:10``).
        """
        return [address for _, found in by_site(self._index(kind), self.sites) for address in found]

    @property
    def state(self) -> str:
        """A text that is another one when anything that the store holds is.

        Nothing but names or digests is read for it.
        """
        text = f"{self.manifest.to_json()}\0{self._source.state()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def keys(self, kind: str = "renders") -> dict[str, str]:
        """Return, for each address of a kind, a text that is another one when its row is.

        It comes from the names of shards, or the digests of packed rows; no row is read.
        """
        index, keys = self._index(kind), {}
        parts = dict.fromkeys(part for part, _ in index.values())
        of_parts = {part: self._source.keys(part, kind) for part in parts}
        for address in self.addresses(kind):
            part, number = index[address]
            keys[address] = of_parts[part][number]
        return keys

    def rows(self, kind: str = "renders", addresses: Iterable[str] | None = None) -> Iterator[Row]:
        """Read the rows of a kind one by one, in the order of `addresses`.

        Parameters
        ----------
        addresses : iterable of str, optional
            Those to read, in the order to read them; all if absent.

        Yields
        ------
        dict
            The name of each column and its value, an array or text, among them ``address``.
            Of renders: ``images`` (D, H, W, 3) bytes, ``activation`` (D,) and ``trajectory``
            (D, T) in float32; of failures: ``error``.
        """
        wanted = self.addresses(kind) if addresses is None else addresses
        places = (self._place(address, kind) for address in wanted)
        for part, run in groupby(places, key=lambda place: place[0]):
            yield from self._source.rows(part, kind, [number for _, number in run])

    def row(self, address: str, kind: str = "renders") -> Row:
        """Read one row; see `rows`.

        Raises
        ------
        FeatvizError
            When there is no such address, with the nearest that are there.
        """
        part, number = self._place(address, kind)
        (row,) = self._source.rows(part, kind, [number])
        return row

    @cached_property
    def failures(self) -> dict[str, str]:
        """The address and the error of each unit that failed and was not rendered since."""
        rendered = self._index("renders").keys() | self._index("sides").keys()
        return {
            row[ADDRESS]: row["error"]
            for row in self.rows("failures")
            if row[ADDRESS] not in rendered
        }

    def __len__(self) -> int:
        """Count the units that are rendered."""
        return len(self._index("renders"))

    def __contains__(self, address: object) -> bool:
        """Tell whether a unit is rendered."""
        return address in self._index("renders")

    def verify(self) -> list[str]:
        """Read everything and compare it with what was written.

        Returns
        -------
        list of str
            One line for each problem, naming the file; empty when all is well.
        """
        return list(self._source.problems())

    def info(self) -> dict[str, Any]:
        """Summarize the store in values that JSON has.

        Returns
        -------
        dict
            ``path``, ``format_version``, ``model``, ``fingerprint``, ``load``, ``configuration``,
            ``rows`` (their number, by kind), ``units``, ``pictures``, ``picture_size`` ([height,
            width] in pixels, or None), ``bytes`` and ``failures``.
        """
        images = next(self.rows())["images"] if len(self) else None
        return {
            "path": str(self.path),
            "format_version": FORMAT_VERSION,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "load": self.load,
            "configuration": self.configuration,
            "rows": {kind: len(self._index(kind)) for kind in self.kinds},
            "units": len(self),
            "pictures": 0 if images is None else len(self) * len(images),
            "picture_size": None if images is None else list(images.shape[1:3]),
            "bytes": self._source.size(),
            "failures": self.failures,
        }

    def _place(self, address: str, kind: str) -> tuple[Path, int]:
        index = self._index(kind)
        if address not in index:
            raise FeatvizError(
                f"{self.path} has no {address} in {kind}{did_you_mean(address, index)}"
            )
        return index[address]

    def _index(self, kind: str) -> dict[str, tuple[Path, int]]:
        """Where each address lies; of several places, the first shard by name."""
        if kind not in self._indexes:
            index: dict[str, tuple[Path, int]] = {}
            for part in self._source.parts(kind):
                for number, address in enumerate(self._listed(part, kind)):
                    index.setdefault(address, (part, number))
            self._indexes[kind] = index
        return self._indexes[kind]

    def _listed(self, part: Path, kind: str) -> list[str]:
        """Addresses of a part; a store that goes on without a damaged one has none of it."""
        return self._source.addresses(part, kind)
