"""Advisory locks of the operating system; a lock ends with the process that holds it."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from weakref import WeakValueDictionary

try:
    import fcntl
except ImportError:  # Windows: `featviz._util.files.writing` refuses every write
    SUPPORTED = False
else:
    SUPPORTED = True


def wait_for_lock(descriptor: int) -> None:
    """Lock an open file or folder for its descriptor alone; wait while another one holds it.

    Without effect on file systems that do not support locks.
    """
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file for its descriptor alone, without waiting.

    Parameters
    ----------
    descriptor : int
        Open for writing: some network file systems refuse others.

    Returns
    -------
    bool or None
        Whether it is locked now. False if another descriptor holds a lock, of this process or
        another; None if the file system does not support locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


class Presence:
    """A sign to other processes that this one uses a folder, while the object exists.

    Parameters
    ----------
    folder : Path
        An existing folder.

    Raises
    ------
    OSError
        If the folder cannot be opened.
    """

    _of_this_process: ClassVar[WeakValueDictionary[tuple[int, int], Presence]] = (
        WeakValueDictionary()
    )

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._share()

    @classmethod
    def of(cls, folder: Path) -> Presence:
        """Return the presence of this process in a `folder`; see the class for errors."""
        status = folder.stat()  # the path may become that of another folder
        key = (status.st_dev, status.st_ino)
        found = cls._of_this_process.get(key)
        if found is None:
            found = cls._of_this_process[key] = cls(folder)
        return found

    def is_alone(self) -> bool:
        """Return whether no other process is present; True where locks are not supported."""
        is_alone = try_lock(self._descriptor) is not False
        self._share()
        return is_alone

    def _share(self) -> None:
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
