"""Galleries show the numbers and the pictures that those of version 0.1 showed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import gallery
from featviz import Store
from tests.golden.commands import STORES, TRACES
from tests.golden.numbers import differences
from tests.golden.pages import Units, pixels, scripts, seen, summary
from tests.golden.running import golden, unpack

SHOWN = [store for store in STORES if store not in TRACES]
RELATIVE, ABSOLUTE = 2e-3, 1e-6  # pages have four or five digits
CELL = 96  # pixels of a cell of the sheets of then; no other picture's size is a multiple of it
LEVELS = 2  # by which the means of a picture may differ, since encoders do


@pytest.mark.parametrize("store", SHOWN)
def test_a_gallery_has_the_units_numbers_and_pictures_of_then(store: str, folder: Path) -> None:
    unpack(store, folder)
    exported = gallery.export([store], "site")
    then, today = golden("galleries")[store], summary(folder / "site")
    assert (exported.units, exported.warnings) == (len(then["units"]), ())
    assert list(today["units"]) == list(then["units"])
    for address, unit in then["units"].items():
        columns = (unit["columns"], today["units"][address]["columns"])
        assert list(differences(*columns, RELATIVE, ABSOLUTE)) == []
        assert missing(unit["details"], today["units"][address]["details"]) == []
    for name, numbers in then["sections"].items():
        lost = [missing(numbers, others) for others in today["sections"].values()]
        assert [] in lost, f"section {name} lost {min(lost, key=len, default='everything')}"
    sheets = [seen(path) for path in (folder / "site").rglob("sheets/*.webp")]
    left, lost = [picture for picture in today["pictures"] if picture not in sheets], []
    for picture in then["pictures"]:
        same = [other for other in left if alike(picture, other)]
        (left.remove(same[0]) if same else lost.append(picture))
    assert left == []
    # Sheets are smaller now, and grids are drawn from their numbers.
    lost = [picture for picture in lost if picture[0] % CELL or picture[1] % CELL]
    assert len(lost) == (
        len(Store(store).addresses("grids")) if "grids" in Store(store).kinds else 0
    ), lost


@pytest.mark.parametrize("store", ["evidence", "samples", "units"])
def test_each_unit_has_the_pictures_of_its_store_to_the_last_bit(store: str, folder: Path) -> None:
    unpack(store, folder)
    gallery.export([store], "site")
    opened, seen = Store(store), 0
    for address, rows in Units(scripts(folder / "site")).renders.items():
        kinds = [kind for kind in ("renders", "sides") if address in opened.addresses(kind)]
        for kind, (_, row, samples, _) in zip(kinds, rows, strict=True):
            images = opened.row(address, kind)["images"]
            assert len(images) == samples
            for place in np.ndindex(images.shape[:-3]):
                name = "-".join(map(str, (row, *place)))
                (path,) = (folder / "site").rglob(f"pictures/{name}.webp")
                assert np.array_equal(pixels(path), images[place])
                seen += 1
    assert seen == len(list((folder / "site").rglob("pictures/*.webp")))


def missing(then: Sequence[float], today: Sequence[float]) -> list[float]:
    """List the numbers that are not among others, each as often; both are in ascending order."""
    left, gone = iter(today), list[float]()
    head = next(left, None)
    for number in then:
        room = ABSOLUTE + RELATIVE * abs(number)
        while head is not None and head < number - room:
            head = next(left, None)
        if head is not None and head <= number + room:
            head = next(left, None)
        else:
            gone.append(number)
    return gone


def alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether pictures have one size and about the same colours."""
    return one[:2] == other[:2] and all(
        abs(a - b) <= LEVELS for a, b in zip(one[2:], other[2:], strict=True)
    )
