"""`Store`: read the results in a folder of shards or in a packed file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol

from featviz._util import html
from featviz._util.arguments import file_path
from featviz.errors import FeatvizError, did_you_mean
from featviz.store.columns import ADDRESS, Row
from featviz.store.errors import reading
from featviz.store.manifest import FORMAT_VERSION, Manifest
from featviz.store.order import by_site
from featviz.store.packing import Pack
from featviz.store.shards import Shards

MAX_OPEN = 32
"""Parts that are read at once."""
MAX_SKIPPED = 64
"""Rows that are read in vain, at most, between two that are asked for in order."""


class _Source(Protocol):
    """Reader of a storage format: the shards of a folder, or a packed file."""

    manifest: Manifest

    def kinds(self) -> list[str]: ...
    def parts(self, kind: str) -> list[Path]: ...
    def addresses(self, part: Path, kind: str) -> list[str]: ...
    def rows(self, part: Path, kind: str, indices: list[int]) -> Iterator[Row]: ...
    def keys(self, part: Path, kind: str) -> list[str]: ...
    def state(self) -> str: ...
    def problems(self) -> Iterator[str]: ...
    def size(self) -> int: ...


class Store:
    """A store of results, read-only: a folder, or a file written by ``featviz pack``.

    Results are read on request, and verified: a shard against the digest in its name when its
    first row is read, a packed row against its own digest. The lists of kinds and addresses are
    cached on first use; open the store again to see newer shards.

    Parameters
    ----------
    path : str or Path
        The folder or the file.

    Raises
    ------
    FeatvizError
        If there is no store, its format is newer, or it is damaged. All methods raise it for a
        damaged part.

    Attributes
    ----------
    path : Path
    model : str
        The name that loads the model.
    fingerprint : str
        Hexadecimal digest of its weights.
    load : dict
        The other arguments that load it; see `featviz.models.loading.options.LoadOptions`.
    location : str or None
        The name with the absolute path, for a model from a file, folder or function.
    sites : tuple of str
        Module paths in forward order.
    configuration : dict of dict
        For each kind of result, the settings that determine its values.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = file_path("a store", path)
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
        self.location = self.manifest.location
        self.sites = self.manifest.sites
        self.configuration = self.manifest.configuration
        self._indexes: dict[str, dict[str, tuple[Path, int]]] = {}
        self._counts: dict[tuple[Path, str], int] = {}
        self._following: dict[tuple[Path, str], tuple[int, Iterator[Row] | None]] = {}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of result in the store, sorted."""
        return tuple(self._source.kinds())

    def addresses(self, kind: str = "renders") -> list[str]:
        """Return every address of a `kind` once.

        Returns
        -------
        list of str
            By site in forward order, then in natural order (``:2`` before ``:10``).
        """
        return [address for _, found in by_site(self._index(kind), self.sites) for address in found]

    @property
    def state(self) -> str:
        """A digest that changes with any content of the store.

        It is computed from names of shards or stored digests; no results are read.
        """
        text = f"{self.manifest.to_json()}\0{self._source.state()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def keys(self, kind: str = "renders") -> dict[str, str]:
        """Return a key for each address of a `kind` that changes with the content of its row.

        It is made from names of shards or digests of packed rows; no row is read.

        Returns
        -------
        dict of str to str
            Keys by address, in the order of `addresses`.
        """
        locations = self._index(kind)
        parts = dict.fromkeys(part for part, _ in locations.values())
        keys = {part: self._source.keys(part, kind) for part in parts}
        return {
            address: keys[locations[address][0]][locations[address][1]]
            for address in self.addresses(kind)
        }

    def rows(self, kind: str = "renders", addresses: Iterable[str] | None = None) -> Iterator[Row]:
        """Read the rows of a kind one by one, in the order of `addresses`.

        Parameters
        ----------
        kind : str
            Kind of result.
        addresses : iterable of str, optional
            The rows to read, in this order; all by default.

        Yields
        ------
        dict
            The name of each column and its value, an array or text. Every row has ``address``;
            renders: ``images`` (D, H, W, 3) bytes, ``activation`` (D,) and ``trajectory``
            (D, T) in float32; failures: ``error``.
        """
        wanted = self.addresses(kind) if addresses is None else addresses
        locations = [self._locate(address, kind) for address in wanted]
        indices: defaultdict[Path, list[int]] = defaultdict(list)
        for part, index in locations:
            indices[part].append(index)
        if len(indices) <= MAX_OPEN:  # rows may alternate between parts
            streams = {part: self._source.rows(part, kind, own) for part, own in indices.items()}
            left = {part: len(own) for part, own in indices.items()}
            for part, _ in locations:
                row = next(streams[part])
                left[part] -= 1
                if not left[part]:  # what was read ahead is freed
                    del streams[part]
                yield row
            return
        for part, group in groupby(locations, key=lambda location: location[0]):
            yield from self._source.rows(part, kind, [index for _, index in group])

    def row(self, address: str, kind: str = "renders") -> Row:
        """Read the row of one address; see `rows`.

        Raises
        ------
        FeatvizError
            If there is no such address; the message names similar ones.
        """
        part, index = self._locate(address, kind)
        expected, rows = self._following.pop((part, kind), (index + 1, None))
        count = self._counts[part, kind]
        if not 0 <= index - expected < MAX_SKIPPED:
            (row,) = self._source.rows(part, kind, [index])
            rows = None
        elif rows is None:
            # The rows are read in order: those after this one are read with it.
            rows = self._source.rows(part, kind, [*range(index, count)])
            row = next(rows)
        else:
            row = next(islice(rows, index - expected, None))
        if index + 1 < count:
            self._following[part, kind] = index + 1, rows
            if len(self._following) > MAX_OPEN:
                self._following.pop(next(iter(self._following)))
        return row

    @cached_property
    def failures(self) -> dict[str, str]:
        """The error of each unit, by address, that failed and was not rendered afterwards."""
        rendered = self._index("renders").keys() | self._index("sides").keys()
        return {
            row[ADDRESS]: row["error"]
            for row in self.rows("failures")
            if row[ADDRESS] not in rendered
        }

    @cached_property
    def constants(self) -> dict[str, str]:
        """The rendered units whose activation was constant, by address, and what that means."""
        return {row[ADDRESS]: row["reason"] for row in self.rows("constants")}

    def __len__(self) -> int:
        """Return the number of rendered units."""
        return len(self._index("renders"))

    def __contains__(self, address: object) -> bool:
        """Return whether the unit at an address is rendered."""
        return address in self._index("renders")

    def verify(self) -> list[str]:
        """Read everything and verify its digests.

        Returns
        -------
        list of str
            One line for each problem, with the name of the file; empty if there is none.
        """
        return list(self._source.problems())

    def info(self) -> dict[str, Any]:
        """Summarize the store in JSON-compatible values.

        Returns
        -------
        dict
            ``path``, ``format_version``, ``model``, ``fingerprint``, ``load``, ``configuration``,
            ``rows`` (count by kind), ``units``, ``pictures``, ``picture_size`` ([height,
            width] in pixels, or None), ``bytes``, ``failures`` and ``constants``.
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
            "constants": self.constants,
        }

    def __repr__(self) -> str:
        """Return how to open the store again."""
        return f"Store({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """Show `info` as a table in a notebook."""
        facts = self.info()
        failures, configuration = facts.pop("failures"), facts.pop("configuration")
        constants = facts.pop("constants")
        rows = [
            *facts.items(),
            *(
                (f"{kind}: {name}", value)
                for kind, settings in configuration.items()
                for name, value in settings.items()
            ),
            *(("failed", f"{address}: {reason}") for address, reason in failures.items()),
            *(("constant", f"{address}: {reason}") for address, reason in constants.items()),
        ]
        return html.table((), rows)

    def _locate(self, address: str, kind: str) -> tuple[Path, int]:
        index = self._index(kind)
        if address not in index:
            raise FeatvizError(
                f"{self.path} has no {address} in {kind}{did_you_mean(address, index)}"
            )
        return index[address]

    def _index(self, kind: str) -> dict[str, tuple[Path, int]]:
        """Return the part and row index of each address; of several, in the first shard by name."""
        if kind not in self._indexes:
            index: dict[str, tuple[Path, int]] = {}
            for part in self._source.parts(kind):
                addresses = self._listed(part, kind)
                self._counts[part, kind] = len(addresses)
                for row, address in enumerate(addresses):
                    index.setdefault(address, (part, row))
            self._indexes[kind] = index
        return self._indexes[kind]

    def _listed(self, part: Path, kind: str) -> list[str]:
        """Return the addresses of a part; a damage-tolerant store overrides this."""
        return self._source.addresses(part, kind)
