from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from featviz._util import file_locks
from featviz._util.files import (
    LEFTOVER_AGE,
    make_folder,
    remove_leftovers,
    replacing,
    set_aside,
    write,
)
from featviz.errors import FeatvizError

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"first", b"", b"x" * 100_000):
        write(path, data)
        assert path.read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_order_of_calls_is_write_sync_rename_sync_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    fsync, replace, wrote = os.fsync, os.replace, os.write

    def log_fsync(descriptor: int) -> None:
        log.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")  # noqa: PTH115
        fsync(descriptor)

    def log_replace(old: Path, new: Path) -> None:
        log.append(f"rename to {new.name}")
        replace(old, new)

    def log_write(descriptor: int, data: bytes) -> int:
        log.append("write")
        return wrote(descriptor, data)

    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux tells the name of a descriptor")
    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    monkeypatch.setattr(os, "write", log_write)
    write(tmp_path / "file", b"data")
    temporary = log[1].removeprefix("sync ")
    assert re.fullmatch(rf"file\.{HOST}\.[0-9a-f]{{16}}\.tmp", temporary)
    assert log == ["write", f"sync {temporary}", "rename to file", f"sync {tmp_path.name}"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError(), OSError(errno.EIO, "no")])
def test_an_error_while_writing_leaves_the_file_as_it_was(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "file"
    write(path, b"before")
    expected = FeatvizError if isinstance(error, OSError) else type(error)

    def fail() -> None:
        with replacing(path) as descriptor:
            os.write(descriptor, b"half")
            raise error

    with pytest.raises(expected):
        fail()
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_refusal_names_the_file_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    with pytest.raises(FeatvizError) as raised:
        write(path, b"")
    assert str(raised.value) == (
        f"cannot write {path}: No such file or directory; "
        "what is stored is kept, run the same command again"
    )


@pytest.mark.parametrize(("error", "is_tolerated"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_sync_folders_is_used_and_one_that_fails_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, is_tolerated: bool
) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if os.fstat(descriptor).st_mode & 0o040000:
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if is_tolerated:
        write(tmp_path / "file", b"data")
        assert (tmp_path / "file").read_bytes() == b"data"
    else:
        with pytest.raises(FeatvizError, match="Input/output error"):
            write(tmp_path / "file", b"data")


def test_folders_are_made_with_their_parents_and_a_file_in_the_way_is_named(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    write(tmp_path / "a" / "file", b"")
    with pytest.raises(FeatvizError, match=r"a/file is a file; choose a folder"):
        make_folder(tmp_path / "a" / "file" / "folder")


def make(path: Path, age: float = 0) -> Path:
    """Make an empty file that was written so many seconds ago."""
    path.write_bytes(b"")
    written = time.time() - age
    os.utime(path, (written, written))
    return path


def test_of_this_machine_what_is_not_locked_is_removed_and_of_others_what_is_old(
    tmp_path: Path,
) -> None:
    gone = [
        f"a.h5.{HOST}.0123456789abcdef.tmp",
        f"b.h5.{HOST}.15804.tmp",  # of an earlier version: its process id
    ]
    kept = [
        "a.h5.elsewhere.0123456789abcdef.tmp",
        f"a.txt.{HOST}.0123456789abcdef.tmp",
        f"a.h5.{HOST}.0123456789abcdef.tmp.txt",
        f"a.h5.{HOST}.none.tmp",
        f"a.h5.{HOST}.tmp",
        "a.h5",
    ]
    for name in gone + kept:
        make(tmp_path / name)
    make(tmp_path / "b.h5.elsewhere.0123456789abcdef.tmp", LEFTOVER_AGE + 60)
    remove_leftovers(tmp_path, r".*\.h5")
    assert {each.name for each in tmp_path.iterdir()} == set(kept)


def test_a_file_that_is_written_is_kept_by_a_process_with_the_same_host_and_process_id(
    tmp_path: Path,
) -> None:
    # This process itself is such a process.
    with replacing(tmp_path / "a.h5") as descriptor:
        os.write(descriptor, b"half, ")
        remove_leftovers(tmp_path, r".*\.h5")
        with replacing(tmp_path / "a.h5") as other:
            os.write(other, b"another")
        assert (tmp_path / "a.h5").read_bytes() == b"another"
        os.write(descriptor, b"whole")
    assert (tmp_path / "a.h5").read_bytes() == b"half, whole"
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_what_a_killed_process_left_is_removed_even_if_its_process_id_is_in_use(
    tmp_path: Path,
) -> None:
    program = (
        "import os, signal, sys, pathlib; from featviz._util.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a.h5"], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path, r".*\.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, calls = file_locks.wait_for_lock, 0

    def be_late(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            remove_leftovers(tmp_path, "file")
            assert list(tmp_path.iterdir()) == []
        wait(descriptor)

    monkeypatch.setattr(file_locks, "wait_for_lock", be_late)
    write(tmp_path / "file", b"data")
    assert calls == 2
    assert (tmp_path / "file").read_bytes() == b"data"


def test_without_locks_the_age_decides_and_files_are_written_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    make(tmp_path / f"old.h5.{HOST}.0123456789abcdef.tmp", LEFTOVER_AGE + 60)
    with replacing(tmp_path / "a.h5") as descriptor:
        os.write(descriptor, b"data")
        remove_leftovers(tmp_path, r".*\.h5")
        assert len(list(tmp_path.iterdir())) == 1
    assert (tmp_path / "a.h5").read_bytes() == b"data"
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_a_leftover_that_cannot_be_removed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = make(tmp_path / f"a.h5.{HOST}.0123456789abcdef.tmp")

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        remove_leftovers(tmp_path, r".*\.h5")
    assert left.exists()


def test_on_windows_reading_and_computing_work_and_writing_is_refused_in_one_line() -> None:
    program = """
import sys
sys.modules["fcntl"] = None
import featviz, featviz.cueworld, featviz.store.writer, featviz.analysis.examples.job
import featviz.rendering.render, featviz.optimization.recipe, patching.sweeps.job
import gallery.exporter, cli.main
from featviz._util.files import write
try:
    write(__import__("pathlib").Path("file"), b"")
except featviz.FeatvizError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == (
        "cannot write file: featviz writes files on Linux and macOS; on Windows, run it in WSL "
        "(Windows Subsystem for Linux)\n"
    )


def test_what_is_set_aside_takes_the_first_free_name(tmp_path: Path) -> None:
    names = []
    for text in ("one", "two", "three"):
        (tmp_path / "shard").write_text(text)
        names.append(set_aside(tmp_path / "shard", ".damaged").name)
    (tmp_path / "folder").mkdir()
    names.append(set_aside(tmp_path / "folder").name)
    assert names == ["shard.damaged", "shard.1", "shard.2", "folder.1"]
    assert (tmp_path / "shard.damaged").read_text() == "one"
    assert (tmp_path / "shard.2").read_text() == "three"
