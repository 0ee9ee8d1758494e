"""Writing results while the next ones are made."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from featviz.store.columns import Columns
    from featviz.store.writer import StoreWriter

# Batches that wait to be written: more would only take memory.
WAITING = 2


class BackgroundWriter:
    """Adds rows to a store in one thread of its own, in the order in which they come.

    Encoding, hashing and writing a batch of 32 pictures of 224 pixels takes 20 ms of a processor
    and as long again to wait for the disk, one of 512 a quarter of a second. On a processor that is
    nothing beside the minutes in which they are made; on a GPU, which makes 512 pictures of a
    shallow layer in seconds, it would wait for it.

    Leaving the context waits until all that was added is written, also after an exception or
    Ctrl-C: what is made is kept. If it is refused, that comes out, whatever else ends the job.

    Parameters
    ----------
    writer : StoreWriter
        Used by no other thread meanwhile.
    """

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "featviz-writer")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def add(self, values: Columns, kind: str | None = None) -> None:
        """Have rows written; see `StoreWriter.add`. Waits while two others wait.

        Raises
        ------
        FeatvizError
            What an earlier one was refused with; those behind it may be dropped.
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
        # Whatever else ends the job: Ctrl-C is harmless, that results are lost is not.
        while self._pending:
            self._settle()
