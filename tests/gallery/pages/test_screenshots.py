"""The pure parts of the command that photographs a gallery: docs/make_screenshots.py."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

import featviz
from cli.main import featviz as command_line
from gallery.sections.registry import SECTIONS
from gallery.sections.report import NAME as REPORT

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "gallery/browser/model/page.js"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(
        "make_screenshots", ROOT / "docs/make_screenshots.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_page_is_photographed_in_three_sizes_light_and_dark(script: ModuleType) -> None:
    found = [(shot.name, shot.width, shot.scheme) for shot in script.shots()]
    assert len(found) == len(set(found)) == 6 * len(script.SHOTS)
    for name in script.SHOTS:
        of_page = {(width, scheme) for page, width, scheme in found if page == name}
        assert of_page == {(w, s) for w in (390, 1280, 1920) for s in ("light", "dark")}


def test_files_are_named_after_page_width_and_scheme(script: ModuleType) -> None:
    names = [shot.file for shot in script.shots()]
    assert "unit-390-dark.webp" in names
    assert all(re.fullmatch(r"[a-z]+-(390|1280|1920)-(light|dark)\.webp", name) for name in names)


def test_every_section_of_the_gallery_has_a_shot(script: ModuleType) -> None:
    hashes = set(script.SHOTS.values())
    assert {f"#{name}" for name in (REPORT, *(section.name for section in SECTIONS))} <= hashes
    pages = re.search(r"const PAGES = \{(.*?)\};", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert pages is not None
    kinds = re.findall(r"^  ([a-z]+)[:,(]", pages[1], re.MULTILINE)
    assert set(kinds) >= {"unit", "pins", "labels"}
    for kind in kinds:
        assert any(each and re.match(rf"#{kind}\b", each) for each in hashes), kind


def test_shots_lead_to_the_index_or_into_the_page_of_the_model(script: ModuleType) -> None:
    urls = {shot.name: shot.url(Path("/site"), "vit.html") for shot in script.shots()}
    assert urls["index"] == "file:///site/index.html"
    assert urls["grid"] == "file:///site/vit.html"
    assert urls["report"] == "file:///site/vit.html#report"
    assert urls["pins"].count("%3A") == urls["pins"].count(",") + 1 == 3


def test_commands_parse_and_make_every_store_that_is_shown(script: ModuleType) -> None:
    stores = set()
    for line in script.COMMANDS:
        name, *rest = shlex.split(line)
        rest = [str(ROOT / "README.md") if word in script.SAVED else word for word in rest]
        stores.add(command_line.commands[name].make_context(name, rest).params["store"])
    assert stores == set(script.STORES)


def test_units_that_are_photographed_and_labeled_are_rendered(script: ModuleType) -> None:
    vit = featviz.load("cueworld/vit", device="cpu", saes={"s": "cueworld/sae"})
    rendered = set()
    for line in script.COMMANDS:
        name, *rest = shlex.split(line)
        if name == "render":
            selectors = command_line.commands[name].make_context(name, rest).params["selectors"]
            rendered |= {str(unit) for unit in featviz.units(vit, *selectors)}
    hashes = {each or "" for each in script.SHOTS.values()}
    shown = {each.removeprefix("#unit=") for each in hashes if each.startswith("#unit=")}
    pinned = {unquote(address) for address in script.SHOTS["pins"].partition("=")[2].split(",")}
    assert len(shown) == len(pinned) == 3
    assert shown | pinned | set(script.LABELS) <= rendered


def test_the_pictures_that_are_kept_are_those_of_the_pages_and_below_5_mb(
    script: ModuleType,
) -> None:
    pictures = list((ROOT / "docs/pictures/gallery").glob("*"))
    assert {path.name for path in pictures} <= {shot.file for shot in script.shots()}
    assert sum(path.stat().st_size for path in pictures) < script.MOST_BYTES == 4_500_000
