from __future__ import annotations

from pathlib import Path

import pytest

import gallery
from gallery.build.size_estimate import Estimate
from tests.gallery.made_stores import write_store
from tests.gallery.results import LOGIT, sides, write_results


@pytest.mark.parametrize("thumbnails_only", [False, True])
def test_the_estimate_is_near_what_units_then_take(thumbnails_only: bool, tmp_path: Path) -> None:
    addresses = [f"head:{i}" for i in range(200)]
    stores = [
        write_store(tmp_path / "a", addresses, settings={"samples": 2}),
        write_results(tmp_path / "b", "sides", sides([LOGIT]), {"steps": 3}),
    ]
    announced: list[Estimate] = []
    made = gallery.export(
        stores, tmp_path / "site", announce=announced.append, thumbnails_only=thumbnails_only
    )
    (found,) = announced
    assert (found.units, found.pictures) == (made.units, made.pictures)
    folder = tmp_path / "site/data-1/1"
    parts = ("pictures", "sheets", "details")
    written = sum(f.stat().st_size for part in parts for f in folder.glob(f"{part}/*"))
    assert 0.5 < found.bytes / written < 1.5


def test_the_estimate_is_announced_before_files_are_written_and_only_then(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1"])
    there: list[bool] = []

    def announce(_: Estimate) -> None:
        there.append(any((tmp_path / "site/data-1").iterdir()))

    for _ in range(2):
        gallery.export([store], tmp_path / "site", announce=announce)
    assert there == [False]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (412_345_678, "1,536 units, 3,072 pictures, about 412 MB"),
        (45_678, "1,536 units, 3,072 pictures, about 0.046 MB"),
    ],
)
def test_it_is_written_for_people(size: int, text: str) -> None:
    assert str(Estimate(1536, 3072, size)) == text
