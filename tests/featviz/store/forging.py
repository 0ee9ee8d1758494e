"""Modify stored files, with or without a matching file name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import h5py


def reforge(shard: Path, edit: Callable[[h5py.File], None]) -> Path:
    """Edit a shard with HDF5 and rename it to match its new digest."""
    with h5py.File(shard, "r+") as file:
        edit(file)
    return shard.rename(matching_name(shard))


def matching_name(shard: Path) -> Path:
    """Return the name of a shard with these contents."""
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()[:32]
    return shard.with_name(f"{shard.name.split('-')[0]}-{digest}.h5")


def flip(path: Path, position: float, bit: int) -> None:
    """Flip one bit of a file, at a position in [0, 1)."""
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 1 << bit
    path.write_bytes(data)


def rebuild(group: h5py.Group, name: str, **options: object) -> None:
    """Write a column again with other HDF5 options."""
    data = group[name][()]
    del group[name]
    group.create_dataset(name, **({"data": data} | options))
