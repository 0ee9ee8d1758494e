"""Stores, label files and galleries that attack the exporter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import gallery
from featviz.errors import FeatvizError
from tests.attacks.test_hostile_gallery import TEXTS
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data
from tests.gallery.units.test_natural_images import examples, images, webp

UNITS = [f"head:{text}" for text in TEXTS]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Write a label file of hostile texts, for existing and missing units."""
    addresses = [*UNITS, *TEXTS, "\ud800", "../../x", "x" * 100_000]
    entries = {a: {"label": TEXTS[i % len(TEXTS)]} for i, a in enumerate(addresses)}
    file = {"format": "featviz-labels", "version": 1, "labels": entries, "__proto__": {"a": 1}}
    (tmp_path / "labels.json").write_text(json.dumps(file))
    return tmp_path / "labels.json"


def test_hostile_labels_are_written_as_data_and_create_no_files(
    labels: Path, tmp_path: Path
) -> None:
    (tmp_path / "export").mkdir()
    site = tmp_path / "export" / "site"
    gallery.export([write_store(tmp_path / "store", UNITS)], site, labels=labels)
    assert names_in(tmp_path / "export") == ["site"]
    assert names_in(tmp_path) == ["export", "labels.json", "store"]
    (script,) = site.glob("data-1/1/model.js")
    text = script.read_text(encoding="ascii")
    assert not set("<>&") & set(text)
    assert text.count("\n") == 1
    # A list of entries, as the key "__proto__" of an object would set its prototype.
    found = data(site, "1/model")["labels"]
    assert {address: label for address, label, _ in found} == {
        unit: TEXTS[i].strip() for i, unit in enumerate(UNITS)
    }


def test_a_huge_label_is_refused_with_a_short_message(tmp_path: Path) -> None:
    entries = {"head:1": {"label": "x" * 10_000_000}}
    file = {"format": "featviz-labels", "version": 1, "labels": entries}
    (tmp_path / "l.json").write_text(json.dumps(file))
    store = write_store(tmp_path / "a", UNITS)
    with pytest.raises(FeatvizError, match="10,000,000 characters") as caught:
        gallery.export([store], tmp_path / "site", labels=tmp_path / "l.json")
    assert len(str(caught.value)) < 300


def test_natural_images_whose_indices_are_paths_are_not_written(tmp_path: Path) -> None:
    write_store(tmp_path / "a", UNITS)
    tops = [[1, 2, 3, 4]] * len(UNITS)
    configuration = {"data": TEXTS[0], "classes": [TEXTS[0], TEXTS[1]]}
    write_results(tmp_path / "a", "examples", examples(UNITS, tops), configuration)
    file = webp(np.zeros((8, 8, 3), np.uint8))
    names = ["../../../up", "/tmp/escaped-image", "1/2", "C:\\x", "٣", "1e3", "-1", " 5", "+6"]
    columns = images(dict.fromkeys([*names, *TEXTS, "7"], file))
    write_results(tmp_path / "a", "example_images", columns, configuration)
    before = names_in(tmp_path)
    gallery.export([tmp_path / "a"], tmp_path / "site")
    assert names_in(tmp_path) == sorted([*before, "site"])
    assert names_in(tmp_path / "site/data-1/1/examples") == ["7.webp"]


def test_a_forged_gallery_does_not_make_the_exporter_read_or_write_elsewhere(
    tmp_path: Path,
) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "0-0.webp").write_text("original")
    edition = tmp_path / "site" / "data-1"
    for part in ("pictures", "sheets", "strip"):
        shutil.rmtree(edition / "1" / part)
        (edition / "1" / part).symlink_to(tmp_path / "outside")
    record = json.loads((edition / "reuse.json").read_text())
    record["key"] = ""
    record["models"][0]["sheets"] = {"../../../outside/0-0.webp": "x", "__proto__": "y"}
    (edition / "reuse.json").write_text(json.dumps(record))
    gallery.export([store], tmp_path / "site")
    assert (tmp_path / "outside" / "0-0.webp").read_text() == "original"
    assert names_in(tmp_path / "outside") == ["0-0.webp"]
    written = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    assert not any(path.is_symlink() or path.read_bytes() == b"original" for path in written)


def test_forged_details_of_an_edition_are_not_executed_as_script(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS)
    gallery.export([store], tmp_path / "site")
    path = tmp_path / "site/data-1/1/details/0.js"
    entries = json.loads(path.read_text().split("=", 2)[2].rstrip(";\n"))
    evil = "</script><script>globalThis.pwned=1</script>\u2028"
    for entry in entries:
        entry[0], entry[3] = evil, [[evil]]
    path.write_text(f"x=y={json.dumps(entries)};")
    write_store(tmp_path / "a", ["head:new"])
    gallery.export([tmp_path / "a"], tmp_path / "site")
    for script in (tmp_path / "site").glob("data-2/1/**/*.js"):
        text = script.read_text(encoding="ascii")
        assert not set("<>&") & set(text)
        assert text.count("\n") == 1
        json.loads(text.split("=", 2)[2].rstrip(";\n"))
