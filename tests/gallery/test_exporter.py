from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gallery
from featviz.errors import FeatvizError
from tests.gallery.made_stores import activation, picture, trajectory, write_store

UNITS = ["blocks.2.mlp.fc1:3@1", "head:1", "blocks.2.mlp.fc1:3", "patch_embed:10", "patch_embed:9"]


def data(folder: Path, name: str) -> Any:
    """Read a data script of the only edition, as JSON."""
    (path,) = folder.glob(f"data-*/{name}.js")
    return json.loads(path.read_text().partition("=")[2].partition("=")[2].rstrip(";\n"))


def units(folder: Path, number: int = 1) -> dict[str, list[list[int]]]:
    """Where the pictures of each unit are: group, row, samples, best sample."""
    sites = data(folder, f"{number}/model")["sites"]
    columns = data(folder, f"{number}/units")
    names = [site["name"] for site in sites for _ in range(site["count"])]
    addresses = [name + suffix for name, suffix in zip(names, columns["suffixes"], strict=True)]
    return dict(zip(addresses, columns["renders"], strict=True))


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_every_picture_of_every_unit_is_there_exactly(tmp_path: Path) -> None:
    store = write_store(tmp_path / "run", UNITS, settings={"samples": 3})
    made = gallery.export([store], tmp_path / "site")
    assert made.page == tmp_path / "site" / "index.html"
    assert (made.units, made.pictures, made.reused, made.warnings) == (5, 15, 0, ())
    files = (path for path in (tmp_path / "site/data-1").rglob("*") if path.is_file())
    written = sum(path.stat().st_size for path in files if path.name != "reuse.json")
    assert made.bytes == written
    found = units(tmp_path / "site")
    assert sorted(found) == sorted(UNITS)
    for address, [[group, row, samples, best]] in found.items():
        assert (group, samples, best) == (0, 3, int(activation(address, 3).argmax()))
        for sample in range(3):
            shown = pixels(tmp_path / f"site/data-1/1/pictures/{row}-{sample}.webp")
            assert np.array_equal(shown, picture(address, sample))


def test_a_path_does_as_well_as_a_store(tmp_path: Path) -> None:
    write_store(tmp_path / "run", UNITS)
    gallery.export([tmp_path / "run", str(tmp_path / "run")], tmp_path / "site")
    assert sorted(units(tmp_path / "site")) == sorted(UNITS)


def test_details_give_size_activation_trajectory_and_command_of_each_row(tmp_path: Path) -> None:
    store = write_store(tmp_path / "run", UNITS, settings={"samples": 2})
    gallery.export([store], tmp_path / "site")
    rows = data(tmp_path / "site", "1/details/0")
    for address, [[_, row, *_]] in units(tmp_path / "site").items():
        command, size, values, lines, links, similar, evidence = rows[row]
        assert (links, evidence) == ([], None)
        assert set(similar) == {"picture", "activation", "correlation"}
        assert shlex.split(command)[:4] == ["featviz", "render", "cueworld/vit", address]
        assert size == [32, 24]
        assert values == pytest.approx(activation(address, 2), rel=5e-4)
        assert np.allclose(lines, trajectory(address, 2), rtol=5e-4)


