"""Stores made to read other files, take all memory or run forever are refused unread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.forging import rebuild, reforge
from tests.featviz.made_stores import BATCHES, renders, shards, writer

SECRET = b"the contents of some other file, longer than a picture" * 9


def point_outside(file: h5py.File) -> None:
    del file["renders"]
    file["renders"] = h5py.ExternalLink("/other.h5", "renders")


def link_softly(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders/images"] = h5py.SoftLink("/renders/activation")


def link_a_column_outside(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders/images"] = h5py.ExternalLink("/other.h5", "images")


def read_another_file(file: h5py.File) -> None:
    secret = Path(file.filename).parent.parent / "secret"
    secret.write_bytes(SECRET)
    data = file["renders/images"]
    shape = data.shape
    del file["renders/images"]
    file["renders"].create_dataset("images", shape, "u1", external=[(str(secret), 0, 420)])


def be_virtual(file: h5py.File) -> None:
    shape = file["renders/images"].shape
    del file["renders/images"]
    layout = h5py.VirtualLayout(shape, "u1")
    layout[:] = h5py.VirtualSource("/other.h5", "images", shape)
    file["renders"].create_virtual_dataset("images", layout)


def be_compressed(file: h5py.File) -> None:
    rebuild(file["renders"], "images", compression="gzip")


def be_enormous(file: h5py.File) -> None:
    del file["renders"]["address"]
    file["renders"].create_dataset("address", (2**40,), "S100", chunks=(1,))


def be_a_group(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders"].create_group("images")


def be_references(file: h5py.File) -> None:
    file["renders"].create_dataset("refs", data=[file.ref, file.ref], dtype=h5py.ref_dtype)


def be_text_in_the_heap(file: h5py.File) -> None:
    rebuild(file["renders"], "address", dtype=h5py.string_dtype())


def be_of_another_type(file: h5py.File) -> None:
    rebuild(file["renders"], "activation", data=np.zeros((2, 2)))


def be_of_another_length(file: h5py.File) -> None:
    rebuild(file["renders"], "trajectory", data=np.zeros((3, 2, 4), np.float32))


def lack_a_column(file: h5py.File) -> None:
    del file["renders/trajectory"]


def be_not_a_number(file: h5py.File) -> None:
    file["renders/activation"][1, 1] = np.inf


def have_other_addresses(file: h5py.File) -> None:
    addresses = file["renders/address"]
    addresses[:] = np.array([b"blocks.2.mlp.fc1:10", b"blocks.2.mlp.fc1:8"], addresses.dtype)


def be_newer(file: h5py.File) -> None:
    file.attrs["format-version"] = 2


def be_of_another_encoding(file: h5py.File) -> None:
    file["renders"].attrs["encoding-version"] = np.bytes_(b"2")


FORGERIES: list[tuple[Callable[[h5py.File], None], str]] = [
    (point_outside, "it holds no renders"),
    (link_softly, "renders/images is no plain column"),
    (link_a_column_outside, "renders/images is no plain column"),
    (read_another_file, "renders/images is no plain column"),
    (be_virtual, "renders/images is no plain column"),
    (be_compressed, "renders/images is compressed"),
    (be_enormous, "renders/address is not whole"),
    (be_a_group, "renders/images is no plain column"),
    (be_references, "renders/refs is no plain column"),
    (be_text_in_the_heap, "renders/address is no plain column"),
    (be_of_another_type, "renders/activation is <f8 (2, 2)"),
    (be_of_another_length, "renders/trajectory is <f4 (3, 2, 4)"),
    (lack_a_column, "renders has no column 'trajectory'"),
    (be_not_a_number, "the activation of blocks.2.mlp.fc1:9 is not finite"),
    (have_other_addresses, "its addresses are not those that were written"),
    (be_newer, "it is of store format 2 and not 1"),
    (be_of_another_encoding, "its encoding is featviz-renders 2 and not featviz-renders 1"),
]


@pytest.mark.parametrize(
    ("edit", "reason"), FORGERIES, ids=[edit.__name__ for edit, _ in FORGERIES]
)
def test_a_forged_shard_under_an_honest_name_is_refused(
    tmp_path: Path, edit: Callable[[h5py.File], None], reason: str
) -> None:
    path = tmp_path / "store"
    writer(path).add(renders(BATCHES[0]))
    forged = reforge(shards(path)[0], edit)
    assert Store(path).verify() == [f"{forged} is damaged: {reason}"]
    with pytest.raises(FeatvizError, match="is damaged"):
        writer(path)
    if edit is not be_not_a_number:  # which only `verify` and a resumed job look at
        with pytest.raises(FeatvizError, match="is damaged"):
            list(Store(path).rows())


STRUCTURE = [each for each in FORGERIES if each[1].startswith("renders")]


@pytest.mark.parametrize(
    ("edit", "reason"), STRUCTURE, ids=[edit.__name__ for edit, _ in STRUCTURE]
)
def test_a_forged_pack_is_refused_when_it_is_opened(
    tmp_path: Path, edit: Callable[[h5py.File], None], reason: str
) -> None:
    writer(tmp_path / "store").add(renders(BATCHES[0]))
    target = tmp_path / "packed.h5"
    pack(Store(tmp_path / "store"), target)
    with h5py.File(target, "r+") as file:
        edit(file)
    with pytest.raises(FeatvizError) as raised:
        Store(target)
    assert str(raised.value) == f"{target} is damaged: {reason}"
