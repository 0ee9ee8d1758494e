from __future__ import annotations

import shutil
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from featviz.analysis.examples import activation_file as spools
from featviz.analysis.examples.scratch_folder import clear, discard, open_spool
from featviz.errors import FeatvizError

UNITS = ["a:0", "b:1", "c:2@cls"]
BLOCK = 4
COUNT = 10
VALUES = np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32)
VALUES[3, 1] = np.nan
VALUES[7, 2] = -np.inf
MARKS = [bytes([number]) * 16 for number in (0, 1, 2, 1, 4, 5, 0, 1, 8, 255)]
LABELS = np.array([-1, 5, 0, 2, 2, -1, 3, 1, 0, 9], np.int32)


class Stopped(BaseException):
    """Stands for any end of a job that is not its own."""


def write_some(folder: Path, blocks: int) -> Path:
    """Write so many blocks and stop; return the file."""
    with suppress(Stopped), open_spool(folder, "job", UNITS, BLOCK, COUNT) as spool:
        go_on(spool, blocks)
        raise Stopped
    return folder / "job.spool"


def go_on(spool: spools.Spool, blocks: int) -> None:
    for number in range(spool.blocks, blocks):
        part = slice(number * BLOCK, min(COUNT, (number + 1) * BLOCK))
        spool.append(LABELS[part], MARKS[part], VALUES[part])


def everything(spool: spools.Spool) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    return spool.labels(COUNT), spool.values(0, 3, COUNT)


def test_what_was_put_in_comes_out_bit_for_bit_for_any_cut_of_units(tmp_path: Path) -> None:
    with open_spool(tmp_path / "s", "job", UNITS, BLOCK, COUNT) as spool:
        go_on(spool, 3)
        labels, values = everything(spool)
        np.testing.assert_array_equal(labels, LABELS)
        assert values.tobytes() == np.ascontiguousarray(VALUES.T).tobytes()
        for start in range(3):
            for stop in range(start + 1, 4):
                np.testing.assert_array_equal(
                    spool.values(start, stop, 7), VALUES[:7, start:stop].T
                )
    assert list(tmp_path.iterdir()) == []


def test_copies_of_an_image_are_known_by_their_marks(tmp_path: Path) -> None:
    with open_spool(tmp_path, "job", UNITS, BLOCK, COUNT) as spool:
        go_on(spool, 3)
        assert spool.firsts(COUNT).tolist() == [0, 1, 2, 1, 4, 5, 0, 1, 8, 9]
        assert spool.firsts(5).tolist() == [0, 1, 2, 1, 4]


def test_an_interrupted_spool_goes_on_where_it_was(tmp_path: Path) -> None:
    write_some(tmp_path, 2)
    with open_spool(tmp_path, "job", UNITS, BLOCK, COUNT) as spool:
        assert spool.blocks == 2
        go_on(spool, 3)
        np.testing.assert_array_equal(everything(spool)[1], VALUES.T)


def test_a_file_cut_off_anywhere_keeps_its_whole_blocks_and_becomes_the_same(
    tmp_path: Path,
) -> None:
    path = write_some(tmp_path, 3)
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    size = (len(whole) - header) // 3
    assert size == BLOCK * 4 * (5 + 3) + 32
    for length in range(header, len(whole), 7):
        path.write_bytes(whole[:length])
        with suppress(Stopped), open_spool(tmp_path, "job", UNITS, BLOCK, COUNT) as spool:
            assert spool.blocks == (length - header) // size
            go_on(spool, 3)
            raise Stopped
        assert path.read_bytes() == whole


