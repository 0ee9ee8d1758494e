"""Forged stores that would read other files or exhaust memory are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.forging import rebuild, reforge
from tests.featviz.store.made_stores import BATCHES, renders, shards, writer

SECRET = b"the contents of some other file, longer than a picture" * 9


def external_group(file: h5py.File) -> None:
    del file["renders"]
    file["renders"] = h5py.ExternalLink("/other.h5", "renders")


def soft_link(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders/images"] = h5py.SoftLink("/renders/activation")


def external_column(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders/images"] = h5py.ExternalLink("/other.h5", "images")


def external_storage(file: h5py.File) -> None:
    secret = Path(file.filename).parent.parent / "secret"
    secret.write_bytes(SECRET)
    data = file["renders/images"]
    shape = data.shape
    del file["renders/images"]
    file["renders"].create_dataset("images", shape, "u1", external=[(str(secret), 0, 420)])


def virtual_dataset(file: h5py.File) -> None:
    shape = file["renders/images"].shape
    del file["renders/images"]
    layout = h5py.VirtualLayout(shape, "u1")
    layout[:] = h5py.VirtualSource("/other.h5", "images", shape)
    file["renders"].create_virtual_dataset("images", layout)


def compressed(file: h5py.File) -> None:
    rebuild(file["renders"], "images", compression="gzip")


def enormous(file: h5py.File) -> None:
    del file["renders"]["address"]
    file["renders"].create_dataset("address", (2**40,), "S100", chunks=(1,))


def group(file: h5py.File) -> None:
    del file["renders/images"]
    file["renders"].create_group("images")


def references(file: h5py.File) -> None:
    file["renders"].create_dataset("refs", data=[file.ref, file.ref], dtype=h5py.ref_dtype)


def variable_length_text(file: h5py.File) -> None:
    rebuild(file["renders"], "address", dtype=h5py.string_dtype())


def wrong_dtype(file: h5py.File) -> None:
    rebuild(file["renders"], "activation", data=np.zeros((2, 2)))


def wrong_length(file: h5py.File) -> None:
    rebuild(file["renders"], "trajectory", data=np.zeros((3, 2, 4), np.float32))


def missing_column(file: h5py.File) -> None:
    del file["renders/trajectory"]


def not_finite(file: h5py.File) -> None:
    file["renders/activation"][1, 1] = np.inf


def other_addresses(file: h5py.File) -> None:
    addresses = file["renders/address"]
    addresses[:] = np.array([b"blocks.2.mlp.fc1:10", b"blocks.2.mlp.fc1:8"], addresses.dtype)


def newer_format(file: h5py.File) -> None:
    file.attrs["format-version"] = 2


def other_encoding(file: h5py.File) -> None:
    file["renders"].attrs["encoding-version"] = np.bytes_(b"2")


FORGERIES: list[tuple[Callable[[h5py.File], None], str]] = [
    (external_group, "it has no renders"),
    (soft_link, "renders/images is not a plain column"),
    (external_column, "renders/images is not a plain column"),
    (external_storage, "renders/images is not a plain column"),
    (virtual_dataset, "renders/images is not a plain column"),
    (compressed, "renders/images is compressed"),
    (enormous, "renders/address is incomplete"),
    (group, "renders/images is not a plain column"),
    (references, "renders/refs is not a plain column"),
    (variable_length_text, "renders/address is not a plain column"),
    (wrong_dtype, "renders/activation is <f8 (2, 2)"),
    (wrong_length, "renders/trajectory is <f4 (3, 2, 4)"),
    (missing_column, "renders has no column 'trajectory'"),
    (not_finite, "the activation of blocks.2.mlp.fc1:9 is not finite"),
    (other_addresses, "its addresses are not those that were written"),
    (newer_format, "it is of store format 2 and not 1"),
    (other_encoding, "its encoding is featviz-renders 2 and not featviz-renders 1"),
]


@pytest.mark.parametrize(
    ("edit", "reason"), FORGERIES, ids=[edit.__name__ for edit, _ in FORGERIES]
)
def test_a_forged_shard_whose_name_matches_its_digest_is_refused(
    tmp_path: Path, edit: Callable[[h5py.File], None], reason: str
) -> None:
    path = tmp_path / "store"
    writer(path).add(renders(BATCHES[0]))
    forged = reforge(shards(path)[0], edit)
    assert Store(path).verify() == [f"{forged} is damaged: {reason}"]
    with pytest.raises(FeatvizError, match="is damaged"):
        writer(path)
    if edit is not not_finite:  # which only `verify` and a resumed job check
        with pytest.raises(FeatvizError, match="is damaged"):
            list(Store(path).rows())


STRUCTURE = [each for each in FORGERIES if each[1].startswith("renders")]


@pytest.mark.parametrize(
    ("edit", "reason"), STRUCTURE, ids=[edit.__name__ for edit, _ in STRUCTURE]
)
def test_a_forged_packed_store_is_refused_when_opened(
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
