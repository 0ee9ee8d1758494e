from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from featviz._util.files import make_folder, remove_leftovers, replacing, set_aside, write
from featviz.errors import FeatvizError

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


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
    temporary = f"file.{HOST}.{os.getpid()}.tmp"
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


def test_only_what_dead_processes_of_this_machine_left_is_removed(
    tmp_path: Path, dead: int
) -> None:
    gone = [f"a.h5.{HOST}.{dead}.tmp", f"b.h5.{HOST}.{os.getpid()}.tmp"]
    kept = [
        f"a.h5.{HOST}.{os.getppid()}.tmp",  # it runs
        f"a.h5.elsewhere.{dead}.tmp",
        f"a.txt.{HOST}.{dead}.tmp",
        f"a.h5.{HOST}.{dead}.tmp.txt",
        f"a.h5.{HOST}.none.tmp",
        f"a.h5.{HOST}.tmp",
        "a.h5",
    ]
    for name in gone + kept:
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path, r".*\.h5")
    assert {each.name for each in tmp_path.iterdir()} == set(kept)


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
