"""What tells that a store, or a row of it, is another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.made_stores import renders, whole_store, writer


def test_rows_are_read_by_address_in_the_requested_order(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    wanted = [*reversed(store.addresses())][::2]
    assert [row["address"] for row in store.rows("renders", wanted)] == wanted
    with pytest.raises(FeatvizError, match=r"has no patch_embed:4 in renders.*patch_embed:3"):
        list(store.rows("renders", ["patch_embed:4"]))


@pytest.mark.parametrize("packed", [False, True])
def test_every_row_has_a_key_of_its_own_that_stays(packed: bool, tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    if packed:
        pack(store, tmp_path / "all.h5")
        store = Store(tmp_path / "all.h5")
    keys = store.keys()
    assert list(keys) == store.addresses()
    assert len(set(keys.values())) == len(keys)
    assert Store(store.path).keys() == keys
    assert Store(store.path).state == store.state


def test_new_rows_change_the_state_and_no_key_that_is_there(tmp_path: Path) -> None:
    before = whole_store(tmp_path / "store")
    keys, state = before.keys(), before.state
    writer(tmp_path / "store").add(renders(["head:5"]))
    after = Store(tmp_path / "store")
    assert after.state != state
    assert {address: after.keys()[address] for address in keys} == keys
    assert set(after.keys()) - set(keys) == {"head:5"}


def test_another_picture_of_a_unit_has_another_key(tmp_path: Path) -> None:
    other = renders(["head:5"])
    other["images"] = other["images"] ^ 1
    for name, columns in (("a", renders(["head:5"])), ("b", other)):
        writer(tmp_path / name).add(columns)
        pack(Store(tmp_path / name), tmp_path / f"{name}.h5")
    for one, two in (("a", "b"), ("a.h5", "b.h5")):
        first, second = Store(tmp_path / one), Store(tmp_path / two)
        assert first.keys()["head:5"] != second.keys()["head:5"]
        assert first.state != second.state
