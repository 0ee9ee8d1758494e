from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gallery
from featviz.errors import FeatvizError
from gallery.notes import MOST_BYTES, Note, read_notes
from tests.gallery.made_stores import FINGERPRINT, write_store
from tests.gallery.test_exporter import data


def written(path: Path, labels: Any, **changes: Any) -> Path:
    file = {"format": "featviz-labels", "version": 1, "labels": labels} | changes
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def test_labels_and_favourites_are_read_as_the_page_wrote_them(tmp_path: Path) -> None:
    labels = {
        "head:1": {"label": " stripes ", "favourite": True},
        "head:2": {"label": "dots"},
        "head:3": {"favourite": True},
    }
    notes = read_notes(written(tmp_path / "l.json", labels, model="deit", weights="3f" * 32))
    assert notes.of == {
        "head:1": Note("stripes", True),
        "head:2": Note("dots", False),
        "head:3": Note("", True),
    }
    assert (notes.model, notes.weights) == ("deit", "3f" * 32)


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        ({}, {"format": "other"}, 'its "format" is not "featviz-labels"'),
        ({}, {"version": 2}, "labels of version 2; this featviz reads version 1"),
        ([], {}, 'it has no object "labels"'),
        ({}, {"model": 3}, 'its "model" is no text'),
        ({}, {"weights": ["3fa9"]}, 'its "weights" is no text'),
        ({"head:1": "dots"}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"label": 3}}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"favourite": 1}}, {}, "the entry of 'head:1' is not"),
        ({"head:1": {"label": "x" * 501}}, {}, "head:1' has 501 characters; 500 are the most"),
        ({"head:1": {"label": "\U0001f600" * 251}}, {}, "has 502 characters"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(
    labels: Any, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "l.json", labels, **changes)
    with pytest.raises(FeatvizError) as caught:
        read_notes(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3"])
def test_what_is_no_file_of_labels_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "l.json").write_bytes(content)
    with pytest.raises(FeatvizError, match=r"l\.json (is no JSON text|holds no labels)"):
        read_notes(tmp_path / "l.json")


def test_a_file_that_is_not_there_or_is_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"cannot read .*none: No such file"):
        read_notes(tmp_path / "none")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(FeatvizError, match="huge is larger than 64 MB"):
        read_notes(tmp_path / "huge")


def test_the_page_is_given_the_labels_of_its_units_and_no_others(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1", "head:2", "patch_embed:3"])
    file = {"head:2": {"label": "dots"}, "patch_embed:3": {"favourite": True}, "head:9": {}}
    labels = written(tmp_path / "l.json", {k: v or {"label": "x"} for k, v in file.items()})
    gallery.export([store], tmp_path / "site", labels=labels)
    assert data(tmp_path / "site", "1/model")["labels"] == [
        ["patch_embed:3", "", True],
        ["head:2", "dots", False],
    ]
    # Other labels are another gallery, of the same pictures.
    written(labels, {"head:2": {"label": "stripes"}})
    assert gallery.export([store], tmp_path / "site", labels=labels).reused == 3
    assert data(tmp_path / "site", "1/model")["labels"] == [["head:2", "stripes", False]]


OTHER = "ab" * 32


@pytest.mark.parametrize(
    ("told", "of_vit", "of_mixer"),
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
def test_labels_reach_only_the_model_that_they_are_of(
    told: dict[str, str], of_vit: bool, of_mixer: bool, tmp_path: Path
) -> None:
    stores = [
        write_store(tmp_path / "a", ["head:1"]),
        write_store(tmp_path / "b", ["head:1"], model="cueworld/mixer", fingerprint=OTHER),
    ]
    labels = written(tmp_path / "l.json", {"head:1": {"label": "dots"}}, **told)
    made = gallery.export(stores, tmp_path / "site", labels=labels)
    found = [data(tmp_path / "site", f"{number}/model")["labels"] for number in (1, 2)]
    assert found == [[["head:1", "dots", False]] * holds for holds in (of_vit, of_mixer)]
    assert (made.remarks == ()) == (of_vit or of_mixer)


def test_labels_that_name_no_unit_are_counted_and_told_each_time(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1"])
    names = ["head:1", "head:9" + "9" * 99, "head:10"]
    labels = written(tmp_path / "l.json", {name: {"favourite": True} for name in names})
    for _ in range(2):  # the second time, nothing is written
        made = gallery.export([store], tmp_path / "site", labels=labels)
        told = f"2 of 3 labels name no unit of this gallery, such as head:{'9' * 55}..."
        assert made.remarks == (told,)
        assert made.warnings == ()
    assert not (tmp_path / "site/data-2").exists()


def test_labels_of_a_model_that_is_not_there_are_told_by_its_name(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", ["head:1"])
    told = {"model": "deit", "weights": "cd" * 32}
    labels = written(tmp_path / "l.json", {"head:1": {"label": "dots"}}, **told)
    made = gallery.export([store], tmp_path / "site", labels=labels)
    assert made.remarks == (
        "the labels are of deit with weights cdcdcdcd, which is not in this gallery: "
        "none of 1 is shown",
    )
