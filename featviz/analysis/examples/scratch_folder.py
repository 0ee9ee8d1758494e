"""Where spools lie until their job is done: one for each job, held by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from featviz._util.files import locked, make_folder, remove_leftovers, sync_folder, write, writing
from featviz.analysis.examples.activation_file import Spool
from featviz.errors import FeatvizError


@contextmanager
def open_spool(
    folder: Path, name: str, addresses: Sequence[str], block: int, count: int
) -> Iterator[Spool]:
    """Open the spool of a job, or begin one.

    It is deleted when the block is left without an error, or before there is anything in it.

    Parameters
    ----------
    folder : Path
        Where it lies; made if it is not there, and removed when nothing else is in it.
    name : str
        Says which job it is: the same for the same values of the same units.
    addresses : sequence of str
        Units whose values are needed. A spool of this name that has others besides is kept.
    block : int
        Images in a block.
    count : int
        How many images there will be.

    Raises
    ------
    FeatvizError
        When another process has it open, there is too little room on the disk for all values, or
        the operating system refuses.
    """
    make_folder(folder)
    path = folder / f"{name}.spool"
    with locked(folder):
        remove_leftovers(folder, rf"{re.escape(name)}\.spool")
        descriptor = _open(path, addresses, block)
    try:
        spool = Spool(path, descriptor, _header(descriptor))
        is_done = False
        try:
            _check_room(spool, count)
            yield spool
            is_done = True
        finally:
            if is_done or not spool.blocks:
                _delete(path)
    finally:
        os.close(descriptor)


def discard(folder: Path, name: str) -> None:
    """Delete the spool of a job that is done, should it have been killed before it did.

    Raises
    ------
    FeatvizError
        When another process has it open, or the operating system refuses.
    """
    path = folder / f"{name}.spool"
    if path.exists():
        descriptor = _hold(path)
        _delete(path)
        os.close(descriptor)


def clear(folder: Path, current: str) -> None:
    """Delete the spools of jobs with other settings, which nothing will ever go on with.

    Those that another process has open stay, and so does what the operating system will not delete:
    the job does without it.

    Parameters
    ----------
    folder : Path
        Which need not be there.
    current : str
        What the names of spools begin with that stay.
    """
    for path in folder.glob("*.spool"):
        if not path.name.startswith(current):
            with suppress(FeatvizError):
                descriptor = _hold(path)
                try:
                    _delete(path)
                finally:
                    os.close(descriptor)


def _open(path: Path, addresses: Sequence[str], block: int) -> int:
    if not path.exists():
        _begin(path, addresses, block)
    descriptor = _hold(path)
    if not _serves(_header(descriptor), addresses, block):
        os.close(descriptor)
        _begin(path, addresses, block)
        descriptor = _hold(path)
    return descriptor


def _begin(path: Path, addresses: Sequence[str], block: int) -> None:
    text = json.dumps({"block": block, "addresses": list(addresses)}, separators=(",", ":"))
    write(path, f"{text}\n".encode())


def _hold(path: Path) -> int:
    """Open a spool for this process alone."""
    with writing(path):
        descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FeatvizError(
            f"another process fills {path}; wait for it, or give each process units of its own"
        ) from error
    except OSError:  # a file system without locks
        pass
    return descriptor


def _header(descriptor: int) -> bytes:
    data, part = b"", b" "
    while part and b"\n" not in data:
        part = os.pread(descriptor, 1 << 16, len(data))
        data += part
    return data[: data.find(b"\n") + 1]


def _serves(header: bytes, addresses: Sequence[str], block: int) -> bool:
    try:
        fields = json.loads(header)
        return bool(fields["block"] == block) and set(addresses) <= set(fields["addresses"])
    except (ValueError, LookupError, TypeError):
        return False


def _check_room(spool: Spool, count: int) -> None:
    with writing(spool.path):
        free = shutil.disk_usage(spool.path.parent).free
    needed = spool.missing(count)
    if needed > free:
        raise FeatvizError(
            f"{spool.path.parent} needs {needed / 1e6:,.0f} MB for the values of "
            f"{len(spool.addresses):,} units on {count:,} images until examples are found, and "
            f"{free / 1e6:,.0f} MB are free; choose fewer units or images"
        )


def _delete(path: Path) -> None:
    """Delete a spool, and its folder if nothing else is in it."""
    with locked(path.parent), writing(path):
        path.unlink()
        sync_folder(path.parent)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
