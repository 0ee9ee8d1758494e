"""Standard output and error on which writing never fails, so that no print can stop a job."""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HANDLER = "featviz-escape"


class UnfailingWriter(io.RawIOBase):
    """Binary stream that keeps the first error of another one and then drops what is written.

    Parameters
    ----------
    below : io.RawIOBase or io.BufferedIOBase
        Stream to write to.

    Attributes
    ----------
    error : OSError or None
        The first error.
    """

    def __init__(self, below: io.RawIOBase | io.BufferedIOBase) -> None:
        self._below = below
        self.error: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        """Write `data`; see `io.RawIOBase.write`."""
        if self.error is None:
            try:
                return self._wait_and_write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def _wait_and_write(self, data: ReadableBuffer) -> int:
        # None: the reader of a pipe that another process made non-blocking is slower.
        while (count := self._below.write(data)) is None:
            select.select([], [self._below.fileno()], [])
        return count

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the other stream is a terminal."""
        return self._below.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the other stream."""
        return self._below.fileno()


@contextmanager
def unfailing_streams() -> Iterator[UnfailingWriter]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams on which writing never fails.

    Characters that the encoding of the terminal lacks are escaped; the bytes of a file name that
    is not valid in it are written as they are.

    Yields
    ------
    UnfailingWriter
        Whose `error` is that of stdout, if it cannot be written; complete when the ``with`` block
        has ended.
    """
    codecs.register_error(HANDLER, _escape)
    streams = {"stdout": UnfailingWriter(io.BytesIO())}
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            old = getattr(sys, name)
            if not hasattr(old, "buffer"):
                continue  # text in memory or of a notebook, which takes any character
            streams[name] = UnfailingWriter(_binary(old))
            new = io.TextIOWrapper(
                io.BufferedWriter(streams[name]),
                encoding=old.encoding,
                errors=HANDLER,
                line_buffering=old.line_buffering,
            )
            stack.callback(setattr, sys, name, old)
            stack.callback(new.flush)
            setattr(sys, name, new)
        yield streams["stdout"]


def _binary(stream: io.TextIOWrapper) -> io.RawIOBase | io.BufferedIOBase:
    """Return the unbuffered stream of a text stream, if it has one: a buffer would keep data."""
    with suppress(OSError):
        stream.flush()
    buffer: Any = stream.buffer
    below: io.RawIOBase | io.BufferedIOBase = getattr(buffer, "raw", buffer)
    return below


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode one character: a byte of a file name as itself, another one as an escape."""
    assert isinstance(error, UnicodeEncodeError)
    first = UnicodeEncodeError(
        error.encoding, error.object, error.start, error.start + 1, error.reason
    )
    try:
        return codecs.lookup_error("surrogateescape")(first)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(first)


def open_closed_streams() -> None:
    """Open the standard streams that the process was started without, as by ``>&-``.

    Otherwise, the next file that is opened, such as a shard of a store, would get the number of
    the missing stream, and what libraries written in C print would be written into it. Writing to
    the new streams fails, as without them.

    Source: the module ``stdopen`` of gnulib.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115
