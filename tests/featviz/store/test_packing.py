from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.forging import flip
from tests.featviz.store.made_stores import (
    CONFIGURATION,
    FINGERPRINT,
    SITES,
    is_right,
    renders,
    whole_store,
    writer,
)

SIGNATURE = b"\x89HDF\r\n\x1a\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of three kinds that is only read."""
    path = whole_store(tmp_path_factory.mktemp("original") / "store").path
    other = writer(path, kind="notes", configuration={"window": 3})
    effects = np.arange(6, dtype=np.float64).reshape(2, 3)
    other.add({"address": ["head:1", "head:0"], "effect": effects, "note": ["", "héad"]})
    return Store(path)


@pytest.fixture(scope="module")
def original(store: Store) -> Path:
    """The store in one file that is only read."""
    pack(store, store.path.parent / "packed.h5")
    return store.path.parent / "packed.h5"


@pytest.fixture
def packed(original: Path, tmp_path: Path) -> Path:
    """The store in one file, to damage."""
    return Path(shutil.copy(original, tmp_path))


def comparable(row: Row) -> dict[str, object]:
    return {
        name: value if isinstance(value, str) else (value.dtype.str, value.shape, value.tobytes())
        for name, value in row.items()
    }


def assert_same(left: Store, right: Store) -> None:
    assert left.kinds == right.kinds == ("failures", "notes", "renders")
    for kind in left.kinds:
        assert left.addresses(kind) == right.addresses(kind)
        rows = zip(left.rows(kind), right.rows(kind), strict=True)
        assert all(comparable(a) == comparable(b) for a, b in rows)
    assert left.manifest == right.manifest
    assert left.failures == right.failures
    assert len(left) == len(right) == 6


def test_a_pack_reads_as_the_folder_does(store: Store, packed: Path) -> None:
    read = Store(packed)
    assert_same(store, read)
    assert (read.path, read.model, read.fingerprint) == (packed, "cueworld/vit", FINGERPRINT)
    assert (read.sites, read.load) == (SITES, {"untrained": False, "arch": None})
    assert all(is_right(read.row(address)) for address in store.addresses())
    assert read.verify() == []
    different = {"path", "bytes"}
    info, other = read.info(), store.info()
    assert {key for key in info | other if info[key] != other[key]} == different
    assert info["bytes"] == packed.stat().st_size


