from __future__ import annotations

import shutil
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from featviz.analysis.examples.scratch.activation_file import ActivationFile
from featviz.analysis.examples.scratch.folder import (
    discard,
    discard_others,
    open_activation_file,
)
from featviz.errors import FeatvizError

UNITS = ["a:0", "b:1", "c:2@cls"]
BLOCK = 4
COUNT = 10
VALUES = np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32)
VALUES[3, 1] = np.nan
VALUES[7, 2] = -np.inf
HASHES = [bytes([number]) * 16 for number in (0, 1, 2, 1, 4, 5, 0, 1, 8, 255)]
LABELS = np.array([-1, 5, 0, 2, 2, -1, 3, 1, 0, 9], np.int32)


class Stopped(BaseException):
    """Any exception that ends a job."""


def write_some(folder: Path, blocks: int) -> Path:
    """Write so many blocks and stop; return the path."""
    with suppress(Stopped), open_activation_file(folder, "job", UNITS, BLOCK, COUNT) as file:
        go_on(file, blocks)
        raise Stopped
    return folder / "job.spool"


def go_on(file: ActivationFile, blocks: int) -> None:
    for number in range(file.blocks, blocks):
        part = slice(number * BLOCK, min(COUNT, (number + 1) * BLOCK))
        file.append(LABELS[part], HASHES[part], VALUES[part])


def everything(file: ActivationFile) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    return file.labels(COUNT), file.values(0, 3, COUNT)


def test_values_are_read_back_bit_for_bit_for_any_range_of_units(tmp_path: Path) -> None:
    with open_activation_file(tmp_path / "s", "job", UNITS, BLOCK, COUNT) as file:
        go_on(file, 3)
        labels, values = everything(file)
        np.testing.assert_array_equal(labels, LABELS)
        assert values.tobytes() == np.ascontiguousarray(VALUES.T).tobytes()
        for start in range(3):
            for stop in range(start + 1, 4):
                np.testing.assert_array_equal(file.values(start, stop, 7), VALUES[:7, start:stop].T)
    assert list(tmp_path.iterdir()) == []


def test_copies_of_an_image_are_found_by_their_hashes(tmp_path: Path) -> None:
    with open_activation_file(tmp_path, "job", UNITS, BLOCK, COUNT) as file:
        go_on(file, 3)
        assert file.first_copies(COUNT).tolist() == [0, 1, 2, 1, 4, 5, 0, 1, 8, 9]
        assert file.first_copies(5).tolist() == [0, 1, 2, 1, 4]


def test_an_interrupted_file_resumes_after_its_last_block(tmp_path: Path) -> None:
    write_some(tmp_path, 2)
    with open_activation_file(tmp_path, "job", UNITS, BLOCK, COUNT) as file:
        assert file.blocks == 2
        go_on(file, 3)
        np.testing.assert_array_equal(everything(file)[1], VALUES.T)


def test_a_file_truncated_anywhere_keeps_its_whole_blocks_and_ends_the_same(
    tmp_path: Path,
) -> None:
    path = write_some(tmp_path, 3)
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    size = (len(whole) - header) // 3
    assert size == BLOCK * 4 * (5 + 3) + 32
    for length in range(header, len(whole), 7):
        path.write_bytes(whole[:length])
        with suppress(Stopped), open_activation_file(tmp_path, "job", UNITS, BLOCK, COUNT) as file:
            assert file.blocks == (length - header) // size
            go_on(file, 3)
            raise Stopped
        assert path.read_bytes() == whole


