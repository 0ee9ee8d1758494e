"""A background thread that writes results while the next ones are computed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from featviz.store.columns import Columns
    from featviz.store.writer import StoreWriter

# Batches that may wait to be written; more would only take memory.
WAITING = 2


class BackgroundWriter:
    """Adds rows to a store in a thread, in order.

    Encoding, hashing and writing a batch takes 20 ms for 32 pictures of 224 pixels and a quarter of
    a second for 512, and as long again to wait for the disk. On a CPU that is negligible; a GPU,
    which renders 512 pictures of a shallow layer in seconds, would be idle meanwhile.

    Leaving the context waits until everything that was added is written, also after an exception
    or Ctrl-C. An error of the writer is raised there, whatever else ends the job.

    Parameters
    ----------
    writer : StoreWriter
        Not to be used by another thread meanwhile.
    """

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "featviz-writer")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def add(self, values: Columns, kind: str | None = None) -> None:
        """Queue rows to be written; blocks while two batches are waiting.

        Parameters
        ----------
        values, kind
            See `StoreWriter.add`.

        Raises
        ------
        FeatvizError
            If an earlier batch could not be written; batches after it may be dropped.
        """
        self._pending.append(self._thread.submit(self._writer.add, values, kind))
        while len(self._pending) > WAITING or (self._pending and self._pending[0].done()):
            self._settle()

    def _settle(self) -> None:
        try:
            self._pending.popleft().result()
        except Exception:
            self._thread.shutdown(cancel_futures=True)
            self._pending.clear()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)
        # A lost result is an error even if Ctrl-C ends the job.
        while self._pending:
            self._settle()
