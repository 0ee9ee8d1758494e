from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.forging import flip, matching_name
from tests.featviz.store.made_stores import (
    BATCHES,
    CONFIGURATION,
    finish,
    is_right,
    litter,
    shards,
    whole_store,
    writer,
)

POSITION = st.floats(0, 1, exclude_max=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is only copied."""
    return whole_store(tmp_path_factory.mktemp("original") / "store").path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A store to damage."""
    return Path(shutil.copytree(original, tmp_path / "store"))


def assert_damage_is_told(path: Path, *names: str) -> None:
    """Verify names each bad file once, and neither reading, packing nor resuming goes on."""
    problems = Store(path).verify()
    assert sorted(str(path / "shards" / name) for name in names) == sorted(
        problem.partition(" is damaged: ")[0] for problem in problems
    )
    lines = [*problems]
    for act in (
        lambda: list(Store(path).rows()),
        lambda: pack(Store(path), path.parent / "packed.h5"),
        lambda: writer(path),
    ):
        with pytest.raises(FeatvizError) as raised:
            act()
        lines.append(str(raised.value))
    assert all(any(name in line for name in names) for line in lines)
    assert not any("\n" in line for line in lines)
    assert lines[-1].endswith("; delete it or run with --force, and its units are computed again")
    assert not (path.parent / "packed.h5").exists()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2), POSITION, st.integers(0, 7))
def test_one_wrong_bit_anywhere_in_a_shard_is_found_and_never_read(
    original: Path, tmp_path_factory: pytest.TempPathFactory, shard: int, at: float, bit: int
) -> None:
    path = Path(shutil.copytree(original, tmp_path_factory.mktemp("flipped") / "store"))
    damaged = shards(path)[shard]
    flip(damaged, at, bit)
    assert_damage_is_told(path, damaged.name)


@settings(deadline=None, max_examples=20)
@given(POSITION, st.sampled_from(["renders", "failures"]))
def test_a_shard_cut_short_anywhere_is_found_and_never_read(
    original: Path, tmp_path_factory: pytest.TempPathFactory, at: float, kind: str
) -> None:
    path = Path(shutil.copytree(original, tmp_path_factory.mktemp("cut") / "store"))
    damaged = shards(path, kind)[0]
    data = damaged.read_bytes()
    damaged.write_bytes(data[: int(at * len(data))])
    if kind == "renders":
        assert_damage_is_told(path, damaged.name)
    else:
        assert len(Store(path).verify()) == 1
        with pytest.raises(FeatvizError, match=damaged.name):
            _ = Store(path).failures


def test_verify_reports_all_problems(path: Path) -> None:
    first, second, third = shards(path)
    flip(first, 0.5, 0)
    third.write_bytes(b"")
    (path / "shards" / "renders-copy.h5").write_bytes(second.read_bytes())
    assert_damage_is_told(path, first.name, third.name, "renders-copy.h5")


def test_a_valid_shard_is_still_read_row_by_row_if_another_is_damaged(path: Path) -> None:
    damaged = shards(path)[1]
    addresses = Store(path).addresses()
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1  # the end of a picture
    damaged.write_bytes(data)
    with h5py.File(damaged) as file:
        lost = set(file["renders/address"].asstr()[:])
    for address in addresses:
        if address in lost:
            with pytest.raises(FeatvizError, match=damaged.name):
                Store(path).row(address)
        else:
            assert is_right(Store(path).row(address))
    assert len(lost) == 2


def test_force_sets_damaged_shards_aside_and_their_units_are_computed_again(path: Path) -> None:
    first, second, third = shards(path)
    flip(first, 0.5, 0)
    second.unlink()
    second.mkdir()
    damaged = first.read_bytes()
    kept = third.read_bytes()
    assert len(writer(path, force=True).done) == 2
    list(finish(path))
    assert (Store(path).verify(), len(Store(path))) == ([], 6)
    assert first.with_name(f"{first.name}.damaged").read_bytes() == damaged
    assert second.with_name(f"{second.name}.damaged").is_dir()
    assert third.read_bytes() == kept
    assert len(litter(path)) == 1


