"""One kind of result in HDF5: a group whose datasets, its columns, share their first dimension.

All text has a fixed length. HDF5 stores text of variable length in a heap without a checksum, and
libhdf5 2.0 never returns if one byte of that heap is wrong. All other metadata that says where
data is stored carries a checksum in the file format requested here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from featviz.store.errors import reading

Row = dict[str, Any]
"""One row: the name of each column and its value, an array or text; always with `address`."""

Columns = Mapping[str, NDArray[Any] | Sequence[str]]
"""The name of each column and its values, all of one length."""

Datasets = dict[str, h5py.Dataset]
"""The columns of an open group by name."""

ADDRESS = "address"
ROW_DIGEST = "digest"

MAX_BYTES = 2**17
"""Bytes of rows that are read at once, unless a single row has more."""

LIBVER = ("v110", "v110")
"""File format of HDF5 1.10: the oldest with checksums on all metadata."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    The file is read through a Python stream: HDF5 itself would lock it, which read-only and
    network file systems refuse.

    Parameters
    ----------
    path : Path

    Yields
    ------
    h5py.File

    Raises
    ------
    FeatvizError
        If the file is damaged or cannot be read.
    """
    with ExitStack() as stack:
        with reading(path):
            if not path.is_file():
                raise ValueError("it is not a file")
            stream = stack.enter_context(path.open("rb"))
            file = stack.enter_context(h5py.File(stream, "r"))
        yield file


def set_text(item: h5py.HLObject, name: str, text: str) -> None:
    """Set the attribute `name` of an HDF5 `item` to a `text`, with fixed length."""
    data = storable(text)
    item.attrs.create(name, np.bytes_(data), dtype=h5py.string_dtype("utf-8", len(data)))


def get_text(item: h5py.HLObject, name: str) -> str:
    """Return the text of the attribute `name` of an HDF5 `item`, as set by `set_text`."""
    return bytes(item.attrs[name]).decode()


def new_group(file: h5py.File, kind: str, addresses: Sequence[str]) -> h5py.Group:
    """Make the group of a kind with its first column, the addresses.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    kind : str
        Kind of result, such as ``"renders"``.
    addresses : sequence of str
        One for each row.

    Returns
    -------
    h5py.Group

    Raises
    ------
    ValueError
        If there is no address, one appears twice, or one cannot be stored exactly.
    """
    data = [address.encode() for address in addresses]
    if not data or not all(data) or any(b"\0" in each for each in data):
        raise ValueError("there must be addresses, none of them empty or with a NUL character")
    if len(set(data)) < len(data):
        raise ValueError("an address appears twice")
    group = file.create_group(kind)
    set_text(group, "encoding-type", f"featviz-{kind}")
    set_text(group, "encoding-version", "1")
    dataset = new_texts(group, ADDRESS, len(data), max(map(len, data)))
    set_text(dataset, "sha256", _address_digest(data))
    fill_texts(dataset, data)
    return group


def new_texts(group: h5py.Group, name: str, rows: int, width: int) -> h5py.Dataset:
    """Return a new column `name` of `group` for `rows` texts of at most `width` bytes."""
    return group.create_dataset(name, (rows,), h5py.string_dtype("utf-8", max(width, 1)))


def fill_texts(dataset: h5py.Dataset, texts: Sequence[bytes]) -> None:
    """Write all `texts` of a column `dataset`."""
    dataset[:] = np.array(texts, dataset.dtype)  # whose metadata says that the bytes are UTF-8


def new_numbers(
    group: h5py.Group, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> h5py.Dataset:
    """Make an empty column of arrays.

    Parameters
    ----------
    group : h5py.Group
    name : str
    shape : tuple of int
        Rows first.
    dtype : numpy.dtype
        Arrays of bytes of shape (..., H, W, 3) are stored with one image per chunk; all others
        are contiguous.

    Returns
    -------
    h5py.Dataset
    """
    is_image = dtype == np.uint8 and len(shape) > 3 and shape[-1] == 3
    chunks = (1,) * (len(shape) - 3) + shape[-3:] if is_image else None
    return group.create_dataset(name, shape, dtype, chunks=chunks)


def storable(text: str) -> bytes:
    r"""Return `text` in UTF-8; characters that it or HDF5 cannot store are escaped (``\x00``)."""
    return text.encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")


def read_addresses(datasets: Datasets) -> list[str]:
    """Return the address of every row of the columns `datasets`.

    Raises
    ------
    ValueError
        If they differ from those that were written.
    """
    data: list[bytes] = datasets[ADDRESS][:].tolist()
    if _address_digest(data) != get_text(datasets[ADDRESS], "sha256"):
        raise ValueError("its addresses are not those that were written")
    return [each.decode() for each in data]


def rows_at_once(datasets: Datasets) -> int:
    """Return how many rows of the columns `datasets` have at most `MAX_BYTES`; at least 1."""
    size: int = sum(dataset.nbytes for dataset in datasets.values())
    return max(1, MAX_BYTES * len(datasets[ADDRESS]) // max(size, 1))


def read_rows(datasets: Datasets, start: int, stop: int) -> list[Row]:
    """Read consecutive rows.

    Parameters
    ----------
    datasets : dict of str to h5py.Dataset
        The columns.
    start, stop : int
        Range of indices, without `stop`.

    Returns
    -------
    list of dict
        For each row, texts as `str`, and arrays with their dtype.
    """
    columns = {name: dataset[start:stop] for name, dataset in datasets.items()}
    return [
        {
            name: value[row].decode() if value.dtype.kind == "S" else value[row, ...].copy()
            for name, value in columns.items()
        }
        for row in range(stop - start)
    ]


def read_row(datasets: Datasets, index: int) -> Row:
    """Return row `index` of the columns `datasets`; see `read_rows`."""
    (row,) = read_rows(datasets, index, index + 1)
    return row


def row_digest(row: Row) -> str:
    """Hash the `row`: for each column in order of names, its name, type, shape and bytes.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(row):
        value = row[name]
        is_text = isinstance(value, str)
        data = value.encode() if is_text else value.tobytes()
        form = "text" if is_text else f"{value.dtype.str} {value.shape}"
        digest.update(f"{name}\0{form}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _address_digest(addresses: Sequence[bytes]) -> str:
    return hashlib.sha256(b"\0".join(addresses)).hexdigest()
