from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gallery
from featviz.errors import FeatvizError
from gallery.units.label_file import MAX_BYTES, UnitLabel, read_labels
from tests.gallery.made_stores import FINGERPRINT, write_store
from tests.gallery.test_exporter import data


def written(path: Path, labels: Any, **changes: Any) -> Path:
    file = {"format": "featviz-labels", "version": 1, "labels": labels} | changes
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def test_labels_and_favorites_are_read_as_exported_by_a_page(tmp_path: Path) -> None:
    entries = {
        "head:1": {"label": " stripes ", "favourite": True},
        "head:2": {"label": "dots"},
        "head:3": {"favourite": True},
    }
    labels = read_labels(written(tmp_path / "l.json", entries, model="deit", weights="3f" * 32))
    assert labels.units == {
        "head:1": UnitLabel("stripes", True),
        "head:2": UnitLabel("dots", False),
        "head:3": UnitLabel("", True),
    }
    assert (labels.model, labels.weights) == ("deit", "3f" * 32)


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        ({}, {"format": "other"}, 'its "format" is not "featviz-labels"'),
        ({}, {"version": 2}, "labels of version 2; this version of featviz reads version 1"),
        ([], {}, 'it has no object "labels"'),
        ({}, {"model": 3}, '"model" is not a string'),
        ({}, {"weights": ["3fa9"]}, '"weights" is not a string'),
        ({"head:1": "dots"}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"label": 3}}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"favourite": 1}}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"label": "x" * 501}}, {}, "head:1' has 501 characters; the maximum is 500"),
        ({"head:1": {"label": "\U0001f600" * 251}}, {}, "has 502 characters"),
    ],
)
def test_the_error_of_an_invalid_file_is_one_line_with_the_reason(
    labels: Any, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "l.json", labels, **changes)
    with pytest.raises(FeatvizError) as caught:
        read_labels(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "l.json").write_bytes(content)
    with pytest.raises(FeatvizError, match=r"l\.json is not a label file"):
        read_labels(tmp_path / "l.json")


def test_a_missing_or_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"cannot read .*none: No such file"):
        read_labels(tmp_path / "none")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(FeatvizError, match="huge is larger than 64 MB"):
        read_labels(tmp_path / "huge")


