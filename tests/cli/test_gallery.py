from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

import cli.gallery
import gallery.build.images
from tests.cli.running import Run, tree
from tests.gallery.input_images.images import own_image, own_store
from tests.gallery.made_stores import write_store
from tests.gallery.stores.test_damaged_rows import damage
from tests.gallery.test_exporter import data, units

UNITS = ["blocks.2.mlp.fc1:1", "blocks.2.mlp.fc1:12", "head:0", "head:3"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", UNITS).path


def test_the_size_estimate_is_printed_first_and_json_has_all_counts(
    run: Run, store: Path, tmp_path: Path
) -> None:
    result = run("gallery", store, "-o", tmp_path / "site", "--json")
    report = json.loads(result.out)
    assert result.err.splitlines()[0].startswith("4 units, 4 pictures, about 0.0")
    assert (report["page"], report["units"], report["pictures"]) == (
        str(tmp_path / "site" / "index.html"),
        4,
        4,
    )
    assert (report["reused"], report["warnings"], report["estimate"]["pictures"]) == (0, [], 4)
    files = (p for p in (tmp_path / "site/data-1").rglob("*") if p.is_file())
    assert report["bytes"] == sum(p.stat().st_size for p in files if p.name != "reuse.json")


def test_a_second_export_changes_nothing(run: Run, store: Path, tmp_path: Path) -> None:
    run("gallery", store, "-o", tmp_path / "site")
    before = tree(tmp_path / "site")
    report = json.loads(run("gallery", store, "-o", tmp_path / "site", "--json").out)
    assert (report["reused"], report["estimate"]) == (4, None)
    assert tree(tmp_path / "site") == before


def test_include_selects_the_units(run: Run, store: Path, tmp_path: Path) -> None:
    words = ["--include", "head:all", "--include", "blocks.all.mlp.fc1:0-5"]
    assert run("gallery", store, "-o", tmp_path / "site", *words).status == 0
    assert list(units(tmp_path / "site")) == ["blocks.2.mlp.fc1:1", "head:0", "head:3"]


def test_selectors_without_a_match_are_refused_before_writing(
    run: Run, store: Path, tmp_path: Path
) -> None:
    result = run("gallery", store, "-o", tmp_path / "site", "--include", "head:7-9")
    assert result.refusal() == "Error: no unit in these stores matches head:7-9"
    assert not (tmp_path / "site").exists()


def test_thumbnails_only_leaves_out_the_pictures(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("gallery", store, "-o", tmp_path / "site", "--thumbnails-only").status == 0
    assert not list((tmp_path / "site").rglob("pictures"))
    assert len(list((tmp_path / "site").rglob("sheets/*.webp"))) == 2


def test_pictures_can_be_avif(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("gallery", store, "-o", tmp_path / "site", "--pictures", "avif").status == 0
    found = [path.read_bytes()[4:12] for path in (tmp_path / "site").rglob("pictures/*.avif")]
    assert found == [b"ftypavif"] * 4
    assert data(tmp_path / "site", "1/model")["pictures"] == "avif"


def test_labels_of_a_file_are_exported_and_another_file_is_refused(
    run: Run, store: Path, tmp_path: Path
) -> None:
    labels = {"head:3": {"label": "stripes", "favourite": True}}
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"format": "featviz-labels", "version": 1, "labels": labels}))
    assert run("gallery", store, "-o", tmp_path / "site", "--labels", file).status == 0
    assert data(tmp_path / "site", "1/model")["labels"] == [["head:3", "stripes", True]]
    file.write_text("no labels")
    assert (
        "is not valid JSON"
        in run("gallery", store, "-o", tmp_path / "other", "--labels", file).refusal()
    )
    assert not (tmp_path / "other").exists()


def test_labels_of_missing_units_are_reported_and_not_a_failure(
    run: Run, store: Path, tmp_path: Path
) -> None:
    labels = {name: {"favourite": True} for name in ("head:3", "head:99\x1b[2J")}
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"format": "featviz-labels", "version": 1, "labels": labels}))
    result = run("gallery", store, "-o", tmp_path / "site", "--labels", file)
    assert result.status == 0
    line = "1 of 2 labels are of units that are not in this gallery, for example head:99\\x1b[2J"
    assert line in result.err.splitlines()
    again = run("gallery", store, "-o", tmp_path / "site", "--labels", file, "--json")
    assert json.loads(again.out)["remarks"] == [
        "1 of 2 labels are of units that are not in this gallery, for example head:99\x1b[2J"
    ]


def test_a_damaged_picture_is_reported_with_status_3(run: Run, tmp_path: Path) -> None:
    write_store(tmp_path / "store", UNITS)
    write_store(tmp_path / "store", ["head:7"])
    damage(tmp_path / "store", "head:7")
    result = run("gallery", tmp_path / "store", "-o", tmp_path / "site")
    assert (result.status, result.out) == (3, f"{tmp_path / 'site' / 'index.html'}\n")
    (line,) = [line for line in result.err.splitlines() if line.startswith("damaged: ")]
    assert line.startswith("damaged: head:7: ")


def test_images_follow_one_option_and_a_model_of_other_weights_is_one_line_with_status_3(
    run: Run, store: Path, tmp_path: Path
) -> None:
    images = [own_image(tmp_path / name) for name in ("a.png", "b.png")]
    own = own_store(tmp_path / "own").path
    result = run("gallery", own, store, "-o", tmp_path / "site", "--image", *images, "--json")
    report = json.loads(result.out)
    assert (result.status, report["warnings"]) == (3, [])
    (line,) = report["unread"]
    assert line in result.err.splitlines()
    assert line.startswith(f"cueworld/vit: cannot load the model of {store}: ")
    assert "--model" not in line
    sections = [data(tmp_path / "site", f"{number}/model")["sections"] for number in (1, 2)]
    assert sections == [[["images", 2]], []]


@pytest.mark.parametrize("name", ["none.png", "text.png"])
def test_a_file_that_is_no_image_is_refused_before_writing(
    run: Run, store: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "text.png").write_text("no image")
    line = run("gallery", store, "-o", tmp_path / "site", "--image", tmp_path / name).refusal()
    assert str(tmp_path / name) in line
    assert not (tmp_path / "site").exists()


def test_the_gallery_is_served_until_ctrl_c(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    result = run("gallery", store, "-o", tmp_path / "site", "--serve", "--port", 0)
    assert (result.status, result.out) == (0, f"{tmp_path / 'site' / 'index.html'}\n")
    assert result.err.splitlines()[-1].startswith("http://127.0.0.1:")
    assert run("gallery", store, "-o", tmp_path / "site", "--serve", "--port", 70000).status == 2


def test_the_page_to_open_is_printed(run: Run, neurons: Path, tmp_path: Path) -> None:
    result = run("gallery", neurons, "-o", tmp_path / "site")
    assert (result.status, result.out) == (0, f"{tmp_path / 'site' / 'index.html'}\n")
    assert Path(result.out.strip()).is_file()


def test_a_folder_with_other_files_is_refused(run: Run, neurons: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for target in (tmp_path, tmp_path / "mine"):
        run("gallery", neurons, "-o", target).refusal()
    assert list(tree(tmp_path)) == ["mine"]


def test_the_formats_are_those_that_can_be_written() -> None:
    assert tuple(gallery.build.images.FORMATS) == cli.gallery.FORMS
