from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from featviz.errors import FeatvizError
from gallery.build.edition import MARKER, new_edition


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


def fill(folder: Path, *pages: str) -> None:
    """Export a gallery whose pages name a file of their data."""
    with new_edition(folder) as edition:
        (edition.data / "data.js").write_text("data")
        for page in pages:
            edition.pages[page] = f'<script src="{edition.data.name}/data.js">'


def pages_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.html"))


def broken_pages(folder: Path) -> list[str]:
    """Pages that refer to a file that is not there."""
    return [
        page.name
        for page in folder.glob("*.html")
        for source in re.findall(r'src="([^"]*)"', page.read_text())
        if not (folder / source).exists()
    ]


def die_at(number: int, patch: pytest.MonkeyPatch) -> None:
    """Let the process die at its n-th change of the file system."""
    changes = itertools.count()

    def guarded(change: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **kwargs: Any) -> Any:
            if next(changes) >= number:
                raise Killed
            return change(*args, **kwargs)

        return act

    for name in ("write_text", "replace", "mkdir", "unlink"):
        patch.setattr(Path, name, guarded(getattr(Path, name)))
    patch.setattr(shutil, "rmtree", guarded(shutil.rmtree))


def test_an_edition_is_published_with_its_data_and_replaces_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "site"
    fill(folder, "index.html", "a.html")
    fill(folder, "index.html", "b.html")
    assert sorted(path.name for path in folder.iterdir()) == [
        "b.html",
        "data-2",
        MARKER,
        "index.html",
    ]
    assert broken_pages(folder) == []


@pytest.mark.parametrize("before", [False, True])
def test_killed_at_any_change_no_page_refers_to_missing_data(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in itertools.count():
        folder = tmp_path / str(number)
        if before:
            fill(folder, "index.html", "a.html")
        with monkeypatch.context() as patch:
            die_at(number, patch)
            try:
                fill(folder, "index.html", "b.html")
            except Killed:
                survived = False
            else:
                survived = True
        assert broken_pages(folder) == []
        assert not before or "index.html" in pages_of(folder)
        fill(folder, "index.html", "c.html")
        assert pages_of(folder) == ["c.html", "index.html"]
        assert len(list(folder.glob("data-*"))) == 1
        if survived:
            break
    assert number > 8


def test_an_export_that_fails_leaves_the_old_gallery_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    fill(folder, "index.html")
    with pytest.raises(FeatvizError, match="shard"), new_edition(folder):
        raise FeatvizError("a shard is damaged")
    assert sorted(path.name for path in folder.iterdir()) == ["data-1", MARKER, "index.html"]
    assert broken_pages(folder) == []


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(FeatvizError, match=r"cannot write the gallery: .*: No space left"),
        new_edition(tmp_path / "site"),
    ):
        raise OSError(28, "No space left on device", "thumbs/3.webp")


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FeatvizError, match="is not empty and not a gallery"):
        fill(tmp_path, "index.html")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    with pytest.raises(FeatvizError, match="is a file"):
        fill(tmp_path / "site", "index.html")
    assert (tmp_path / "site").read_text() == "mine"


def test_other_files_in_a_gallery_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    fill(folder, "index.html")
    (folder / "notes.html").write_text("mine")
    (folder / "data-own").mkdir()
    (folder / "data-2024").mkdir()
    fill(folder, "index.html")
    assert pages_of(folder) == ["index.html", "notes.html"]
    assert (folder / "data-own").exists()
    assert (folder / "data-2024").exists()


@pytest.mark.parametrize(
    "mark",
    [
        "not json",
        "[]",
        '{"format": "featviz-gallery", "edition": 1}',
        '{"format": "other", "edition": 1, "pages": []}',
        '{"format": "featviz-gallery", "edition": "1", "pages": []}',
        '{"format": "featviz-gallery", "edition": 1, "pages": ["../thesis.html"]}',
        '{"format": "featviz-gallery", "edition": 1, "pages": ["/tmp/x.html"]}',
        '{"format": "featviz-gallery", "edition": 1, "pages": [7]}',
    ],
)
def test_a_forged_mark_makes_the_exporter_delete_nothing(mark: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.html").write_text("mine")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / MARKER).write_text(mark)
    with pytest.raises(FeatvizError, match="is not the marker file of a gallery"):
        fill(folder, "index.html")
    assert (tmp_path / "thesis.html").exists()
    assert (folder / MARKER).read_text() == mark


def test_old_data_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "site", tmp_path / "outside"
    fill(folder, "index.html")
    shutil.rmtree(folder / "data-1")
    outside.mkdir()
    (outside / "thesis.txt").write_text("mine")
    (folder / "data-1").symlink_to(outside)
    fill(folder, "index.html")
    assert (outside / "thesis.txt").read_text() == "mine"


def test_the_mark_names_the_pages_and_the_edition(tmp_path: Path) -> None:
    fill(tmp_path, "index.html", "a.html")
    assert json.loads((tmp_path / MARKER).read_text()) == {
        "format": "featviz-gallery",
        "edition": 1,
        "pages": ["a.html", "index.html"],
    }
