from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store import crashing
from tests.featviz.store.made_stores import (
    BATCHES,
    FAILED,
    finish,
    is_right,
    litter,
    renders,
    whole_store,
    writer,
)

ROOT = Path(__file__).parents[3]
ALL = {address for batch in BATCHES for address in batch}

# The package around the store imports torch, which takes seconds and makes a fork slow.
WITHOUT_TORCH = (
    "import pathlib, sys, types; package = types.ModuleType('featviz');"
    "package.__path__ = ['featviz']; sys.modules['featviz'] = package;"
)


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", crashing.no_sync)


def crash(job: str, root: Path) -> list[Path]:
    """Kill the job at every one of its system calls; return the folders that are left."""
    # In a process of its own, since pytest has threads and must not fork.
    program = (
        "from tests.featviz.store.crashing import crash; "
        "crash(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    root.mkdir()
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH + program, job, root], cwd=ROOT, check=True)
    cases = sorted(each for each in root.iterdir() if each.name[0].isdigit())
    assert len(cases) == Counter(calls(root))["write"] + len(calls(root))
    return cases


def calls(root: Path) -> list[str]:
    """The system calls that the job makes when nothing stops it."""
    return (root / "calls").read_text().split()


def acknowledged(case: Path) -> list[str]:
    return (case / "acknowledged").read_text().split()


def test_a_job_killed_at_any_call_loses_no_acknowledged_row_and_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    cases = crash("render", tmp_path / "cases")
    # Two folders above the shards and theirs, the manifest, three shards and the failures.
    counts = Counter(calls(tmp_path / "cases"))
    assert (counts["mkdir"], counts["write"], counts["replace"]) == (3, 5, 5)
    assert counts["fsync"] == 3 + 1 + 2 * 5
    # A lock for the manifest and each file of rows, and the presence of the job.
    assert counts["open"] == counts["fsync"] + 5 + 1
    for case in cases:
        path = case / "new" / "store"
        kept = acknowledged(case)
        if (path / "store.json").exists():
            store = Store(path)
            assert all(is_right(store.row(address)) for address in kept), case.name
            assert all(is_right(row) for row in store.rows()), case.name
            assert store.verify() == [], case.name
        else:
            assert kept == [], case.name
        assert writer(path).done >= set(kept), case.name
        list(finish(path))
        store = Store(path)
        assert set(store.addresses()) == ALL, case.name
        assert all(is_right(row) for row in store.rows()), case.name
        assert set(store.failures) == set(FAILED), case.name
        assert store.verify() == [], case.name
        assert litter(path) == [], case.name


def test_force_killed_at_any_call_keeps_what_it_sets_aside(tmp_path: Path) -> None:
    for case in crash("force", tmp_path / "cases"):
        list(crashing.force(case))
        assert {each.name for each in case.iterdir()} == {"acknowledged", "store", "store.1"}
        for path in (case / "store", case / "store.1"):
            assert set(Store(path).addresses()) == set(BATCHES[0]), case.name
            assert all(is_right(row) for row in Store(path).rows()), case.name
            assert Store(path).verify() == [], case.name
        old, new = Store(case / "store.1").configuration, Store(case / "store").configuration
        assert old["renders"] == crashing.OTHER != new["renders"]


def test_pack_killed_at_any_call_leaves_no_file_or_a_whole_one(tmp_path: Path) -> None:
    cases = crash("pack", tmp_path / "cases")
    assert Counter(calls(tmp_path / "cases"))["write"] > 10
    for case in cases:
        target = case / "packed.h5"
        if target.exists():
            assert Store(target).verify() == [], case.name
            target.unlink()
        else:
            assert acknowledged(case) == [], case.name
        pack(Store(case / "store"), target)
        assert all(is_right(row) for row in Store(target).rows()), case.name
        assert {each.name for each in case.iterdir()} == {"acknowledged", "packed.h5", "store"}


