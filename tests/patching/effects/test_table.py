"""The table of effects: its rows, its selections, and its files."""

from __future__ import annotations

import csv
import re
from dataclasses import astuple, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz import FeatvizError
from patching.effects.table import Row, Table, joined
from tests.patching.tables import METRIC, sites, table


def same(one: Table, other: Table) -> bool:
    pairs = zip(_flat(one), _flat(other), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


def _flat(one: Table) -> list[Any]:
    parts = [getattr(one, name) for name in one.__dataclass_fields__ if name != "sites"]
    return [*parts, *astuple(one.sites)]


def test_the_long_table_has_a_row_for_every_image_site_and_metric() -> None:
    made = table()
    rows = list(made.rows())
    assert len(rows) == len(made) == 6 * 4 * 2
    every = product(range(6), enumerate(made.sites), enumerate(METRIC))
    for row, (image, (place, site), (index, metric)) in zip(rows, every, strict=True):
        assert row[:8] == (10 + image, image % 3, *site, metric)
        assert row.clean == made.clean[index, image]
        assert row.corrupted == made.corrupted[index, image]
        assert row.restored == made.restored[index, place, image]


def test_effects_are_the_patched_run_less_the_one_that_is_patched() -> None:
    for row in table(mode="denoising").rows():
        assert row.effect == row.restored - row.corrupted
    for row in table(mode="noising").rows():
        assert row.effect == row.restored - row.clean


def test_swapping_the_roles_swaps_the_baselines() -> None:
    one = table()
    other = replace(one, mode="noising", clean=one.corrupted, corrupted=one.clean)
    assert np.array_equal(one.base, other.base)
    assert np.array_equal(one.effect, other.effect)
    assert np.array_equal(one.total, other.total)


def test_a_full_patch_has_the_total_effect_in_either_mode() -> None:
    for mode, donor in (("denoising", "clean"), ("noising", "corrupted")):
        made = table(mode=mode)  # type: ignore[arg-type]
        full = replace(made, restored=np.repeat(getattr(made, donor)[:, None], 4, axis=1))
        np.testing.assert_array_equal(full.effect, np.repeat(made.total[:, None], 4, axis=1))


def test_a_clean_run_that_is_the_corrupted_one_has_no_effects() -> None:
    made = table()
    equal = replace(made, corrupted=made.clean, restored=np.repeat(made.clean[:, None], 4, axis=1))
    assert not equal.effect.any()
    assert not equal.total.any()


def test_selecting_is_filtering_the_rows() -> None:
    made = table()
    for wanted, keep in (
        ({"site": "z"}, lambda row: row.site == "z"),
        ({"layer": range(4)}, lambda row: row.layer < 4),
        ({"head": 1}, lambda row: row.head == "1"),
        ({"head": "all", "window": 1}, lambda row: row.head == "all" and row.window == 1),
        ({"token": ["class", 7]}, lambda row: row.token in ("class", "7")),
        ({"metric": "logit", "site": {"z"}}, lambda row: row[2] == "z" and row.metric == "logit"),
    ):
        found = list(made.select(**wanted).rows())
        assert found
        assert found == [row for row in made.rows() if keep(row)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"block": 3}, "sites have site, layer, head, token, window and metric, and no block"),
        ({"layer": (7, 8)}, "no site has layer 7, 8"),
        ({"site": "z", "head": "all"}, "no site has site z, head all at once"),
    ],
)
def test_selecting_nothing_is_a_mistake(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        table().select(**wanted)


def test_only_right_images_are_kept_and_the_others_counted() -> None:
    made = table(9).only_right()
    assert made.image.tolist() == [10, 11, 12, 14, 15, 16, 18]
    assert made.left_out == 2
    assert made.right.all()
    assert list(made.rows()) == [row for row in table(9).rows() if row.image not in (13, 17)]
    assert made.only_right().left_out == 2


def test_tables_of_parts_are_joined_to_the_table_of_the_whole() -> None:
    whole = table(9)
    parts = [whole.images(np.arange(9) // 4 == part) for part in range(3)]
    assert [len(part.image) for part in parts] == [4, 4, 1]
    assert same(joined(parts), whole)
    counted = joined([part.only_right() for part in parts])
    assert counted.left_out == 2
    assert same(counted, whole.only_right())


def test_tables_that_do_not_belong_together_are_not_joined() -> None:
    one = table()
    moved = replace(one.sites, window=one.sites.window + 2)
    for other in (
        table(mode="noising", first=20),
        replace(table(first=20), metric=("probability", "kl")),
        replace(table(first=20), sites=moved),
    ):
        with pytest.raises(FeatvizError, match="other modes, metrics or sites"):
            joined([one, other])
    with pytest.raises(FeatvizError, match="an image is in two"):
        joined([one, table(first=15)])
    with pytest.raises(FeatvizError, match="no effects to join"):
        joined([])


def test_a_csv_file_holds_every_number_exactly(tmp_path: Path) -> None:
    made = table()
    made.to_csv(tmp_path / "effects.csv")
    with (tmp_path / "effects.csv").open(newline="") as file:
        heading, *lines = csv.reader(file)
    assert tuple(heading) == Row._fields
    kinds = (int, int, str, int, str, str, int, str, float, float, float, float)
    read = [tuple(kind(cell) for kind, cell in zip(kinds, line, strict=True)) for line in lines]
    assert read == list(made.rows())


def test_a_csv_file_does_not_replace_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("kept")
    with pytest.raises(FeatvizError, match=re.escape("mine.csv is there already")):
        table().to_csv(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "kept"
    with pytest.raises(FeatvizError, match="cannot write"):
        table().to_csv(tmp_path / "missing" / "effects.csv")


def test_sites_are_listed_as_they_are_held() -> None:
    assert len(sites()) == 4
    assert list(sites())[2] == ("z", 4, "1", "class", 1)
