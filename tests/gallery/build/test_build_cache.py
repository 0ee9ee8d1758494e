from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gallery
from featviz.store.packing import pack
from featviz.store.reader import Store
from gallery.build import manifest
from gallery.build.worker import process_row
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_everything
from tests.gallery.test_exporter import data, units

exporter = importlib.import_module("gallery.exporter")  # the package has a function of that name

UNITS = [f"blocks.2.mlp.fc1:{i}" for i in range(0, 20, 2)] + ["head:1", "head:3"]
NEW = ["blocks.2.mlp.fc1:7", "blocks.10.mlp.fc1:1"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the only edition."""
    (edition,) = folder.glob("data-*")
    files = (path for path in edition.rglob("*") if path.is_file())
    return {str(path.relative_to(edition)): path.read_bytes() for path in files}


def inodes(folder: Path, pattern: str) -> dict[int, str]:
    (edition,) = folder.glob("data-*")
    return {path.stat().st_ino: path.name for path in edition.glob(pattern)}


def same_as_fresh(stores: list[Any], site: Path, **options: Any) -> bool:
    """Whether a gallery is byte for byte what an export into a new folder is, names included."""
    fresh = site.with_name(f"{site.name}-fresh")
    gallery.export(stores, fresh, **options)
    one, other = contents(site), contents(fresh)
    pages = [{p.name: p.read_text() for p in folder.glob("*.html")} for folder in (site, fresh)]
    number = next(site.glob("data-*")).name
    expected = {name: text.replace("data-1/", f"{number}/") for name, text in pages[1].items()}
    cards = other["models.js"].replace(b"data-1/", f"{number}/".encode())
    shutil.rmtree(fresh)
    return one == {**other, "models.js": cards} and pages[0] == expected


def test_an_export_without_changes_touches_nothing(tmp_path: Path) -> None:
    stores = [write_store(tmp_path / "a", UNITS), write_everything(tmp_path / "b", UNITS[:4])]
    first = gallery.export(stores, tmp_path / "site")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")}
    again = gallery.export([Store(tmp_path / "a"), tmp_path / "b"], tmp_path / "site")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")} == before
    assert (again.page, again.units, again.pictures) == (first.page, first.units, first.pictures)
    assert (again.bytes, again.reused) == (first.bytes, 14)


def test_unchanged_rows_are_reused_as_links_under_their_new_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [write_store(tmp_path / "a", UNITS), write_everything(tmp_path / "b", UNITS[:4])]
    gallery.export(stores, tmp_path / "site")
    pictures = inodes(tmp_path / "site", "1/pictures/*")
    sheets = inodes(tmp_path / "site", "1/sheets/*")
    write_store(tmp_path / "a", NEW)
    worked: list[str] = []

    def record_task(task: Any, row: Any) -> Any:
        if task.pictures is not None:
            worked.append(task.render.address)
        return process_row(task, row)

    monkeypatch.setattr("gallery.units.unit_files.process_row", record_task)
    made = gallery.export([tmp_path / "a", tmp_path / "b"], tmp_path / "site")
    assert sorted(worked) == sorted(NEW)
    assert (made.units, made.reused) == (16, 14)
    after = inodes(tmp_path / "site", "1/pictures/*")
    assert set(pictures) < set(after)
    assert len(after) == len(pictures) + 2
    # Rows behind the new ones have other numbers now.
    assert {after[inode] for inode in pictures} != set(pictures.values())
    # Sheets of the head and of units before the new one are what they were.
    kept = set(sheets) & set(inodes(tmp_path / "site", "1/sheets/*"))
    assert sorted(sheets[inode] for inode in kept) == ["0-0.webp", "1-0.webp", "2-0.webp"]
    assert same_as_fresh([tmp_path / "a", tmp_path / "b"], tmp_path / "site")


def test_units_that_are_gone_leave_no_file(tmp_path: Path) -> None:
    stores = [write_store(tmp_path / "a", UNITS), write_store(tmp_path / "b", NEW)]
    gallery.export(stores, tmp_path / "site")
    gallery.export(stores[:1], tmp_path / "site")
    assert sorted(units(tmp_path / "site")) == sorted(UNITS)
    assert same_as_fresh(stores[:1], tmp_path / "site")


def test_a_changed_picture_is_encoded_anew(tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site")
    before = contents(tmp_path / "site")
    # The unit comes from another store now, in which it looks otherwise.
    changed = write_store(tmp_path / "b", UNITS[:1])
    row = changed.row(UNITS[0])
    assert np.array_equal(row["images"], Store(tmp_path / "a").row(UNITS[0])["images"])
    shutil.rmtree(tmp_path / "b")
    from tests.gallery import made_stores as made_up  # noqa: PLC0415  # to swap its pictures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_up, "picture", lambda *_: np.full((24, 32, 3), 200, np.uint8))
        write_store(tmp_path / "b", UNITS[:1])
    gallery.export([tmp_path / "b", tmp_path / "a"], tmp_path / "site")
    ((_, number, *_),) = units(tmp_path / "site")[UNITS[0]]
    path = tmp_path / f"site/data-2/1/pictures/{number}-0.webp"
    assert path.read_bytes() != before[f"1/pictures/{number}-0.webp"]
    with Image.open(path) as image:
        assert (np.asarray(image.convert("RGB")) == 200).all()
    assert same_as_fresh([tmp_path / "b", tmp_path / "a"], tmp_path / "site")


def test_rows_of_a_packed_store_are_reused(tmp_path: Path) -> None:
    pack(write_store(tmp_path / "a", UNITS), tmp_path / "a.h5")
    gallery.export([tmp_path / "a.h5"], tmp_path / "site")
    write_store(tmp_path / "b", NEW)
    made = gallery.export([tmp_path / "a.h5", tmp_path / "b"], tmp_path / "site")
    assert made.reused == len(UNITS)
    assert same_as_fresh([tmp_path / "a.h5", tmp_path / "b"], tmp_path / "site")


def test_other_code_reuses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    for module in (manifest, exporter):
        monkeypatch.setattr(module, "code_digest", lambda: "of another version")
    assert gallery.export([store], tmp_path / "site").reused == 0


def test_a_change_of_the_library_makes_a_new_edition_with_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    monkeypatch.setattr(exporter, "library_digest", lambda: "of another version")
    assert gallery.export([store], tmp_path / "site").reused == len(UNITS)
    assert (tmp_path / "site/data-2").is_dir()


def test_a_digest_of_sources_changes_with_a_byte_a_name_or_a_file(tmp_path: Path) -> None:
    def digest() -> str:
        return manifest.digest_of([tmp_path], "*.py")

    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/a.py").write_text("a = 1")
    seen = [digest()]
    (tmp_path / "inner/a.txt").write_text("no source")
    assert digest() == seen[0]
    (tmp_path / "inner/a.py").write_text("a = 2")
    seen.append(digest())
    (tmp_path / "inner/a.py").rename(tmp_path / "inner/b.py")
    seen.append(digest())
    (tmp_path / "c.py").write_text("")
    seen.append(digest())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("left", ["data-3", "other.html"])
def test_files_of_an_interrupted_export_are_removed_even_if_nothing_else_has_changed(
    left: str, tmp_path: Path
) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    mark = tmp_path / "site/gallery.json"
    fields = json.loads(mark.read_text())
    if left == "data-3":  # one that was killed while it wrote pictures
        (tmp_path / "site" / left).mkdir()
        (tmp_path / "site" / left / "half.webp").write_bytes(b"")
        mark.write_text(json.dumps(fields | {"edition": 3}))
    else:  # one that was killed while it published a page more
        (tmp_path / "site" / left).write_text("")
        mark.write_text(json.dumps(fields | {"pages": [*fields["pages"], left]}))
    gallery.export([store], tmp_path / "site")
    assert not (tmp_path / "site" / left).exists()
    assert same_as_fresh([store], tmp_path / "site")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")}
    gallery.export([store], tmp_path / "site")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")} == before


def test_a_changed_script_is_copied_and_pictures_are_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    monkeypatch.setattr(exporter, "static_digest", lambda: "of another version")
    assert gallery.export([store], tmp_path / "site").reused == len(UNITS)
    assert (tmp_path / "site" / "data-2" / "static").is_dir()


@pytest.mark.parametrize(
    "lost",
    ["1/pictures/3-0.webp", "1/sheets/0-0.webp", "1/details/0.js", "1/units.js", "1/rows.npy",
     "models.js", "static/model.js", "reuse.json", "1/strip/2.webp"],
)  # fmt: skip
def test_a_missing_file_is_written_again(lost: str, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    (tmp_path / "site/data-1" / lost).unlink()
    gallery.export([store], tmp_path / "site")
    assert same_as_fresh([store], tmp_path / "site")


@pytest.mark.parametrize("page", ["index.html", "model"])
def test_a_page_that_was_changed_or_lost_is_written_again(page: str, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    (path,) = (tmp_path / "site").glob("index.html" if page == "index.html" else "cueworld*.html")
    path.write_text("changed")
    gallery.export([store], tmp_path / "site")
    assert same_as_fresh([store], tmp_path / "site")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[[[[", '{"recipe": 3}', "RIGHT []", 'RIGHT {"key": "", "models": 4}',
     'RIGHT {"key": "", "models": [{"identity": 3, "sheets": [1], "strip": {"../x.webp": "a"}}]}'],
)  # fmt: skip
def test_an_invalid_manifest_is_ignored(text: str, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    path = tmp_path / "site/data-1/reuse.json"
    if text.startswith("RIGHT"):
        fields = json.loads(path.read_text())
        changes = json.loads(text.removeprefix("RIGHT "))
        text = json.dumps(fields | changes if isinstance(changes, dict) else changes)
    path.write_text(text)
    gallery.export([store], tmp_path / "site")
    assert same_as_fresh([store], tmp_path / "site")


def test_a_symbolic_link_in_place_of_a_picture_is_not_reused(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    (tmp_path / "secret").write_text("mine")
    gallery.export([store], tmp_path / "site")
    picture = tmp_path / "site/data-1/1/pictures/0-0.webp"
    picture.unlink()
    picture.symlink_to(tmp_path / "secret")
    write_store(tmp_path / "a", NEW)
    gallery.export([tmp_path / "a"], tmp_path / "site")
    assert (tmp_path / "secret").read_text() == "mine"
    assert same_as_fresh([tmp_path / "a"], tmp_path / "site")


def test_an_interrupted_export_leaves_the_old_gallery_unchanged(tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site")
    before = contents(tmp_path / "site")
    write_store(tmp_path / "a", NEW)

    def stop(rows: Any, total: int) -> Any:
        for number, row in enumerate(rows):
            if number == 9:
                raise KeyboardInterrupt
            yield row

    with pytest.raises(KeyboardInterrupt):
        gallery.export([tmp_path / "a"], tmp_path / "site", stop)
    assert contents(tmp_path / "site") == before
    gallery.export([tmp_path / "a"], tmp_path / "site")
    assert same_as_fresh([tmp_path / "a"], tmp_path / "site")


def test_other_options_make_another_gallery(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    small = gallery.export([store], tmp_path / "site", thumbnails_only=True)
    assert (small.pictures, data(tmp_path / "site", "1/model")["thumbnailsOnly"]) == (0, True)
    assert not (tmp_path / "site/data-2/1/pictures").exists()
    assert same_as_fresh([store], tmp_path / "site", thumbnails_only=True)
    gallery.export([store], tmp_path / "site")
    assert same_as_fresh([store], tmp_path / "site")
