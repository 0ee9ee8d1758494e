"""Exports with images: what is refused, what is reused."""

from __future__ import annotations

from pathlib import Path

import pytest

import gallery
from featviz.errors import FeatvizError
from tests.cli.running import tree
from tests.gallery.input_images.images import UNITS, own_image, own_store
from tests.gallery.made_stores import write_store
from tests.gallery.test_exporter import data


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the only edition, whatever its number, without what names it."""
    (edition,) = folder.glob("data-*")
    files = (path for path in edition.rglob("*") if path.is_file())
    return {
        path.relative_to(edition).as_posix(): path.read_bytes()
        for path in files
        if path.name not in {"models.js", "reuse.json"}
    }


def test_a_missing_file_and_a_text_are_refused_before_writing(tmp_path: Path) -> None:
    store = own_store(tmp_path / "run")
    text = tmp_path / "text.png"
    text.write_text("no image")
    for file, reason in (
        (tmp_path / "none.png", f"^there is no file {tmp_path / 'none.png'}$"),
        (text, f"^{text} cannot be read as an image "),
        (tmp_path, f"^{tmp_path} cannot be read as an image "),
    ):
        with pytest.raises(FeatvizError, match=reason):
            gallery.export(store, tmp_path / "site", images=[file])
    assert not (tmp_path / "site").exists()


def test_a_model_of_other_weights_is_one_line_and_the_rest_is_exported(tmp_path: Path) -> None:
    store = own_store(tmp_path / "run", "ab" * 32)
    missing = write_store(tmp_path / "gone", UNITS, model="gone.pth")
    image = own_image(tmp_path / "a.png")
    made = gallery.export([store, missing], tmp_path / "site", images=[image])
    other, gone = made.unread
    assert "cueworld/vit is another model: its fingerprint is " in other
    assert other.endswith(", not abababab")
    assert gone.startswith("gone.pth: cannot load the model of ")
    assert made.units == 2 * len(UNITS)
    assert data(tmp_path / "site", "1/model")["sections"] == []
    # It is tried again.
    assert gallery.export([store, missing], tmp_path / "site", images=[image]).unread == made.unread


def test_the_same_images_change_nothing_and_other_content_renews_their_files_only(
    tmp_path: Path,
) -> None:
    store, image = own_store(tmp_path / "run"), own_image(tmp_path / "a.png", 1)
    site, fresh = tmp_path / "site", tmp_path / "fresh"
    gallery.export(store, site)
    before = contents(site)
    assert gallery.export(store, site, images=[image]).reused == len(UNITS)
    added = contents(site)
    assert {name: added.get(name) for name in before if name != "1/model.js"} == {
        name: content for name, content in before.items() if name != "1/model.js"
    }
    unchanged = tree(site)
    gallery.export(store, site, images=[image])
    assert tree(site) == unchanged

    own_image(image, 2)
    assert gallery.export(store, site, images=[image]).reused == len(UNITS)
    renewed = contents(site)
    changed = {name for name in renewed if renewed[name] != added.get(name)}
    assert changed == {"1/images/0.js", "1/input-images/0.webp", "1/responses/0.js"}
    gallery.export(store, fresh, images=[image])
    assert contents(fresh) == renewed


def test_without_images_there_are_no_files_of_them(tmp_path: Path) -> None:
    store, image = own_store(tmp_path / "run"), own_image(tmp_path / "a.png")
    gallery.export(store, tmp_path / "plain")
    gallery.export(store, tmp_path / "site", images=image)
    gallery.export(store, tmp_path / "site")
    assert contents(tmp_path / "site") == contents(tmp_path / "plain")
    assert not [name for name in contents(tmp_path / "plain") if "images" in name]
