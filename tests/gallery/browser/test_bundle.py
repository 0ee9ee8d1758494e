"""The scripts and styles of the pages: modules, and the files that are made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gallery
from tests.gallery.browser.sources import BROWSER, FOLDERS, SOURCES, need, run

HERE = Path(gallery.__file__).parent
STATIC = HERE / "static"
PAGES = ("index", "model")
MADE = [f"{page}.{suffix}" for page in PAGES for suffix in ("css", "js")]
MOST_ENTRIES = 12


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sources give now, in a new folder, with a record of what was read for it."""
    need((BROWSER / "node_modules").is_dir(), "esbuild is not installed; run `make lint`")
    folder = tmp_path_factory.mktemp("bundle")
    meta = folder / "meta.json"
    run("npm", "run", "--silent", "bundle", "--", f"--outdir={folder}", f"--metafile={meta}")
    return folder


@pytest.fixture(scope="module")
def inputs(bundle: Path) -> dict[str, Any]:
    """What was read: of each file, by its path, what it imports."""
    found: dict[str, Any] = json.loads((bundle / "meta.json").read_text())["inputs"]
    return found


@pytest.mark.parametrize("name", MADE)
def test_the_file_of_a_page_is_what_the_sources_give(name: str, bundle: Path) -> None:
    assert (STATIC / name).read_bytes() == (bundle / name).read_bytes(), "run `make scripts`"


def test_nothing_else_is_copied_into_a_gallery(bundle: Path) -> None:
    made = {path.name for path in bundle.iterdir()} - {"meta.json"}
    assert made == set(MADE)
    assert {path.name for path in STATIC.iterdir()} == {*MADE, "icon.svg"}


def test_every_source_is_part_of_a_page(inputs: dict[str, Any]) -> None:
    assert set(inputs) == {path.relative_to(BROWSER).as_posix() for path in SOURCES}
    assert len(inputs) > 50


def test_every_function_that_a_module_exports_is_imported_by_another() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES if path.suffix == ".js"}
    taken = {
        (name.strip(), (path.parent / module).resolve())
        for path, text in texts.items()
        for names, module in re.findall(r'^import \{([^}]*)\} from "([^"]+)";', text, re.MULTILINE)
        for name in names.split(",")
    }
    given = {
        (name, path)
        for path, text in texts.items()
        for name in re.findall(
            r"^export (?:async )?(?:function|class|const|let) (\w+)", text, re.MULTILINE
        )
    }
    assert len(given) > 50
    assert given - taken == set()


def test_no_module_imports_itself_by_way_of_others(inputs: dict[str, Any]) -> None:
    imports = {name: {each["path"] for each in file["imports"]} for name, file in inputs.items()}
    assert sum(map(len, imports.values())) > 100
    while free := {name for name, others in imports.items() if not others & imports.keys()}:
        imports = {name: others for name, others in imports.items() if name not in free}
    assert imports == {}


def test_shared_modules_know_nothing_of_a_page(inputs: dict[str, Any]) -> None:
    below = {"shared": {"shared"}, "charts": {"shared", "charts"}, "state": {"shared", "state"}}
    for name, file in inputs.items():
        folder = name.partition("/")[0]
        used = {each["path"].partition("/")[0] for each in file["imports"]}
        assert used <= below.get(folder, used), name


@pytest.mark.parametrize("folder", [BROWSER, *FOLDERS], ids=lambda path: path.name)
def test_a_folder_has_few_entries_and_none_is_empty(folder: Path) -> None:
    entries = [path for path in folder.iterdir() if path.name != "node_modules"]
    assert 0 < len(entries) <= MOST_ENTRIES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_its_data_its_script_and_its_style_alone(page: str) -> None:
    html = (HERE / "templates" / f"{page}.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script ([^>]*)>", html)
    assert all(each.endswith(" defer") for each in scripts)
    assert [each for each in scripts if "$static" in each] == [f'src="$static/{page}.js" defer']
    assert "$static" in scripts[-1]  # behind the data that it reads
    assert re.findall(r'rel="stylesheet" href="([^"]*)"', html) == [f"$static/{page}.css"]


@pytest.mark.parametrize("page", PAGES)
def test_the_script_of_a_page_is_strict_and_leaves_no_name_behind(page: str) -> None:
    lines = (STATIC / f"{page}.js").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith('"use strict";')
    assert lines[1] == "(() => {"
    assert lines[-1] == "})();"
    assert all(line == "" or line.startswith(" ") for line in _code(lines[2:-1]))


def _code(lines: list[str]) -> Iterator[str]:
    """Lines outside texts that run over several."""
    inside = False
    for line in lines:
        if not inside:
            yield line
        inside ^= line.count("`") % 2 == 1


def test_versions_of_the_tools_are_exact_and_no_lock_names_a_host() -> None:
    package = json.loads((BROWSER / "package.json").read_text(encoding="utf-8"))
    assert package["private"] is True
    versions = package["devDependencies"].values()
    assert versions
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert not (BROWSER / "package-lock.json").exists()