@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_block_that_is_not_as_it_was_written_is_read_again_with_all_after_it(
    tmp_path: Path, block: int
) -> None:
    path = write_some(tmp_path, 3)
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    size = (len(whole) - header) // 3
    flipped = bytearray(whole)
    flipped[header + block * size + 11] ^= 1
    # As a file is that grew before the power went, but whose blocks had not been written.
    empty = whole[: header + block * size].ljust(len(whole), b"\0")
    # A sound block, in the place of another.
    moved = whole[: header + block * size] + whole[header + (2 - block) * size :][:size]
    for damaged in (bytes(flipped), empty, moved if block != 1 else empty):
        path.write_bytes(damaged)
        with suppress(Stopped), open_spool(tmp_path, "job", UNITS, BLOCK, COUNT) as spool:
            assert spool.blocks == block
            go_on(spool, 3)
            raise Stopped
        assert path.read_bytes() == whole


def test_a_spool_serves_some_of_its_units_and_is_begun_anew_for_others(tmp_path: Path) -> None:
    write_some(tmp_path, 2)
    with (
        suppress(Stopped),
        open_spool(tmp_path, "job", UNITS[1:], BLOCK, COUNT) as spool,
    ):
        assert (spool.addresses, spool.blocks) == (UNITS, 2)
        raise Stopped
    with open_spool(tmp_path, "job", [*UNITS, "d:3"], BLOCK, COUNT) as spool:
        assert (spool.addresses, spool.blocks) == ([*UNITS, "d:3"], 0)


@pytest.mark.parametrize("header", [b"", b"{}\n", b"no json\n", b"[1]\n", b'{"block": 4}\n'])
def test_a_file_that_is_no_spool_is_begun_anew(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "job.spool").write_bytes(header)
    with open_spool(tmp_path, "job", UNITS, BLOCK, COUNT) as spool:
        go_on(spool, 3)
        np.testing.assert_array_equal(everything(spool)[1], VALUES.T)


def test_one_process_at_a_time_fills_a_spool_and_others_have_their_own(tmp_path: Path) -> None:
    with open_spool(tmp_path / "s", "job", UNITS, BLOCK, COUNT) as spool:
        go_on(spool, 1)
        with (
            pytest.raises(FeatvizError, match=r"another process fills .*job\.spool; wait for it"),
            open_spool(tmp_path / "s", "job", UNITS, BLOCK, COUNT),
        ):
            pass
        with pytest.raises(FeatvizError, match="another process"):
            discard(tmp_path / "s", "job")
        with open_spool(tmp_path / "s", "other", UNITS, BLOCK, COUNT) as other:
            go_on(other, 3)
        go_on(spool, 3)
        np.testing.assert_array_equal(everything(spool)[1], VALUES.T)
    assert not (tmp_path / "s").exists()


def test_too_little_room_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    needed = 3 * (BLOCK * 4 * (5 + 3) + 32)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed))
    write_some(tmp_path / "enough", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed - 1))
    with (
        pytest.raises(FeatvizError, match="needs 0 MB for the values of 3 units on 10 images"),
        open_spool(tmp_path / "little", "job", UNITS, BLOCK, COUNT),
    ):
        pass
    assert not (tmp_path / "little").exists()
    # What is there already needs no room.
    with open_spool(tmp_path / "enough", "job", UNITS, BLOCK, COUNT) as spool:
        assert spool.blocks == 1


def test_only_spools_of_other_settings_that_nobody_fills_are_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for name in ("now-1", "now-2", "old-1", "old-2"):
        write_some(folder, 2).rename(folder / f"{name}.spool")
    with suppress(Stopped), open_spool(folder, "old-2", UNITS, BLOCK, COUNT) as spool:
        clear(folder, "now-")
        assert {path.name for path in folder.iterdir()} == {
            "now-1.spool",
            "now-2.spool",
            "old-2.spool",
        }
        go_on(spool, 3)
        np.testing.assert_array_equal(everything(spool)[1], VALUES.T)
        raise Stopped
    clear(folder, "new-")
    assert not folder.exists()
    clear(folder, "new-")


def test_a_spool_that_outlived_its_job_is_deleted_with_its_folder(tmp_path: Path) -> None:
    write_some(tmp_path / "s", 3)
    discard(tmp_path / "s", "job")
    assert not (tmp_path / "s").exists()
    discard(tmp_path / "s", "job")
