"""One kind of result in HDF5: a group whose datasets, its columns, share their first dimension.

Every text has a fixed length. HDF5 keeps text of variable length in a heap without a checksum,
and libhdf5 2.0 never returns when one byte of it is wrong; everything else that says where data
lies carries a checksum in the file format asked for here.
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

from featviz.store.damage import reading

Row = dict[str, Any]
"""One row: the name of each column and its value, an array or text; always with `address`."""

Columns = Mapping[str, NDArray[Any] | Sequence[str]]
"""The name of each column and its values, all of one length."""

Datasets = dict[str, h5py.Dataset]
"""The columns of an open group by their names."""

ADDRESS = "address"
ROW_DIGEST = "digest"

# Files of HDF5 1.10 and later: the oldest whose metadata is checksummed throughout.
LIBVER = ("v110", "v110")


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to read.

    It is read through a Python stream: HDF5 itself would lock it, which read-only and network
    file systems refuse.
    """
    with ExitStack() as stack:
        with reading(path):
            if not path.is_file():
                raise ValueError("it is no file")
            stream = stack.enter_context(path.open("rb"))
            file = stack.enter_context(h5py.File(stream, "r"))
        yield file


def set_text(item: h5py.HLObject, name: str, text: str) -> None:
    """Set an attribute of fixed length."""
    data = storable(text)
    item.attrs.create(name, np.bytes_(data), dtype=h5py.string_dtype("utf-8", len(data)))


def get_text(item: h5py.HLObject, name: str) -> str:
    """Return an attribute that `set_text` set."""
    return bytes(item.attrs[name]).decode()


def new_group(file: h5py.File, kind: str, addresses: Sequence[str]) -> h5py.Group:
    """Make the group of a kind with its first column.

    Raises
    ------
    ValueError
        When there is no address, one appears twice, or one cannot be stored exactly.
    """
    data = [address.encode() for address in addresses]
    if not data or not all(data) or any(b"\0" in each for each in data):
        raise ValueError("addresses are texts of at least one character, none of them NUL")
    if len(set(data)) < len(data):
        raise ValueError("an address appears twice")
    group = file.create_group(kind)
    set_text(group, "encoding-type", f"featviz-{kind}")
    set_text(group, "encoding-version", "1")
    dataset = new_texts(group, ADDRESS, len(data), max(map(len, data)))
    set_text(dataset, "sha256", _names_digest(data))
    fill_texts(dataset, data)
    return group


def new_texts(group: h5py.Group, name: str, rows: int, width: int) -> h5py.Dataset:
    """Make an empty column of texts, the longest of which takes `width` bytes."""
    return group.create_dataset(name, (rows,), h5py.string_dtype("utf-8", max(width, 1)))


def fill_texts(dataset: h5py.Dataset, texts: Sequence[bytes]) -> None:
    """Write a whole column of texts."""
    dataset[:] = np.array(texts, dataset.dtype)  # whose metadata says that the bytes are UTF-8


def new_numbers(
    group: h5py.Group, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> h5py.Dataset:
    """Make an empty column of arrays.

    A chunk of bytes shaped (..., H, W, 3) is one picture; anything else is contiguous.
    """
    is_picture = dtype == np.uint8 and len(shape) > 3 and shape[-1] == 3
    chunks = (1,) * (len(shape) - 3) + shape[-3:] if is_picture else None
    return group.create_dataset(name, shape, dtype, chunks=chunks)


def storable(text: str) -> bytes:
    r"""Encode any text; what UTF-8 or HDF5 has no place for is written as ``\x00``, ``\udc80``."""
    return text.encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")


def read_addresses(datasets: Datasets) -> list[str]:
    """Return the address of every row.

    Raises
    ------
    ValueError
        When they are not those that were written.
    """
    data: list[bytes] = datasets[ADDRESS][:].tolist()
    if _names_digest(data) != get_text(datasets[ADDRESS], "sha256"):
        raise ValueError("its addresses are not those that were written")
    return [each.decode() for each in data]


def read_row(datasets: Datasets, number: int) -> Row:
    """Return one row, with text as `str` and numbers as arrays of the stored type."""
    values = {name: dataset[number] for name, dataset in datasets.items()}
    return {
        name: value.decode() if isinstance(value, bytes) else np.asarray(value)
        for name, value in values.items()
    }


def row_digest(row: Row) -> str:
    """Hash a row: for each column in the order of names, its name, type, shape and bytes.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(row):
        value = row[name]
        text = isinstance(value, str)
        data = value.encode() if text else value.tobytes()
        form = "text" if text else f"{value.dtype.str} {value.shape}"
        digest.update(f"{name}\0{form}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _names_digest(names: Sequence[bytes]) -> str:
    return hashlib.sha256(b"\0".join(names)).hexdigest()
