"""A whole store as one portable HDF5 file: `pack` writes it, `Pack` reads it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from featviz._util.files import new_file, replacing, write_all
from featviz.errors import FeatvizError
from featviz.store import columns, schema
from featviz.store.columns import ADDRESS, ROW_DIGEST, Datasets, Row
from featviz.store.errors import reading
from featviz.store.manifest import FORMAT_VERSION, Manifest

if TYPE_CHECKING:
    from featviz.store.reader import Store

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def pack(store: Store, target: str | Path) -> None:
    """Write a store as one portable HDF5 file, holding one row at a time in memory.

    The file is written atomically. It has a digest of each row, and a digest of these digests, so
    that `featviz.Store` detects any change without reading more than it is asked for.

    Parameters
    ----------
    store : Store
        A folder or a packed file.
    target : str or Path
        The new file. Missing parents are made.

    Raises
    ------
    FeatvizError
        If the target exists, the store is damaged, the rows of a kind differ in shape, or the
        operating system refuses. Then nothing is left at the target.
    """
    path = new_file(target)
    with replacing(path) as descriptor, _new_file(descriptor) as (file, output):
        file.attrs["format-version"] = FORMAT_VERSION
        columns.set_text(file, "encoding-type", "featviz-store")
        columns.set_text(file, "encoding-version", "1")
        columns.set_text(file, "model", store.model)
        columns.set_text(file, "fingerprint", store.fingerprint)
        columns.set_text(file, "store", store.manifest.to_json())
        for kind in store.kinds:
            _write_kind(file, output, store, kind)
        columns.set_text(file, "digest", _digest(file))


def _write_kind(file: h5py.File, output: _Output, store: Store, kind: str) -> None:
    addresses = store.addresses(kind)
    group = columns.new_group(file, kind, addresses)
    digests = columns.new_texts(group, ROW_DIGEST, len(addresses), 64)
    first = next(store.rows(kind))
    datasets = _new_columns(group, store, kind, first)
    for index, row in enumerate(store.rows(kind)):
        if _forms(row) != _forms(first):
            raise FeatvizError(
                f"{store.path} cannot be packed: {row[ADDRESS]} has {_forms(row)} "
                f"and {first[ADDRESS]} has {_forms(first)}"
            )
        for name, dataset in datasets.items():
            value = row[name]
            dataset[index] = value.encode() if isinstance(value, str) else value
        digests[index] = columns.row_digest(row).encode()
        output.check()


def _new_columns(group: h5py.Group, store: Store, kind: str, first: Row) -> Datasets:
    """Make all columns except the addresses; texts are as wide as the longest of their column."""
    values = {name: value for name, value in first.items() if name != ADDRESS}
    widths = {
        name: max(len(row[name].encode()) for row in store.rows(kind))
        for name, value in values.items()
        if isinstance(value, str)
    }
    rows = len(group[ADDRESS])
    return {
        name: columns.new_texts(group, name, rows, widths[name])
        if name in widths
        else columns.new_numbers(group, name, (rows, *value.shape), value.dtype)
        for name, value in values.items()
    }


def _forms(row: Row) -> dict[str, str]:
    return {
        name: "text" if isinstance(value, str) else f"{value.dtype} {value.shape}"
        for name, value in row.items()
    }


def _digest(file: h5py.File) -> str:
    """Hash the texts at the root and, for each kind in the order of names, its row digests."""
    digest = hashlib.sha256()
    for name in ("model", "fingerprint", "store"):
        digest.update(columns.get_text(file, name).encode() + b"\0")
    for kind in sorted(file):
        digest.update(kind.encode() + b"\0" + file[kind][ROW_DIGEST][:].tobytes())
    return digest.hexdigest()


class Pack:
    """A packed store, read-only; see `featviz.store.shards.Shards` for a folder.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    FeatvizError
        If it is not a packed store, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path), path.open("rb") as stream:
            is_hdf5 = stream.read(len(_SIGNATURE)) == _SIGNATURE
        if not is_hdf5:
            raise FeatvizError(f"{path} is not a featviz store: neither a folder nor an HDF5 file")
        with columns.opened(path) as file:
            with reading(path):
                is_pack = "store" in file.attrs
                text = columns.get_text(file, "store") if is_pack else ""
            if not is_pack:
                raise FeatvizError(
                    f"{path} is not a featviz store: it was not written by `featviz pack`"
                )
            self.manifest = Manifest.from_json(text, path)
            with reading(path):
                self._kinds = sorted(file)
                for kind in self._kinds:
                    schema.get_columns(file, kind, self.size())
                self._state = columns.get_text(file, "digest")
                if self._state != _digest(file):
                    raise ValueError("its content is not what was written")

    def kinds(self) -> list[str]:
        """Return the kinds of result in it."""
        return self._kinds

    def parts(self, kind: str) -> list[Path]:
        """Return the file itself if it has results of the `kind`."""
        return [self.path] if kind in self._kinds else []

    def addresses(self, part: Path, kind: str) -> list[str]:
        """Return the addresses of a `kind` in a `part`, without reading other columns."""
        with self._columns(kind) as datasets, reading(part):
            return columns.read_addresses(datasets)

    def keys(self, part: Path, kind: str) -> list[str]:
        """Return a digest of each row of a `kind` in a `part`; `rows` verifies it."""
        with self._columns(kind) as datasets, reading(part):
            return [f"{kind}:{digest.decode()}" for digest in datasets[ROW_DIGEST][:].tolist()]

    def state(self) -> str:
        """Return the digest of the file, which was verified against the digests of its rows."""
        return self._state

    def rows(self, part: Path, kind: str, indices: Iterable[int]) -> Iterator[Row]:
        """Yield rows of a `kind` in a `part` by their `indices`; verify the digest of each."""
        with self._columns(kind) as datasets:
            for index in indices:
                yield self._row(part, datasets, index)

    def problems(self) -> Iterator[str]:
        """Yield one line for each row that is invalid."""
        for kind in self._kinds:
            with self._columns(kind) as datasets:
                for index in range(len(datasets[ADDRESS])):
                    try:
                        self._row(self.path, datasets, index)
                    except FeatvizError as error:
                        yield str(error)
                try:
                    with reading(self.path):
                        schema.check_values(datasets, kind)
                except FeatvizError as error:
                    yield str(error)

    def size(self) -> int:
        """Return the size of the file in bytes."""
        return self.path.stat().st_size

    @contextmanager
    def _columns(self, kind: str) -> Iterator[Datasets]:
        with columns.opened(self.path) as file:
            with reading(self.path):
                datasets = schema.get_columns(file, kind, self.size())
            yield datasets

    def _row(self, part: Path, datasets: Datasets, index: int) -> Row:
        with reading(part):
            row = columns.read_row(datasets, index)
            if row.pop(ROW_DIGEST) != columns.row_digest(row):
                raise ValueError(f"{row[ADDRESS]} is not what was written")
        return row


class _Output(io.RawIOBase):
    """The stream that HDF5 writes to: a file descriptor that stores its first error.

    libhdf5 2.0 crashes the process if a write fails while it closes a file, for instance on a full
    disk. So every write reports success, and `check` raises the error afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        self._attempt(write_all, data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        assert size is not None  # HDF5 always gives one
        self._attempt(os.ftruncate, size)
        return size

    def _attempt(self, action: Callable[[int, Any], None], argument: Any) -> None:
        if self._error is None:
            try:
                action(self._descriptor, argument)
            except BaseException as error:  # noqa: BLE001 - Ctrl-C must not unwind through C either
                self._error = error

    def readinto(self, buffer: Any) -> int:
        return os.readv(self._descriptor, [buffer])

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def _new_file(descriptor: int) -> Iterator[tuple[h5py.File, _Output]]:
    output = _Output(descriptor)
    try:
        with h5py.File(output, "w", libver=columns.LIBVER) as file:
            yield file, output
    finally:
        output.check()