def test_a_page_has_the_labels_of_its_own_units(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1", "head:2", "patch_embed:3"])
    file = {"head:2": {"label": "dots"}, "patch_embed:3": {"favourite": True}, "head:9": {}}
    labels = written(tmp_path / "l.json", {k: v or {"label": "x"} for k, v in file.items()})
    gallery.export([store], tmp_path / "site", labels=labels)
    assert data(tmp_path / "site", "1/model")["labels"] == [
        ["patch_embed:3", "", True],
        ["head:2", "dots", False],
    ]
    # Other labels make a new edition with the same pictures.
    written(labels, {"head:2": {"label": "stripes"}})
    assert gallery.export([store], tmp_path / "site", labels=labels).reused == 3
    assert data(tmp_path / "site", "1/model")["labels"] == [["head:2", "stripes", False]]


OTHER = "ab" * 32


@pytest.mark.parametrize(
    ("fields", "of_vit", "of_mixer"),
    [
        ({}, True, True),
        ({"model": "cueworld/vit", "weights": FINGERPRINT}, True, False),
        ({"model": "cueworld/vit", "weights": FINGERPRINT[:8]}, True, False),
        ({"model": "cueworld/mixer", "weights": OTHER[:8]}, False, True),
        ({"model": "another/name", "weights": FINGERPRINT[:8]}, False, False),
        ({"weights": OTHER[:8]}, False, True),
        ({"model": "cueworld/vit"}, True, False),
        ({"weights": "cd" * 32}, False, False),
    ],
)
def test_labels_apply_only_to_their_model(
    fields: dict[str, str], of_vit: bool, of_mixer: bool, tmp_path: Path
) -> None:
    stores = [
        write_store(tmp_path / "a", ["head:1"]),
        write_store(tmp_path / "b", ["head:1"], model="cueworld/mixer", fingerprint=OTHER),
    ]
    labels = written(tmp_path / "l.json", {"head:1": {"label": "dots"}}, **fields)
    made = gallery.export(stores, tmp_path / "site", labels=labels)
    found = [data(tmp_path / "site", f"{number}/model")["labels"] for number in (1, 2)]
    assert found == [[["head:1", "dots", False]] * holds for holds in (of_vit, of_mixer)]
    assert (made.remarks == ()) == (of_vit or of_mixer)


def test_labels_of_missing_units_are_reported_by_every_export(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1"])
    names = ["head:1", "head:9" + "9" * 99, "head:10"]
    labels = written(tmp_path / "l.json", {name: {"favourite": True} for name in names})
    for _ in range(2):  # the second time, nothing is written
        made = gallery.export([store], tmp_path / "site", labels=labels)
        remark = (
            "2 of 3 labels are of units that are not in this gallery, for example "
            f"head:{'9' * 55}..."
        )
        assert made.remarks == (remark,)
        assert made.warnings == ()
    assert not (tmp_path / "site/data-2").exists()


def test_labels_of_a_missing_model_are_reported(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1"])
    fields = {"model": "deit", "weights": "cd" * 32}
    labels = written(tmp_path / "l.json", {"head:1": {"label": "dots"}}, **fields)
    made = gallery.export([store], tmp_path / "site", labels=labels)
    assert made.remarks == (
        "the labels are of deit with weights cdcdcdcd, which is not in this gallery: "
        "none of 1 is shown",
    )


LISTS = {"color neurons": ["head:2", "head:1", "head:2"], "empty": []}


def test_lists_keep_their_order_and_have_a_unit_once(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path / "l.json", {}, lists=LISTS))
    assert labels.lists == {"color neurons": ("head:2", "head:1"), "empty": ()}
    assert read_labels(written(tmp_path / "old.json", {})).lists == {}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([], '"lists" is not an object'),
        ({"a": "head:1"}, "the list 'a' is not a list of addresses"),
        ({"a": ["head:1", 2]}, "the list 'a' is not a list of addresses"),
        ({"": []}, "the name of a list has 1 to 100 characters"),
        ({" a": []}, "no space at its ends; got ' a'"),
        ({"x" * 101: []}, "the name of a list has 1 to 100 characters"),
    ],
)
def test_a_file_with_invalid_lists_is_refused_in_one_line(
    lists: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FeatvizError) as caught:
        read_labels(written(tmp_path / "l.json", {}, lists=lists))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gallery_has_the_lists_of_its_model_and_names_units_that_it_lacks(
    tmp_path: Path,
) -> None:
    stores = [
        write_store(tmp_path / "a", ["head:1", "head:2"]),
        write_store(tmp_path / "b", ["head:1"], model="cueworld/mixer", fingerprint=OTHER),
    ]
    lists = {"z": ["head:2", "gone:1", "head:1"], "a": ["head:1"]}
    labels = written(tmp_path / "l.json", {}, lists=lists, model="cueworld/vit")
    made = gallery.export(stores, tmp_path / "site", labels=labels)
    assert made.remarks == ("1 of 3 listed units are not in this gallery, for example gone:1",)
    found = [data(tmp_path / "site", f"{number}/model")["lists"] for number in (1, 2)]
    assert found == [[["a", ["head:1"]], ["z", ["head:2", "gone:1", "head:1"]]], []]
    # Another order is another gallery.
    written(labels, {}, lists=lists | {"z": ["head:1", "head:2"]}, model="cueworld/vit")
    assert gallery.export(stores, tmp_path / "site", labels=labels).remarks == ()
    assert data(tmp_path / "site", "1/model")["lists"][1] == ["z", ["head:1", "head:2"]]
