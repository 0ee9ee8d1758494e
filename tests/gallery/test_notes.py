from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gallery
from featviz.errors import FeatvizError
from gallery.notes import MOST_BYTES, Note, read_notes
from tests.gallery.stores import write_store
from tests.gallery.test_export import data


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
    assert read_notes(written(tmp_path / "l.json", labels)) == {
        "head:1": Note("stripes", True),
        "head:2": Note("dots", False),
        "head:3": Note("", True),
    }


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        ({}, {"format": "other"}, 'its "format" is not "featviz-labels"'),
        ({}, {"version": 2}, "labels of version 2; this featviz reads version 1"),
        ([], {}, 'it has no object "labels"'),
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