@pytest.mark.parametrize("suffix", [".h5", ".json"])
def test_what_the_system_refuses_to_read_is_not_called_damaged_nor_set_aside(
    path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    names = {each.name for each in path.parent.rglob("*")}
    path_open = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.suffix == suffix:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return path_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    for force in (False, True):
        with pytest.raises(FeatvizError, match=rf"^cannot read .*{suffix}: Permission denied$"):
            writer(path, force=force)
    assert {each.name for each in path.parent.rglob("*")} == names


def test_deleting_a_damaged_shard_is_enough_to_go_on(path: Path) -> None:
    damaged = shards(path)[0]
    flip(damaged, 0.9, 3)
    damaged.unlink()
    list(finish(path))
    assert (Store(path).verify(), len(Store(path))) == ([], 6)
    assert all(is_right(row) for row in Store(path).rows())


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_a_file_that_is_not_hdf5_is_found_even_if_its_name_matches_its_digest(
    path: Path, content: bytes
) -> None:
    stranger = path / "shards" / "renders-new.h5"
    stranger.write_bytes(content)
    stranger = stranger.rename(matching_name(stranger))
    assert_damage_is_told(path, stranger.name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"configuration": CONFIGURATION | {"steps": 9}}, "made with another configuration"),
        ({"fingerprint": "0f" * 32}, "of another model"),
    ],
)
def test_a_shard_of_another_store_is_found_and_never_read(
    path: Path, change: dict[str, Any], reason: str
) -> None:
    list(finish(path.parent / "other", **change))
    stranger = shards(path.parent / "other")[0]
    shutil.copy(stranger, path / "shards")
    assert_damage_is_told(path, stranger.name)
    assert reason in Store(path).verify()[0]


def test_a_shard_under_the_name_of_another_kind_is_found(path: Path) -> None:
    shard = shards(path)[0]
    renamed = shard.rename(shard.with_name(shard.name.replace("renders", "failures")))
    (problem,) = Store(path).verify()
    assert problem == f"{renamed} is damaged: it has no failures"


def test_folders_pipes_and_broken_links_among_the_shards_are_found(path: Path) -> None:
    names = [f"renders-{digit * 32}.h5" for digit in "abc"]
    paths = [path / "shards" / name for name in names]
    paths[0].mkdir()
    os.mkfifo(paths[1])
    paths[2].symlink_to(path / "nothing")
    assert_damage_is_told(path, *names)


def test_a_link_to_a_valid_shard_is_read_as_the_shard(path: Path) -> None:
    for shard in shards(path):
        shard.rename(path.parent / shard.name)
        shard.symlink_to(path.parent / shard.name)
    assert Store(path).verify() == []
    assert all(is_right(row) for row in Store(path).rows())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("", "it is not JSON"),
        ("\x00\x01", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it has no format_version"),
        ({"format_version": True}, "it has no format_version"),
        ({"format_version": "1"}, "it has no format_version"),
        ({"model": None}, "it has no str 'model'"),
        ({"fingerprint": 3}, "it has no str 'fingerprint'"),
        ({"load": []}, "it has no dict 'load'"),
        ({"load": {"saes": {"x": "sae.pt"}}}, "its 'saes' are not dicts by name"),
        ({"sites": "blocks"}, "it has no list 'sites'"),
        ({"sites": ["blocks", 3]}, "its 'sites' are not all strings"),
        ({"configuration": {"renders": []}}, "a 'configuration' is not a dict"),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_line(path: Path, change: Any, reason: str) -> None:
    manifest = path / "store.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(change if isinstance(change, str) else json.dumps(fields | change))
    for act in (Store, writer):
        with pytest.raises(FeatvizError) as raised:
            act(path)
        assert str(raised.value) == f"{manifest} is damaged: {reason}"


def test_a_binary_manifest_is_refused_in_one_line(path: Path) -> None:
    (path / "store.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(FeatvizError, match=r"store\.json is damaged: it is not JSON"):
        Store(path)
    (path / "store.json").unlink()
    (path / "store.json").mkdir()
    with pytest.raises(FeatvizError, match=r"cannot read .*store\.json: Is a directory"):
        Store(path)


def test_a_newer_format_is_refused_with_what_would_read_it(path: Path) -> None:
    manifest = path / "store.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": 2}))
    for act in (Store, writer):
        with pytest.raises(FeatvizError) as raised:
            act(path)
        assert str(raised.value) == (
            f"{manifest} is of store format 2 and this featviz reads format 1; "
            "use the featviz that wrote it, or a newer one"
        )


def test_force_sets_a_store_with_a_damaged_manifest_aside(path: Path) -> None:
    (path / "store.json").write_text("{")
    list(finish(path, force=True))
    assert len(Store(path)) == 6
    assert len(shards(path.parent / "store.1")) == len(BATCHES)
