"""Stores of version 0.1 are read, resumed, checked and packed as they were then."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from featviz import Store
from patching import read_traces
from tests.golden.commands import GOLDEN, PRINTED, STORES, TRACES, words
from tests.golden.numbers import differences, shortened
from tests.golden.running import featviz, golden, tree, unpack

RELATIVE, ABSOLUTE = 2e-5, 1e-9
"""Of numbers that are read from a store or are statistics of such."""


@pytest.mark.parametrize("store", STORES)
def test_the_commands_that_made_a_store_find_all_done_and_print_the_same(
    store: str, folder: Path
) -> None:
    before = tree(unpack(store, folder))
    expected = golden("printed")[store]
    found = {line: shortened(featviz(*words(line, store))) for line in expected}
    after = tree(folder / store)
    # `examples` and `trace` add what 0.1 did not store.
    kinds = "example_maps|profiles|effects|trace_images"
    added = {name for name in after if re.search(rf"shards/({kinds})-\w+\.h5$", name)}
    assert len(added) == (2 if {"examples", "traces"} & set(Store(store).kinds) else 0)
    after = {name: digest for name, digest in after.items() if name not in added}
    # Nor did it record the place of a model in a folder.
    if added or Store(store).location is not None:
        for report, files in ((expected, before), (found, after)):
            report["info {store}"].pop("bytes")
            files.pop("store.json")
    assert list(differences(expected, found, RELATIVE, ABSOLUTE)) == []
    assert after == before


@pytest.mark.parametrize("store", STORES)
def test_a_store_is_whole_and_packed_holds_the_same(store: str, folder: Path) -> None:
    unpack(store, folder)
    assert featviz("verify", store, "--json") == {"store": store, "problems": []}
    featviz("pack", store, "packed.h5")
    assert featviz("verify", "packed.h5", "--json") == {"store": "packed.h5", "problems": []}
    same(Store("packed.h5"), Store(store))


def test_a_packed_store_is_read_and_has_the_digest_of_one_packed_today(folder: Path) -> None:
    unpack("pixel", folder)
    featviz("verify", GOLDEN / "pixel.h5")
    same(Store(GOLDEN / "pixel.h5"), Store("pixel"))
    featviz("pack", "pixel", "today.h5")
    with h5py.File("today.h5") as today, h5py.File(GOLDEN / "pixel.h5") as then:
        assert dict(today.attrs) == dict(then.attrs)
        assert today["renders"].attrs["encoding-type"] == then["renders"].attrs["encoding-type"]
        assert np.array_equal(today["renders"]["digest"][:], then["renders"]["digest"][:])


@pytest.mark.parametrize("store", TRACES)
def test_the_table_of_traces_as_csv_has_the_numbers_of_then(store: str, folder: Path) -> None:
    read_traces(unpack(store, folder)).to_csv("today.csv")
    assert lines(folder / "today.csv") == lines(GOLDEN / f"{store}.csv")


def test_commands_without_a_store_print_the_same(folder: Path) -> None:
    then = golden("printed")[""]
    found = {line: featviz(*words(line)) for line in PRINTED}
    for line, printed in found.items():
        if line.startswith("units") and ":" not in line:
            # Without the activations of blocks, which 0.1 did not have.
            known = {site["path"] for site in then[line]}
            found[line] = [site for site in printed if site["path"] in known]
    found = {line: shortened(printed) for line, printed in found.items()}
    assert list(differences(then, found, 1e-4, 1e-5)) == []


def lines(path: Path) -> list[list[str | float]]:
    """Read CSV; numbers as float32."""
    return [[_cell(cell) for cell in line.split(",")] for line in path.read_text().splitlines()]


def _cell(text: str) -> str | float:
    try:
        return float(f"{float(text):.6g}")
    except ValueError:
        return text


def same(one: Store, other: Store) -> None:
    """Hold two stores to the same rows, to the last bit."""
    assert one.kinds == other.kinds
    for kind in one.kinds:
        for row, its in zip(one.rows(kind), other.rows(kind), strict=True):
            assert row.keys() == its.keys()
            for column in row:
                np.testing.assert_array_equal(row[column], its[column])