def test_a_pack_of_a_pack_is_the_same_file(packed: Path, tmp_path: Path) -> None:
    pack(Store(packed), tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == packed.read_bytes()


def test_a_pack_has_the_documented_layout(store: Store, packed: Path) -> None:
    with h5py.File(packed) as file:
        assert file.attrs["format-version"] == 1
        assert file.attrs["encoding-type"] == b"featviz-store"
        assert file.attrs["encoding-version"] == b"1"
        assert file.attrs["model"] == b"cueworld/vit"
        assert file.attrs["fingerprint"] == FINGERPRINT.encode()
        assert json.loads(file.attrs["store"]) == json.loads(
            (store.path / "store.json").read_bytes()
        )
        assert set(file) == {"failures", "renders", "notes"}
        group = file["renders"]
        assert group.attrs["encoding-type"] == b"featviz-renders"
        assert group["address"].asstr()[:].tolist() == store.addresses()
        assert group["images"].chunks == (1, 1, 5, 7, 3)
        assert {name: (data.dtype.str, data.shape) for name, data in group.items()} == {
            "address": ("|S22", (6,)),
            "images": ("|u1", (6, 2, 5, 7, 3)),
            "activation": ("<f4", (6, 2)),
            "trajectory": ("<f4", (6, 2, 4)),
            "digest": ("|S64", (6,)),
        }


def test_the_digests_of_a_pack_are_those_that_are_documented(packed: Path) -> None:
    with h5py.File(packed) as file:
        whole = hashlib.sha256()
        for name in ("model", "fingerprint", "store"):
            whole.update(bytes(file.attrs[name]) + b"\0")
        for kind in ("failures", "notes", "renders"):
            group = file[kind]
            for number, digest in enumerate(group["digest"]):
                row = hashlib.sha256()
                for name in sorted(set(group) - {"digest"}):
                    value = group[name][number]
                    form, data = "text", value
                    if group[name].dtype.kind != "S":
                        form, data = f"{value.dtype.str} {value.shape}", value.tobytes()
                    row.update(b"%s\0%s\0%d\0%s" % (name.encode(), form.encode(), len(data), data))
                assert row.hexdigest().encode() == digest
            whole.update(kind.encode() + b"\0" + b"".join(group["digest"]))
        assert bytes(file.attrs["digest"]).decode() == whole.hexdigest()


def test_an_empty_store_is_packed_too(tmp_path: Path) -> None:
    pack(Store(writer(tmp_path / "store").path), tmp_path / "packed.h5")
    read = Store(tmp_path / "packed.h5")
    assert (len(read), read.kinds, read.verify()) == (0, (), [])
    assert read.configuration == {"renders": CONFIGURATION}


def test_packing_holds_no_more_than_a_few_rows(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    for shard in range(10):
        addresses = [f"head:{10 * shard + number}" for number in range(10)]
        images = np.full((10, 2, 64, 64, 3), shard, np.uint8)
        store.add(renders(addresses) | {"images": images})
    read = Store(store.path)
    pack(read, tmp_path / "warm.h5")
    tracemalloc.start()
    pack(read, tmp_path / "packed.h5")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600_000 < read.info()["bytes"] / 4


def test_nothing_that_exists_is_overwritten(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "thesis.pdf"
    target.write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (target, tmp_path / "link", tmp_path):
        with pytest.raises(FeatvizError, match=r"exists and is not overwritten; choose another"):
            pack(store, path)
    assert target.read_text() == "years of work"
    with pytest.raises(FeatvizError, match=r"thesis\.pdf is a file"):
        pack(store, target / "packed.h5")


def test_missing_folders_are_made(store: Store, tmp_path: Path) -> None:
    pack(store, tmp_path / "new" / "folder" / "packed.h5")
    assert Store(tmp_path / "new" / "folder" / "packed.h5").verify() == []


def test_rows_of_two_shapes_are_not_packed(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    store.add(renders(["head:0"]))
    store.add(
        {
            name: value[:, :1] if name != "address" else ["head:1"]
            for name, value in renders(["head:1"]).items()
        }
    )
    with pytest.raises(FeatvizError, match=r"cannot be packed: head:1 has .*\(1, 5, 7, 3\)"):
        pack(Store(store.path), tmp_path / "packed.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def problems(path: Path) -> list[str]:
    """What opening, verifying and reading a pack tells; the rows that are read are right."""
    try:
        store = Store(path)
        found = store.verify()
    except FeatvizError as error:
        return [str(error)]
    try:
        assert all(is_right(row) for row in store.rows())
    except FeatvizError as error:
        assert found
        found.append(str(error))
    assert not any("\n" in line for line in found)
    return found


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_one_wrong_bit_anywhere_in_a_pack_is_found_and_never_read(
    original: Path, tmp_path_factory: pytest.TempPathFactory, at: float, bit: int
) -> None:
    path = Path(shutil.copy(original, tmp_path_factory.mktemp("flipped")))
    flip(path, at, bit)
    assert problems(path)


@settings(deadline=None, max_examples=20)
@given(st.floats(0, 1, exclude_max=True))
def test_a_pack_cut_short_anywhere_is_refused(
    original: Path, tmp_path_factory: pytest.TempPathFactory, at: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "packed.h5"
    data = original.read_bytes()
    path.write_bytes(data[: int(at * len(data))])
    with pytest.raises(FeatvizError, match=r"packed\.h5 is"):
        Store(path)


def repaint(file: h5py.File) -> None:
    file["renders/images"][3, 1, 2, 2, 0] ^= 1


def exchange_addresses(file: h5py.File) -> None:
    file["renders/address"][:2] = file["renders/address"][:2][::-1]


def exchange_rows(file: h5py.File) -> None:
    for dataset in file["renders"].values():
        dataset[:2] = dataset[:2][::-1]


def change_an_error(file: h5py.File) -> None:
    errors = file["failures/error"]
    errors[0] = np.array([b"it is all right"], errors.dtype)[0]


def drop_a_kind(file: h5py.File) -> None:
    del file["failures"]


def rename_the_model(file: h5py.File) -> None:
    file.attrs.modify("model", np.bytes_(b"cueworld/cnn"))


def rewrite_history(file: h5py.File) -> None:
    text = bytes(file.attrs["store"]).replace(b'"steps": 4', b'"steps": 5')
    file.attrs.modify("store", np.bytes_(text))


@pytest.mark.parametrize(
    "edit",
    [
        repaint,
        exchange_addresses,
        exchange_rows,
        change_an_error,
        drop_a_kind,
        rename_the_model,
        rewrite_history,
    ],
)
def test_a_pack_that_someone_edited_is_found(
    packed: Path, edit: Callable[[h5py.File], None]
) -> None:
    before = packed.read_bytes()
    with h5py.File(packed, "r+") as file:
        edit(file)
    assert packed.read_bytes() != before
    assert problems(packed)


def test_every_invalid_row_is_reported(packed: Path) -> None:
    with h5py.File(packed, "r+") as file:
        file["renders/activation"][1:3] += 1
        file["failures/error"][1] = b""
    addresses = ["head:1", *Store(packed).addresses()[1:3]]
    assert Store(packed).verify() == [
        f"{packed} is damaged: {address} is not what was written" for address in addresses
    ]


@pytest.mark.parametrize("content", [b"", b"GIF89a", SIGNATURE])
def test_a_file_that_is_not_a_pack_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.gif"
    path.write_bytes(content)
    with pytest.raises(FeatvizError, match=r"picture\.gif is (not a featviz store|damaged): "):
        Store(path)


def test_a_shard_or_any_other_hdf5_file_is_no_pack(store: Store, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    for path in (tmp_path / "weights.h5", next((store.path / "shards").iterdir())):
        with pytest.raises(FeatvizError) as raised:
            Store(path)
        assert (
            str(raised.value)
            == f"{path} is not a featviz store: it was not written by `featviz pack`"
        )
