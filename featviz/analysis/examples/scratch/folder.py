"""Scratch folder of activation files: one for each job, locked by one process at a time."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from featviz._util.file_locks import try_lock
from featviz._util.files import locked, make_folder, remove_leftovers, sync_folder, write, writing
from featviz.analysis.examples.scratch.activation_file import ActivationFile
from featviz.errors import FeatvizError

_SUFFIX = ".spool"


@contextmanager
def open_activation_file(
    folder: Path,
    name: str,
    addresses: Sequence[str],
    block_size: int,
    count: int,
    latents: int = 0,
) -> Iterator[ActivationFile]:
    """Open the activation file of a job, or start one.

    The file is deleted when the ``with`` block ends without an error, or as long as it is empty.

    Parameters
    ----------
    folder : Path
        Made if it does not exist, and removed when it is empty.
    name : str
        Identifies the job: equal for jobs that compute the same values of the same units.
    addresses : sequence of str
        Required units. An existing file of this name that has further units is kept.
    block_size : int
        Images per block.
    count : int
        Total number of images.
    latents : int
        Number of latents whose firing is recorded.

    Yields
    ------
    ActivationFile

    Raises
    ------
    FeatvizError
        If another process has the file open, the disk has too little space for all values, or the
        operating system refuses.
    """
    make_folder(folder)
    path = folder / f"{name}{_SUFFIX}"
    with locked(folder):
        remove_leftovers(folder, re.escape(path.name))
        descriptor = _open(path, addresses, block_size, latents)
    try:
        file = ActivationFile(path, descriptor, _header(descriptor))
        is_done = False
        try:
            _check_space(file, count)
            yield file
            is_done = True
        finally:
            if is_done or not file.blocks:
                _delete(path)
    finally:
        os.close(descriptor)


def discard(folder: Path, name: str) -> None:
    """Delete the activation file of a finished job that was killed before it could.

    Parameters
    ----------
    folder, name
        See `open_activation_file`.

    Raises
    ------
    FeatvizError
        If another process has the file open, or the operating system refuses.
    """
    path = folder / f"{name}{_SUFFIX}"
    if path.exists():
        descriptor = _lock(path)
        _delete(path)
        os.close(descriptor)


def discard_others(folder: Path, prefix: str) -> None:
    """Delete the activation files of jobs with other settings, which cannot be resumed.

    Files that another process has open, or that the operating system does not delete, stay.

    Parameters
    ----------
    folder : Path
        May not exist.
    prefix : str
        Files whose names begin with it stay.
    """
    for path in folder.glob(f"*{_SUFFIX}"):
        if not path.name.startswith(prefix):
            with suppress(FeatvizError):
                descriptor = _lock(path)
                try:
                    _delete(path)
                finally:
                    os.close(descriptor)


def _open(path: Path, addresses: Sequence[str], block_size: int, latents: int) -> int:
    if not path.exists():
        _create(path, addresses, block_size, latents)
    descriptor = _lock(path)
    if not _is_usable(_header(descriptor), addresses, block_size, latents):
        os.close(descriptor)
        _create(path, addresses, block_size, latents)
        descriptor = _lock(path)
    return descriptor


def _create(path: Path, addresses: Sequence[str], block_size: int, latents: int) -> None:
    fields = {"block": block_size, "latents": latents, "addresses": list(addresses)}
    text = json.dumps(fields, separators=(",", ":"))
    write(path, f"{text}\n".encode())


def _lock(path: Path) -> int:
    """Open a file for this process only, and return its descriptor."""
    with writing(path):
        descriptor = os.open(path, os.O_RDWR)
    if try_lock(descriptor) is False:
        os.close(descriptor)
        raise FeatvizError(
            f"another process is writing {path}; wait for it, or give each process its own units"
        )
    return descriptor


def _header(descriptor: int) -> bytes:
    data, part = b"", b" "
    while part and b"\n" not in data:
        part = os.pread(descriptor, 1 << 16, len(data))
        data += part
    return data[: data.find(b"\n") + 1]


def _is_usable(header: bytes, addresses: Sequence[str], block_size: int, latents: int) -> bool:
    try:
        fields = json.loads(header)
        fits = fields["block"] == block_size and fields["latents"] >= latents
        return bool(fits) and set(addresses) <= set(fields["addresses"])
    except (ValueError, LookupError, TypeError):
        return False


def _check_space(file: ActivationFile, count: int) -> None:
    with writing(file.path):
        free = shutil.disk_usage(file.path.parent).free
    needed = file.missing_bytes(count)
    if needed > free:
        raise FeatvizError(
            f"{file.path.parent} needs {needed / 1e6:,.0f} MB for the values of "
            f"{len(file.addresses):,} units on {count:,} images until examples are found, and "
            f"{free / 1e6:,.0f} MB are free; choose fewer units or images"
        )


def _delete(path: Path) -> None:
    """Delete a file, and its folder if that is empty then."""
    with locked(path.parent), writing(path):
        path.unlink()
        sync_folder(path.parent)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
