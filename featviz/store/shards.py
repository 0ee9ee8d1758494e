"""Shards: HDF5 files with rows of one kind, written once and named by a digest of their content."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from featviz.errors import FeatvizError
from featviz.store import columns, schema
from featviz.store.columns import Columns, Datasets, Row
from featviz.store.errors import DamagedError, reading
from featviz.store.manifest import FORMAT_VERSION, NAME, Manifest

FOLDER = "shards"
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_SHARD = re.compile(r"([a-z][a-z0-9_]*)-([0-9a-f]{32})\.h5")


def encode(kind: str, values: Columns, manifest: Manifest, configuration: str) -> memoryview:
    """Build a shard in memory.

    Parameters
    ----------
    kind : str
        Kind of result.
    values : mapping of str to array or sequence of str
        The columns, all of one length, among them ``address``.
    manifest : Manifest
        That of the store.
    configuration : str
        The configuration hash of the job that made the rows.

    Returns
    -------
    memoryview
        Content of the file.

    Raises
    ------
    ValueError
        If the columns do not fit the schema of the kind, or cannot be stored.
    """
    if not _KIND.fullmatch(kind) or columns.ROW_DIGEST in values:
        raise ValueError(
            f"{kind!r} is not a name of a kind, or a column has the reserved name "
            f"{columns.ROW_DIGEST!r}"
        )
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=columns.LIBVER) as file:
        file.attrs["format-version"] = FORMAT_VERSION
        columns.set_text(file, "model", manifest.model)
        columns.set_text(file, "fingerprint", manifest.fingerprint)
        columns.set_text(file, "configuration", configuration)
        addresses = list(values.get(columns.ADDRESS, ()))
        group = columns.new_group(file, kind, addresses)
        for name in sorted(values.keys() - {columns.ADDRESS}):
            _fill(group, name, values[name], len(addresses))
        schema.check_values(schema.get_columns(file, kind, file.id.get_filesize()), kind)
    return buffer.getbuffer()


def _fill(group: h5py.Group, name: str, values: NDArray[Any] | Sequence[str], rows: int) -> None:
    if len(values) != rows:
        raise ValueError(f"{name} has {len(values)} rows, but there are {rows} addresses")
    if isinstance(values, np.ndarray):
        columns.new_numbers(group, name, values.shape, values.dtype)[...] = values
    else:
        texts = [columns.storable(value) for value in values]
        dataset = columns.new_texts(group, name, rows, max(map(len, texts)))
        columns.fill_texts(dataset, texts)


def shard_name(kind: str, data: memoryview) -> str:
    """Return the name of a shard: its `kind` and the first half of the SHA-256 of its `data`."""
    return f"{kind}-{hashlib.sha256(data).hexdigest()[:32]}.h5"


def _runs(indices: Iterable[int], most: int) -> Iterator[tuple[int, int]]:
    """Cut indices, in their order, into ranges (start, stop) of at most `most`."""
    start = stop = 0
    for index in indices:
        if index != stop or stop - start == most:
            if stop > start:
                yield start, stop
            start = index
        stop = index + 1
    if stop > start:
        yield start, stop


def kind_of(path: Path) -> str:
    """Return the kind in the name of the shard at `path`.

    Raises
    ------
    DamagedError
        If the name is not that of a shard.
    """
    match = _SHARD.fullmatch(path.name)
    if match is None:
        raise DamagedError(f"{path} is damaged: its name is not that of a shard")
    return match[1]


class Shards:
    """The shards of a store folder, read-only.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : Manifest
        Content of its ``store.json``.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._verified: set[Path] = set()

    def files(self) -> list[Path]:
        """Return every shard, damaged or not, sorted by name.

        Hidden files are excluded: some systems add them to copied folders.
        """
        folder = self.path / FOLDER
        with reading(folder):
            paths = list(folder.iterdir()) if folder.exists() else []
        return sorted(
            path for path in paths if path.suffix == ".h5" and not path.name.startswith(".")
        )

    def kinds(self) -> list[str]:
        """Return the kinds that have shards."""
        return sorted({kind_of(path) for path in self.files()})

    def parts(self, kind: str) -> list[Path]:
        """Return the shards of a `kind`."""
        return [path for path in self.files() if kind_of(path) == kind]

    def is_empty(self) -> bool:
        """Return whether there is no shard of any kind, damaged or set aside."""
        folder = self.path / FOLDER
        with reading(folder):
            names = [path.name for path in folder.iterdir()] if folder.exists() else []
        return all(name.startswith(".") or name.endswith(".tmp") for name in names)

    def orphans(self) -> list[Path]:
        """Return the shards that were made with a configuration which the manifest lacks.

        Only those of kinds without a configuration of their own, such as failures. Damaged shards
        are left out.
        """
        found = []
        for part in self.files():
            with suppress(DamagedError), columns.opened(part) as file, reading(part):
                kind, own = kind_of(part), columns.get_text(file, "configuration")
                if kind not in self.manifest.configuration and own not in self.manifest.digests(
                    kind
                ):
                    found.append(part)
        return found

    def addresses(self, part: Path, kind: str) -> list[str]:
        """Return the addresses of a `kind` in a `part`, without reading other columns."""
        with self._columns(part, kind) as datasets, reading(part):
            return columns.read_addresses(datasets)

    def keys(self, part: Path, kind: str) -> list[str]:
        """Return a key for each row of a `kind` in a `part`: name of the shard and row index."""
        return [f"{part.name}:{index}" for index in range(len(self.addresses(part, kind)))]

    def state(self) -> str:
        """Return the names of all shards, which contain digests."""
        return "\0".join(path.name for path in self.files())

    def rows(self, part: Path, kind: str, indices: Iterable[int]) -> Iterator[Row]:
        """Yield rows of a `kind` in a `part` by their `indices`; verify the shard on first use."""
        if part not in self._verified:
            self._check_digest(part)
            self._verified.add(part)
        with self._columns(part, kind) as datasets:
            for start, stop in _runs(indices, columns.rows_at_once(datasets)):
                with reading(part):
                    rows = columns.read_rows(datasets, start, stop)
                yield from rows

    def check(self, part: Path) -> list[str]:
        """Validate everything in the shard `part`.

        Returns
        -------
        list of str
            Its addresses.

        Raises
        ------
        FeatvizError
            With the name of the shard and what is wrong.
        """
        kind = kind_of(part)
        self._check_digest(part)
        with self._columns(part, kind) as datasets, reading(part):
            schema.check_values(datasets, kind)
            return columns.read_addresses(datasets)

    def problems(self) -> Iterator[str]:
        """Yield one line for each shard that is invalid."""
        for part in self.files():
            try:
                self.check(part)
            except FeatvizError as error:
                yield str(error)

    def size(self) -> int:
        """Return the size of the store in bytes."""
        with reading(self.path):
            return sum(path.stat().st_size for path in [self.path / NAME, *self.files()])

    def _check_digest(self, part: Path) -> None:
        with reading(part):
            if not part.is_file():
                raise ValueError("it is not a file")
            with part.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if part.name != f"{kind_of(part)}-{digest[:32]}.h5":
                raise ValueError("its content is not what was written")

    @contextmanager
    def _columns(self, part: Path, kind: str) -> Iterator[Datasets]:
        with columns.opened(part) as file:
            with reading(part):
                self._check_header(file, kind)
                datasets = schema.get_columns(file, kind, part.stat().st_size)
            yield datasets

    def _check_header(self, file: h5py.File, kind: str) -> None:
        version = int(file.attrs["format-version"])
        if version != FORMAT_VERSION:
            raise ValueError(f"it is of store format {version} and not {FORMAT_VERSION}")
        if columns.get_text(file, "fingerprint") != self.manifest.fingerprint:
            raise ValueError("it is of another model")
        if columns.get_text(file, "configuration") not in self.manifest.digests(kind):
            raise ValueError("it was made with another configuration")
