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
    """Notes what is added, and does as it is told before it."""

    def __init__(self, before: Callable[[Any], object] = lambda _: None) -> None:
        self.before = before
        self.added: list[Any] = []
        self.threads: set[int] = set()

    def add(self, values: Any, kind: str | None = None) -> None:
        self.threads.add(threading.get_ident())
        self.before(values)
        self.added.append((values, kind))


def behind(writer: FakeWriter) -> BackgroundWriter:
    return BackgroundWriter(cast("StoreWriter", writer))


def rows(number: int) -> dict[str, list[str]]:
    return {"address": [str(number)]}


def test_all_is_written_in_order_by_one_other_thread_when_the_context_ends() -> None:
    writer = FakeWriter(lambda _: time.sleep(0.001))
    with behind(writer) as writing:
        for number in range(20):
            writing.add(rows(number), "failures" if number % 2 else None)
    assert writer.added == [(rows(n), "failures" if n % 2 else None) for n in range(20)]
    assert len(writer.threads) == 1
    assert threading.get_ident() not in writer.threads


def test_adding_returns_while_the_disk_is_busy_and_waits_when_two_wait() -> None:
    free = threading.Event()
    writer = FakeWriter(lambda _: free.wait())
    with behind(writer) as writing:
        for number in range(WAITING):
            writing.add(rows(number))
        assert writer.added == []
        threading.Timer(0.05, free.set).start()
        writing.add(rows(WAITING))
        assert free.is_set()
        assert writer.added[0] == (rows(0), None)


def refuse(second: Any) -> None:
    if second == rows(1):
        raise FeatvizError("the disk is full")


def test_a_refusal_comes_out_at_the_next_batch_or_at_the_end() -> None:
    done = threading.Event()

    def check(values: Any) -> None:
        done.set()
        refuse(values)

    writer = FakeWriter(check)

    def job(numbers: Sequence[int]) -> None:
        with behind(writer) as writing:
            for number in numbers:
                writing.add(rows(number))
                # As long as a batch takes.
                done.wait()
                done.clear()

    with pytest.raises(FeatvizError, match="the disk is full"):
        job(range(9))
    # The third may have been on its way before the second was found refused.
    assert [values for values, _ in writer.added] in ([rows(0)], [rows(0), rows(2)])
    with pytest.raises(FeatvizError, match="the disk is full"):
        job([1])


def test_what_is_made_is_written_before_ctrl_c_goes_on() -> None:
    writer = FakeWriter(lambda _: time.sleep(0.02))

    def job() -> None:
        with behind(writer) as writing:
            writing.add(rows(0))
            writing.add(rows(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job()
    assert writer.added == [(rows(0), None), (rows(1), None)]


def test_a_refusal_comes_out_though_ctrl_c_ends_the_job() -> None:
    pressed = threading.Event()

    def check(values: Any) -> None:
        pressed.wait()
        refuse(values)

    def job() -> None:
        with behind(FakeWriter(check)) as writing:
            writing.add(rows(1))
            pressed.set()
            raise KeyboardInterrupt

    with pytest.raises(FeatvizError, match="the disk is full") as caught:
        job()
    assert isinstance(caught.value.__context__, KeyboardInterrupt)


def test_the_first_of_two_refusals_comes_out() -> None:
    busy = threading.Event()

    def check(values: Any) -> None:
        busy.wait()
        raise FeatvizError(f"no room for {values['address'][0]}")

    def job() -> None:
        with behind(FakeWriter(check)) as writing:
            writing.add(rows(0))
            writing.add(rows(1))
            busy.set()

    with pytest.raises(FeatvizError, match="no room for 0"):
        job()