class Refusal:
    """An operating system that refuses the named calls, from the one numbered `at` on."""

    def __init__(self, at: int, names: tuple[str, ...], error: int) -> None:
        self.calls = 0
        self._at = at
        self._names = names
        self._error = error

    def run(self, job: Iterable[str]) -> tuple[list[str], str]:
        """Run a job; return what it acknowledged and the line it ended with, if it was refused."""
        kept: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for name in self._names:
                patch.setattr(os, name, self._replaced(getattr(os, name)))
            try:
                kept.extend(job)
            except FeatvizError as error:
                return kept, str(error)
        return kept, ""

    def _replaced(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls > self._at:
                raise OSError(self._error, os.strerror(self._error))
            return call(*arguments, **options)

        return stand_in


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (errno.ENOSPC, ("mkdir", "write")),
        (errno.EIO, ("fsync",)),
        (errno.EACCES, ("mkdir", "open", "replace")),
    ],
)
def test_a_disk_that_refuses_at_any_call_is_one_line_and_what_is_stored_is_kept(
    tmp_path: Path, error: int, names: tuple[str, ...]
) -> None:
    for at in count():
        path = tmp_path / str(at) / "store"
        refusal = Refusal(at, names, error)
        kept, line = refusal.run(finish(path))
        if refusal.calls <= at:
            break
        assert line.startswith(f"cannot write {tmp_path}")
        advice = "make the folder writable or choose another one"
        advice = advice if error == errno.EACCES else "run the same command again"
        assert line.endswith(f": {os.strerror(error)}; what is stored is kept, {advice}")
        assert not path.exists() or litter(path) == []
        assert writer(path).done.issuperset(kept)
        list(finish(path))
        assert set(Store(path).addresses()) == ALL
        assert all(is_right(row) for row in Store(path).rows())
    assert at > 6


@pytest.mark.parametrize("name", ["write", "ftruncate", "fsync", "replace", "open"])
def test_a_disk_that_refuses_a_pack_at_any_call_is_one_line_and_leaves_no_part_of_it(
    tmp_path: Path, name: str
) -> None:
    store = writer(tmp_path / "store")
    store.add(renders(BATCHES[0]))
    target = tmp_path / "packed.h5"
    for at in count():
        refusal = Refusal(at, (name,), errno.ENOSPC)
        _, line = refusal.run(crashing.pack_up(tmp_path))
        if refusal.calls <= at:
            break
        assert line == (
            f"cannot write {target}: No space left on device; "
            "what is stored is kept, run the same command again"
        )
        left = {each.name for each in tmp_path.iterdir()} - {"store"}
        if (name, at) in {("fsync", 1), ("open", 1)}:  # of the folder, after the renaming
            assert left == {"packed.h5"}
            assert Store(target).verify() == []
            target.unlink()
        else:
            assert left == set()
    assert at > 0


def test_ctrl_c_inside_a_write_of_a_pack_ends_it_cleanly(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    write, number = os.write, 0

    def interrupted(descriptor: int, data: Any) -> int:
        nonlocal number
        number += 1
        if number == 8:
            raise KeyboardInterrupt
        return write(descriptor, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pack(store, tmp_path / "packed.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_writes_that_take_a_few_bytes_each_store_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:97])))
    store = whole_store(tmp_path / "store")
    pack(store, tmp_path / "packed.h5")
    for each in (Store(store.path), Store(tmp_path / "packed.h5")):
        assert each.verify() == []
        assert all(is_right(row) for row in each.rows())


def test_processes_that_share_a_store_lose_nothing_of_each_other(tmp_path: Path) -> None:
    program = (
        "from tests.featviz.store.made_stores import renders, writer;"
        "store = writer(pathlib.Path(sys.argv[1]));"
        "[store.add(renders([f'head:{n}'])) for n in range(int(sys.argv[2]), 30, 3)]"
    )
    path = tmp_path / "store"
    processes = [
        subprocess.Popen([sys.executable, "-c", WITHOUT_TORCH + program, path, str(part)], cwd=ROOT)
        for part in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert Store(path).addresses() == [f"head:{number}" for number in range(30)]
    assert all(is_right(row) for row in Store(path).rows())
    assert (Store(path).verify(), litter(path)) == ([], [])
