"""Files that are whole or not there at all, whatever is killed and whenever the disk is full."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featviz.errors import FeatvizError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell an operating system's refusal to write `path` in one line.

    Raises
    ------
    FeatvizError
        For any OSError of the block: the path, the reason, and what to do.
    """
    try:
        yield
    except OSError as error:
        raise FeatvizError(
            f"cannot write {path}: {error.strerror or error}; "
            "what is stored is kept, run the same command again"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """Open a temporary neighbor of `path` that takes its place once the block is through.

    The neighbor is synced before it is renamed, and its folder after: when the block is left
    without an error the file survives a power cut. On any error it is removed, and what was at
    `path` stays.

    Yields
    ------
    int
        A descriptor to read and write, positioned at the start of an empty file.

    Raises
    ------
    FeatvizError
        When the operating system refuses.

    Source: the order of system calls is that of SQLite's and git's lock files; Pillai et al.,
    "All File Systems Are Not Created Equal", OSDI 2014, show what goes wrong without each.
    """
    temporary = path.with_name(f"{path.name}.{_host()}.{os.getpid()}.tmp")
    with writing(path):
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                yield descriptor
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)  # noqa: PTH105 - a system call that tests intercept
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the same block; the lock ends with the process that holds it.

    Where the file system has no locks, nothing is kept out.
    """
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, data: bytes | memoryview) -> None:
    """Put `data` at `path`, durably and as a whole; see `replacing`."""
    with replacing(path) as descriptor:
        write_all(descriptor, data)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte: the operating system may take fewer than it is given."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, each durably in its own parent.

    Raises
    ------
    FeatvizError
        When the operating system refuses, or a file stands in the way.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with writing(path):
        try:
            os.mkdir(path)  # noqa: PTH102 - a system call that tests intercept
        except FileExistsError:
            if not path.is_dir():  # another process may have been first
                raise
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, names: str) -> None:
    """Remove the temporary files that a process killed on this machine left behind.

    Parameters
    ----------
    folder : Path
        Where to look; nothing else is touched.
    names : str
        Regular expression of the file names whose temporary neighbors are meant.
    """
    pattern = re.compile(rf"(?:{names})\.{re.escape(_host())}\.(\d+)\.tmp")
    with writing(folder):
        for path in folder.iterdir():
            match = pattern.fullmatch(path.name)
            if match and not _runs(int(match[1])):
                path.unlink(missing_ok=True)


def set_aside(path: Path, *suffixes: str) -> Path:
    """Rename a file or folder, durably, to a name that nothing has.

    Parameters
    ----------
    suffixes : str
        Tried first, in their order; ``.1``, ``.2`` and so on after them.

    Returns
    -------
    Path
        The new name, in the same folder.

    Raises
    ------
    FeatvizError
        When the operating system refuses.
    """
    path = path.resolve()
    numbers = (f".{number}" for number in itertools.count(1))
    names = (path.with_name(path.name + each) for each in itertools.chain(suffixes, numbers))
    free = next(name for name in names if not os.path.lexists(name))
    with writing(free):
        os.rename(path, free)  # noqa: PTH104 - a system call that tests intercept
        sync_folder(path.parent)
    return free


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def _runs(process: int) -> bool:
    # In a container every run may get the same process id: this one has just begun to write.
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