def test_details_come_32_rows_a_script(tmp_path: Path) -> None:
    addresses = [f"head:{i}" for i in range(70)]
    gallery.export([write_store(tmp_path / "run", addresses)], tmp_path / "site")
    shards = [data(tmp_path / "site", f"1/details/{shard}") for shard in range(3)]
    assert [len(rows) for rows in shards] == [32, 32, 6]
    for address, [[_, row, *_]] in units(tmp_path / "site").items():
        assert shlex.split(shards[row // 32][row % 32][0])[3] == address


def test_two_configurations_of_a_unit_are_both_shown(tmp_path: Path) -> None:
    stores = [
        write_store(tmp_path / "a", UNITS),
        write_store(tmp_path / "b", ["head:1", "head:2"], settings={"samples": 4}),
    ]
    gallery.export(stores, tmp_path / "site")
    found = units(tmp_path / "site")
    assert [render[0] for render in found["head:1"]] == [0, 1]
    assert [render[2] for render in found["head:1"]] == [1, 4]
    assert [render[0] for render in found["head:2"]] == [1]
    groups = data(tmp_path / "site", "1/model")["groups"]
    assert [group["label"] for group in groups] == ["samples 1", "samples 4"]
    assert ["learning_rate", "0.05"] in groups[0]["settings"]


def test_every_model_has_a_page_and_an_entry_on_the_index(tmp_path: Path) -> None:
    stores = [
        write_store(tmp_path / "a", UNITS, failures={"head:7": "became NaN"}),
        write_store(tmp_path / "b", UNITS, model="torchvision/googlenet"),
        write_store(
            tmp_path / "c", UNITS, fingerprint="ab" * 32, load={"untrained": True, "arch": None}
        ),
    ]
    gallery.export(stores, tmp_path / "site")
    cards = data(tmp_path / "site", "models")
    assert [(card["name"], card["weights"]) for card in cards] == [
        ("cueworld/vit", "weights 3fa9c2d1"),
        ("torchvision/googlenet", "weights 3fa9c2d1"),
        ("cueworld/vit", "random weights abababab"),
    ]
    assert [(c["units"], c["pictures"], c["sites"], c["failures"]) for c in cards] == [
        (5, 5, 3, 1),
        (5, 5, 3, 0),
        (5, 5, 3, 0),
    ]
    pages = [card["page"] for card in cards]
    assert len(set(pages)) == 3
    assert all((tmp_path / "site" / page).exists() for page in pages)
    assert [data(tmp_path / "site", f"{i}/model")["name"] for i in (1, 2, 3)] == [
        card["name"] for card in cards
    ]


def test_links_stay_valid_when_stores_are_added(tmp_path: Path) -> None:
    first = write_store(tmp_path / "a", UNITS)
    gallery.export([first], tmp_path / "site")
    (card,) = data(tmp_path / "site", "models")
    other = write_store(tmp_path / "b", UNITS, model="cueworld/mixer")
    gallery.export([other, first], tmp_path / "site")
    assert data(tmp_path / "site", "models")[1]["page"] == card["page"]


def test_failures_come_in_the_order_of_units_with_their_reason(tmp_path: Path) -> None:
    failures = {"head:7": "ran out", "blocks.0.mlp.fc1:10": "NaN", "blocks.0.mlp.fc1:9": "NaN"}
    gallery.export([write_store(tmp_path / "a", [], failures=failures)], tmp_path / "site")
    assert data(tmp_path / "site", "1/model")["failures"] == [
        ["blocks.0.mlp.fc1:9", "NaN", ""],
        ["blocks.0.mlp.fc1:10", "NaN", ""],
        ["head:7", "ran out", ""],
    ]


def test_pages_refer_to_files_that_are_there_and_hold_no_data(tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site")
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        references = re.findall(r'(?:src|href|data-folder)="([^"#]+)"', text)
        assert len(references) >= 4
        assert all((tmp_path / "site" / reference).exists() for reference in references)
        assert "cueworld" not in text
        assert "patch_embed" not in text


def test_progress_wraps_the_rows_and_knows_their_number(tmp_path: Path) -> None:
    seen: list[Any] = []

    def progress(rows: Iterable[Any], total: int) -> Iterable[Any]:
        seen.append(total)
        for row in rows:
            seen.append(row)
            yield row

    gallery.export([write_store(tmp_path / "a", UNITS)], tmp_path / "site", progress)
    assert seen[0] == 5
    assert len(seen) == 6


def test_nothing_to_show_is_refused_and_writes_no_page(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="at least one store"):
        gallery.export([], tmp_path / "site")
    with pytest.raises(FeatvizError, match="a: nothing to show"):
        gallery.export([write_store(tmp_path / "a", [])], tmp_path / "site")
    assert not list((tmp_path / "site").glob("*.html"))
