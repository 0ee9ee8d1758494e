"""`featviz gallery`."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.running import Run, tree
from tests.gallery.made_stores import write_store
from tests.gallery.stores.test_damaged_rows import damage
from tests.gallery.test_exporter import data, units

UNITS = ["blocks.2.mlp.fc1:1", "blocks.2.mlp.fc1:12", "head:0", "head:3"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", UNITS).path


def test_the_estimate_comes_first_on_stderr_and_json_tells_all(
    run: Run, store: Path, tmp_path: Path
) -> None:
    result = run("gallery", store, "-o", tmp_path / "site", "--json")
    told = json.loads(result.out)
    assert result.err.splitlines()[0].startswith("4 units, 4 pictures, about 0.0")
    assert (told["page"], told["units"], told["pictures"]) == (
        str(tmp_path / "site" / "index.html"),
        4,
        4,
    )
    assert (told["reused"], told["warnings"], told["estimate"]["pictures"]) == (0, [], 4)
    files = (p for p in (tmp_path / "site/data-1").rglob("*") if p.is_file())
    assert told["bytes"] == sum(p.stat().st_size for p in files if p.name != "reuse.json")


def test_a_second_run_changes_nothing_and_says_so(run: Run, store: Path, tmp_path: Path) -> None:
    run("gallery", store, "-o", tmp_path / "site")
    before = tree(tmp_path / "site")
    told = json.loads(run("gallery", store, "-o", tmp_path / "site", "--json").out)
    assert (told["reused"], told["estimate"]) == (4, None)
    assert tree(tmp_path / "site") == before


def test_only_the_units_that_are_included_are_there(run: Run, store: Path, tmp_path: Path) -> None:
    words = ["--include", "head:all", "--include", "blocks.all.mlp.fc1:0-5"]
    assert run("gallery", store, "-o", tmp_path / "site", *words).status == 0
    assert list(units(tmp_path / "site")) == ["blocks.2.mlp.fc1:1", "head:0", "head:3"]


def test_selectors_that_nothing_matches_are_refused_before_anything_is_written(
    run: Run, store: Path, tmp_path: Path
) -> None:
    result = run("gallery", store, "-o", tmp_path / "site", "--include", "head:7-9")
    assert result.refusal() == "Error: these stores hold no unit head:7-9"
    assert not (tmp_path / "site").exists()


def test_thumbnails_only_leaves_the_pictures_out(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("gallery", store, "-o", tmp_path / "site", "--thumbnails-only").status == 0
    assert not list((tmp_path / "site").rglob("pictures"))
    assert len(list((tmp_path / "site").rglob("sheets/*.webp"))) == 2


def test_pictures_can_be_avif(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("gallery", store, "-o", tmp_path / "site", "--pictures", "avif").status == 0
    found = [path.read_bytes()[4:12] for path in (tmp_path / "site").rglob("pictures/*.avif")]
    assert found == [b"ftypavif"] * 4
    assert data(tmp_path / "site", "1/model")["pictures"] == "avif"


def test_labels_of_a_file_are_shown_and_a_wrong_file_is_refused(
    run: Run, store: Path, tmp_path: Path
) -> None:
    labels = {"head:3": {"label": "stripes", "favourite": True}}
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"format": "featviz-labels", "version": 1, "labels": labels}))
    assert run("gallery", store, "-o", tmp_path / "site", "--labels", file).status == 0
    assert data(tmp_path / "site", "1/model")["labels"] == [["head:3", "stripes", True]]
    file.write_text("no labels")
    assert (
        "is no JSON text"
        in run("gallery", store, "-o", tmp_path / "other", "--labels", file).refusal()
    )
    assert not (tmp_path / "other").exists()


def test_labels_of_units_that_are_not_there_are_told_and_no_failure(
    run: Run, store: Path, tmp_path: Path
) -> None:
    labels = {name: {"favourite": True} for name in ("head:3", "head:99\x1b[2J")}
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"format": "featviz-labels", "version": 1, "labels": labels}))
    result = run("gallery", store, "-o", tmp_path / "site", "--labels", file)
    assert result.status == 0
    line = "1 of 2 labels name no unit of this gallery, such as head:99?[2J"
    assert line in result.err.splitlines()
    again = run("gallery", store, "-o", tmp_path / "site", "--labels", file, "--json")
    assert json.loads(again.out)["remarks"] == [
        "1 of 2 labels name no unit of this gallery, such as head:99\x1b[2J"
    ]


def test_a_damaged_picture_costs_a_line_and_the_exit_of_some_that_failed(
    run: Run, tmp_path: Path
) -> None:
    write_store(tmp_path / "store", UNITS)
    write_store(tmp_path / "store", ["head:7"])
    damage(tmp_path / "store", "head:7")
    result = run("gallery", tmp_path / "store", "-o", tmp_path / "site")
    assert (result.status, result.out) == (3, f"{tmp_path / 'site' / 'index.html'}\n")
    (line,) = [line for line in result.err.splitlines() if line.startswith("damaged: ")]
    assert line.startswith("damaged: head:7: ")


def test_it_can_be_served_until_an_interrupt(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    result = run("gallery", store, "-o", tmp_path / "site", "--serve", "--port", 0)
    assert (result.status, result.out) == (0, f"{tmp_path / 'site' / 'index.html'}\n")
    assert result.err.splitlines()[-1].startswith("http://127.0.0.1:")
    assert run("gallery", store, "-o", tmp_path / "site", "--serve", "--port", 70000).status == 2
