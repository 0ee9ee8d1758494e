"""Averages in a store, against those of the same table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from featviz import Store
from featviz.store.writer import StoreWriter
from patching.effects.averages import Average, Group, averages, groups
from patching.effects.report import summarize
from patching.effects.stored_averages import (
    LEAST,
    Pixels,
    store_averages,
    stored_images,
    token_layout,
)
from patching.effects.table import Table, read_traces
from patching.effects.typical_images import typical
from patching.sweeps.job import _columns, _site_columns
from tests.patching.tables import METRIC, table

CLASSES = ("one", "two", "two")  # two classes of one name


def pictures(index: int) -> list[Pixels]:
    return [np.full((4, 4, 3), index, np.uint8), np.zeros((4, 4, 3), np.uint8)]


def write(path: Path, made: Table) -> StoreWriter:
    writer = StoreWriter(
        path,
        model="m",
        fingerprint="ab" * 32,
        load={},
        sites=["head"],
        kind="traces",
        configuration={"mode": made.mode, "metrics": list(METRIC), "classes": list(CLASSES)},
    )
    writer.add(_site_columns(made.sites), "trace_sites")
    writer.add(_columns(made))
    return writer


def rows(path: Path) -> dict[str, Any]:
    return {row["address"]: row for row in Store(path).rows("effects")}


def stacked(average: Average, name: str) -> NDArray[np.float32]:
    found = getattr(average, name)
    return np.stack([found.estimate, found.low, found.high], axis=1).astype(np.float32)


def test_stored_averages_equal_those_of_the_table_exactly(tmp_path: Path) -> None:
    store_averages(write(tmp_path / "s", table(40)), CLASSES, (2, 3), 1, pictures)
    stored = rows(tmp_path / "s")
    right = read_traces(tmp_path / "s").only_right()
    wanted = averages(right, groups(CLASSES))
    keys = ["all", "class.0", "class.1", "class.2"]
    assert sorted(stored) == sorted(f"{key}:{metric}" for key in keys for metric in METRIC)
    for average, (key, metric) in zip(
        wanted, ((key, metric) for key in keys for metric in METRIC), strict=True
    ):
        row = stored[f"{key}:{metric}"]
        assert (row["group"], row["kind"], row["metric"]) == (
            average.group.name,
            average.group.kind,
            average.metric,
        )
        assert row["images"] == average.count
        assert row["clean"] == np.float32(average.clean)
        assert row["corrupted"] == np.float32(average.corrupted)
        np.testing.assert_array_equal(row["total"], stacked(average, "total")[0])
        np.testing.assert_array_equal(row["effect"], stacked(average, "effect"))
        np.testing.assert_array_equal(row["share"], stacked(average, "share"))
    assert token_layout(Store(tmp_path / "s")) == ((2, 3), 1)


def test_intervals_of_a_site_do_not_depend_on_the_windows_averaged_with_it(tmp_path: Path) -> None:
    store_averages(write(tmp_path / "s", table(40)), CLASSES, None, 1, pictures)
    stored = rows(tmp_path / "s")
    right = read_traces(tmp_path / "s").only_right()
    for each in summarize(right, CLASSES):
        here = right.sites.window == each.window
        found = stored[f"all:{each.average.metric}"]["effect"][here]
        np.testing.assert_array_equal(found, stacked(each.average, "effect"))
    assert token_layout(Store(tmp_path / "s")) == (None, 1)


def test_small_classes_have_no_averages_of_their_own(tmp_path: Path) -> None:
    made = table(2 * LEAST)
    made.right[:] = True
    made.label[:] = [0] * (LEAST - 1) + [1] * (LEAST + 1)
    store_averages(write(tmp_path / "s", made), CLASSES, None, 1, pictures)
    assert {row["group"] for row in rows(tmp_path / "s").values()} == {"all", "two"}


def test_averages_over_all_images_are_added_once_and_leave_the_others(tmp_path: Path) -> None:
    made = table(24)
    writer = write(tmp_path / "s", made)
    for _ in range(2):
        store_averages(writer, CLASSES, None, 1, pictures)
        before = sorted(path.name for path in (tmp_path / "s" / "shards").iterdir())
    store_averages(writer, CLASSES, None, 1, pictures, all_images=True)
    after = sorted(path.name for path in (tmp_path / "s" / "shards").iterdir())
    assert len(after) == len(before) + 1
    store_averages(writer, CLASSES, None, 1, pictures, all_images=True)
    assert sorted(path.name for path in (tmp_path / "s" / "shards").iterdir()) == after
    stored = rows(tmp_path / "s")
    assert stored["all:logit"]["images"] == made.right.sum() == 18
    assert stored["all:logit@all-images"]["images"] == 24
    assert Store(tmp_path / "s").verify() == []


def test_without_a_correctly_classified_image_there_are_no_averages(tmp_path: Path) -> None:
    made = table(6)
    made.right[:] = False
    writer = write(tmp_path / "s", made)
    store_averages(writer, CLASSES, None, 1, pictures)
    assert set(Store(tmp_path / "s").kinds) == {"traces", "trace_sites"}


def test_shares_of_a_total_effect_that_may_be_zero_are_unknown(tmp_path: Path) -> None:
    made = table(24)
    made = replace(made, corrupted=made.clean + np.resize([-0.1, 0.1, 0.02], 24))
    store_averages(write(tmp_path / "s", made), CLASSES, None, 1, pictures)
    assert np.isnan(rows(tmp_path / "s")["all:logit"]["share"]).all()


@pytest.mark.parametrize("mode", ["denoising", "noising"])
def test_typical_images_are_stored_with_their_own_effects(mode: Any, tmp_path: Path) -> None:
    store_averages(write(tmp_path / "s", table(40, mode)), CLASSES, None, 1, pictures)
    right = read_traces(tmp_path / "s").only_right()
    chosen = {f"image:{right.image[i]}": i for i in typical(right)}
    assert len(chosen) == 3
    for row in Store(tmp_path / "s").rows("trace_images"):
        i = chosen.pop(row["address"])
        assert row["label"] == right.label[i]
        np.testing.assert_array_equal(row["effect"], right.effect[:, :, i].astype(np.float32))
        np.testing.assert_array_equal(row["images"], pictures(int(right.image[i])))
    assert not chosen
    assert len(stored_images(Store(tmp_path / "s"))) == 3


def test_further_groups_are_added_to_a_finished_store_once(tmp_path: Path) -> None:
    writer = write(tmp_path / "s", table(40))
    store_averages(writer, CLASSES, (2, 3), 1, pictures)
    before = rows(tmp_path / "s")
    left = Group("attribute", "side: left/@", images=frozenset(range(10, 30)))
    one = groups(CLASSES)[1]
    right = read_traces(tmp_path / "s").only_right()
    first = Group("attribute", "0", images=frozenset(right.image[right.label == 0].tolist()))
    whole = Group("difference", "0 minus two", parts=(first, groups(CLASSES)[2]))
    for _ in range(2):
        store_averages(writer, CLASSES, (2, 3), 1, pictures, more=[left, one, whole])
        after = rows(tmp_path / "s")
        assert set(before) < set(after)
        added = [after[key] for key in after if key not in before]
        assert sorted((row["kind"], row["group"], row["metric"]) for row in added) == sorted(
            (group.kind, group.name, metric) for group in (left, whole) for metric in METRIC
        )
    (wanted,) = (each for each in averages(right, [whole]) if each.metric == METRIC[0])
    (row,) = (r for r in added if (r["kind"], r["metric"]) == ("difference", METRIC[0]))
    np.testing.assert_array_equal(row["effect"], stacked(wanted, "effect"))
    # The same name for other images is another group.
    other = replace(left, images=frozenset(range(12, 20)))
    store_averages(writer, CLASSES, (2, 3), 1, pictures, more=[other])
    assert len(rows(tmp_path / "s")) == len(after) + len(METRIC)
