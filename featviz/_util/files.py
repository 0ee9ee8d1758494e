"""Atomic and durable file writes: a file is complete or absent, after crashes and full disks."""

from __future__ import annotations

import errno
import itertools
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featviz._util import file_locks
from featviz.errors import FeatvizError

LEFTOVER_AGE = 24 * 60 * 60
"""Seconds after the last write from which a temporary file is a leftover if its lock does not
decide: those of other machines, and all on a file system without locks."""


_WRITABLE = "make the folder writable or choose another one"
_ADVICE = {
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
    errno.EROFS: _WRITABLE,
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What to do about errors that would come again."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the ``with`` block into a one-line error.

    Parameters
    ----------
    path : Path
        The file or folder that the block writes, for the message.

    Raises
    ------
    FeatvizError
        For any `OSError`: the path, the reason, and what to do. On Windows, always.
    """
    if not file_locks.SUPPORTED:
        raise FeatvizError(
            f"cannot write {path}: featviz writes files on Linux and macOS; on Windows, run it in "
            "WSL (Windows Subsystem for Linux)"
        )
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "run the same command again")
        raise FeatvizError(
            f"cannot write {path}: {error.strerror or error}; what is stored is kept, {advice}"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """Open a temporary file that replaces `path` when the ``with`` block ends without an error.

    The temporary file lies in the same folder under a name of its own, and is locked until it is
    renamed; see `remove_leftovers`. It is synced before it is renamed, and the folder after: once
    the block has ended, the file survives a power failure. After an error the temporary file is
    removed, and a file at `path` is unchanged.

    Parameters
    ----------
    path : Path
        The file to create or replace.

    Yields
    ------
    int
        File descriptor to read and write, at the start of an empty file.

    Raises
    ------
    FeatvizError
        If the operating system refuses.

    Source: the order of system calls is that of SQLite's and git's lock files; Pillai et al.,
    "All File Systems Are Not Created Equal", OSDI 2014, show what goes wrong without each.
    """
    with writing(path):
        temporary, descriptor = _new_temporary(path)
        try:
            try:
                yield descriptor
                os.fsync(descriptor)
                os.replace(temporary, path)  # noqa: PTH105 - a system call that tests intercept
            finally:
                os.close(descriptor)  # the lock ends here
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock while the ``with`` block runs; it ends with the process, too.

    Without effect on file systems that do not support locks.

    Parameters
    ----------
    folder : Path
        An existing folder; other processes that lock the same one wait.

    Raises
    ------
    FeatvizError
        If the folder cannot be opened.
    """
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        file_locks.wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to `path`, atomically and durably; see `replacing`."""
    with replacing(path) as descriptor:
        write_all(descriptor, data)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data` to a file `descriptor`: `os.write` may write fewer bytes than given."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, each durably in its own parent.

    Parameters
    ----------
    path : Path
        The folder; nothing happens if it exists.

    Raises
    ------
    FeatvizError
        If the operating system refuses, or a file has this name.
    """
    with writing(path):
        if path.is_dir():
            return
    make_folder(path.parent)
    with writing(path):
        try:
            os.mkdir(path)  # noqa: PTH102 - a system call that tests intercept
        except FileExistsError as error:
            if not path.is_dir():  # another process may have made it
                raise FeatvizError(f"{path} is a file; choose a folder for the results") from error
        sync_folder(path.parent)


def new_file(path: str | Path) -> Path:
    """Check that there is no file at a path, and make its folder.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Path

    Raises
    ------
    FeatvizError
        If the path exists, or its folder cannot be made.
    """
    path = Path(path)
    if os.path.lexists(path):
        raise FeatvizError(f"{path} exists and is not overwritten; choose another name")
    make_folder(path.parent)
    remove_leftovers(path.parent, re.escape(path.name))
    return path


def sync_folder(path: Path) -> None:
    """Make the file names in the folder `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, names: str) -> None:
    """Remove temporary files of `replacing` that no process writes any more.

    A file that is locked is kept: it is being written. One that is not is removed if a machine of
    this name made it, or if it is older than `LEFTOVER_AGE`: on some network file systems locks do
    not reach other machines. On a file system without locks, the age alone decides. A file that the
    operating system does not remove is kept.

    Parameters
    ----------
    folder : Path
        The folder to search; other files in it are kept.
    names : str
        Regular expression of the names of the files that were to be written.

    Raises
    ------
    FeatvizError
        If the folder cannot be read.
    """
    pattern = re.compile(rf"(?:{names})\.([A-Za-z0-9-]+)\.[0-9a-f]+\.tmp")
    with writing(folder):
        matches = [(path, pattern.fullmatch(path.name)) for path in folder.iterdir()]
    for path, match in matches:
        if match:
            with suppress(OSError):
                _remove_if_left(path, match[1] == _host())


def set_aside(path: Path, *suffixes: str) -> Path:
    """Rename a file or folder, durably, to a name that is free.

    Parameters
    ----------
    path : Path
        The file or folder.
    *suffixes : str
        Suffixes to try first, in order; then ``.1``, ``.2`` and so on.

    Returns
    -------
    Path
        The new path, in the same folder.

    Raises
    ------
    FeatvizError
        If the operating system refuses.
    """
    path = path.resolve()
    numbered = (f".{number}" for number in itertools.count(1))
    names = (path.with_name(path.name + each) for each in itertools.chain(suffixes, numbered))
    free = next(name for name in names if not os.path.lexists(name))
    with writing(free):
        os.rename(path, free)  # noqa: PTH104 - a system call that tests intercept
        sync_folder(path.parent)
    return free


def _new_temporary(path: Path) -> tuple[Path, int]:
    """Make an empty file that is locked, with a new name; return its path and descriptor."""
    while True:
        temporary = path.with_name(f"{path.name}.{_host()}.{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        file_locks.wait_for_lock(descriptor)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _remove_if_left(path: Path, is_of_this_host: bool) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        is_free = file_locks.try_lock(descriptor)
        is_old = time.time() - os.fstat(descriptor).st_mtime > LEFTOVER_AGE
        if is_old if is_free is None else is_free and (is_of_this_host or is_old):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
