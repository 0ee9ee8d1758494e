from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from featviz.errors import FeatvizError
from featviz.rendering.background_writer import WAITING, BackgroundWriter
from featviz.store.writer import StoreWriter


class FakeWriter:
    """Records what is added, after calling `before` with it."""

    def __init__(self, before: Callable[[Any], object] = lambda _: None) -> None:
        self.before = before
        self.added: list[Any] = []
        self.threads: set[int] = set()

    def add(self, values: Any, kind: str | None = None) -> None:
        self.threads.add(threading.get_ident())
        self.before(values)
        self.added.append((values, kind))


def background(writer: FakeWriter) -> BackgroundWriter:
    return BackgroundWriter(cast("StoreWriter", writer))


def rows(index: int) -> dict[str, list[str]]:
    return {"address": [str(index)]}


def test_one_other_thread_writes_everything_in_order_before_the_context_ends() -> None:
    writer = FakeWriter(lambda _: time.sleep(0.001))
    with background(writer) as writing:
        for index in range(20):
            writing.add(rows(index), "failures" if index % 2 else None)
    assert writer.added == [(rows(n), "failures" if n % 2 else None) for n in range(20)]
    assert len(writer.threads) == 1
    assert threading.get_ident() not in writer.threads


def test_add_returns_at_once_until_the_queue_is_full() -> None:
    free = threading.Event()
    writer = FakeWriter(lambda _: free.wait())
    with background(writer) as writing:
        for index in range(WAITING):
            writing.add(rows(index))
        assert writer.added == []
        threading.Timer(0.05, free.set).start()
        writing.add(rows(WAITING))
        assert free.is_set()
        assert writer.added[0] == (rows(0), None)


def fail_for_row_1(values: Any) -> None:
    if values == rows(1):
        raise FeatvizError("the disk is full")


def test_an_error_is_raised_by_the_next_add_or_at_the_end() -> None:
    done = threading.Event()

    def check(values: Any) -> None:
        done.set()
        fail_for_row_1(values)

    writer = FakeWriter(check)

    def job(indices: Sequence[int]) -> None:
        with background(writer) as writing:
            for index in indices:
                writing.add(rows(index))
                # As long as the write takes.
                done.wait()
                done.clear()

    with pytest.raises(FeatvizError, match="the disk is full"):
        job(range(9))
    # The third may have been queued before the second failed.
    assert [values for values, _ in writer.added] in ([rows(0)], [rows(0), rows(2)])
    with pytest.raises(FeatvizError, match="the disk is full"):
        job([1])


def test_everything_added_is_written_before_ctrl_c_propagates() -> None:
    writer = FakeWriter(lambda _: time.sleep(0.02))

    def job() -> None:
        with background(writer) as writing:
            writing.add(rows(0))
            writing.add(rows(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job()
    assert writer.added == [(rows(0), None), (rows(1), None)]


def test_an_error_is_raised_even_if_ctrl_c_ends_the_job() -> None:
    pressed = threading.Event()

    def check(values: Any) -> None:
        pressed.wait()
        fail_for_row_1(values)

    def job() -> None:
        with background(FakeWriter(check)) as writing:
            writing.add(rows(1))
            pressed.set()
            raise KeyboardInterrupt

    with pytest.raises(FeatvizError, match="the disk is full") as caught:
        job()
    assert isinstance(caught.value.__context__, KeyboardInterrupt)


def test_the_first_of_two_errors_is_raised() -> None:
    busy = threading.Event()

    def check(values: Any) -> None:
        busy.wait()
        raise FeatvizError(f"no room for {values['address'][0]}")

    def job() -> None:
        with background(FakeWriter(check)) as writing:
            writing.add(rows(0))
            writing.add(rows(1))
            busy.set()

    with pytest.raises(FeatvizError, match="no room for 0"):
        job()