@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_damaged_block_and_all_later_ones_are_discarded(tmp_path: Path, block: int) -> None:
    path = write_some(tmp_path, 3)
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    size = (len(whole) - header) // 3
    flipped = bytearray(whole)
    flipped[header + block * size + 11] ^= 1
    # Like a file that grew before a power failure, without its blocks having been written.
    empty = whole[: header + block * size].ljust(len(whole), b"\0")
    # A valid block, at the position of another.
    moved = whole[: header + block * size] + whole[header + (2 - block) * size :][:size]
    for damaged in (bytes(flipped), empty, moved if block != 1 else empty):
        path.write_bytes(damaged)
        with suppress(Stopped), open_activation_file(tmp_path, "job", UNITS, BLOCK, COUNT) as file:
            assert file.blocks == block
            go_on(file, 3)
            raise Stopped
        assert path.read_bytes() == whole


def test_a_file_is_reused_for_some_of_its_units_and_replaced_for_others(tmp_path: Path) -> None:
    write_some(tmp_path, 2)
    with (
        suppress(Stopped),
        open_activation_file(tmp_path, "job", UNITS[1:], BLOCK, COUNT) as file,
    ):
        assert (file.addresses, file.blocks) == (UNITS, 2)
        raise Stopped
    with open_activation_file(tmp_path, "job", [*UNITS, "d:3"], BLOCK, COUNT) as file:
        assert (file.addresses, file.blocks) == ([*UNITS, "d:3"], 0)


@pytest.mark.parametrize("header", [b"", b"{}\n", b"no json\n", b"[1]\n", b'{"block": 4}\n'])
def test_a_file_with_an_invalid_header_is_replaced(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "job.spool").write_bytes(header)
    with open_activation_file(tmp_path, "job", UNITS, BLOCK, COUNT) as file:
        go_on(file, 3)
        np.testing.assert_array_equal(everything(file)[1], VALUES.T)


def test_one_process_at_a_time_writes_a_file(tmp_path: Path) -> None:
    with open_activation_file(tmp_path / "s", "job", UNITS, BLOCK, COUNT) as file:
        go_on(file, 1)
        with (
            pytest.raises(FeatvizError, match=r"another process is writing .*job\.spool"),
            open_activation_file(tmp_path / "s", "job", UNITS, BLOCK, COUNT),
        ):
            pass
        with pytest.raises(FeatvizError, match="another process"):
            discard(tmp_path / "s", "job")
        with open_activation_file(tmp_path / "s", "other", UNITS, BLOCK, COUNT) as other:
            go_on(other, 3)
        go_on(file, 3)
        np.testing.assert_array_equal(everything(file)[1], VALUES.T)
    assert not (tmp_path / "s").exists()


def test_too_little_disk_space_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    needed = 3 * (BLOCK * 4 * (5 + 3) + 32)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed))
    write_some(tmp_path / "enough", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed - 1))
    with (
        pytest.raises(FeatvizError, match="needs 0 MB for the values of 3 units on 10 images"),
        open_activation_file(tmp_path / "little", "job", UNITS, BLOCK, COUNT),
    ):
        pass
    assert not (tmp_path / "little").exists()
    # Existing blocks need no further space.
    with open_activation_file(tmp_path / "enough", "job", UNITS, BLOCK, COUNT) as file:
        assert file.blocks == 1


def test_only_files_of_other_settings_that_no_process_writes_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for name in ("now-1", "now-2", "old-1", "old-2"):
        write_some(folder, 2).rename(folder / f"{name}.spool")
    with suppress(Stopped), open_activation_file(folder, "old-2", UNITS, BLOCK, COUNT) as file:
        discard_others(folder, "now-")
        assert {path.name for path in folder.iterdir()} == {
            "now-1.spool",
            "now-2.spool",
            "old-2.spool",
        }
        go_on(file, 3)
        np.testing.assert_array_equal(everything(file)[1], VALUES.T)
        raise Stopped
    discard_others(folder, "new-")
    assert not folder.exists()
    discard_others(folder, "new-")


def test_a_leftover_file_is_deleted_with_its_folder(tmp_path: Path) -> None:
    write_some(tmp_path / "s", 3)
    discard(tmp_path / "s", "job")
    assert not (tmp_path / "s").exists()
    discard(tmp_path / "s", "job")
