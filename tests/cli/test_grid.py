from __future__ import annotations

import json
from pathlib import Path

import pytest

from featviz.store.reader import Store
from tests.cli.running import Run, tree

WORDS = ("grid", "cueworld/vit", "blocks.0.attn.qk:0-1@q10,20.k10,0", "--steps", 2, "--size", 16)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grids") / "s"


def test_each_head_has_one_figure_and_a_second_run_writes_nothing(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "s"
    result = run(*WORDS, "-o", store, "--json")
    names = [f"blocks.0.attn.qk:{head}@q10,20.k10,0" for head in (0, 1)]
    report = json.loads(result.out)
    assert report == {"store": str(store), "drawn": 2, "done": 0, "grids": names, "failures": {}}
    assert result.status == 0
    opened = Store(store)
    assert opened.addresses("grids") == names
    assert len(opened) == 8
    before = tree(store)
    again = run(*WORDS, "-o", store)
    assert (again.status, again.out) == (0, "")
    assert "0 figures drawn, 2 already stored" in again.err
    assert tree(store) == before


def test_another_recipe_is_refused_without_force(run: Run, store: Path) -> None:
    run(*WORDS, "-o", store)
    before = tree(store)
    assert "--force" in run(*WORDS, "-o", store, "--seed", 1).refusal()
    assert tree(store) == before


def test_wrong_arguments_are_refused_in_one_line_without_a_store(run: Run, tmp_path: Path) -> None:
    for selector, words in (
        ("blocks.0.attn.qk:0@same", "names no token pairs"),
        ("blocks.0.attn.qk:0@q1.k99", "0-64, not 99"),
    ):
        refusal = run("grid", "cueworld/vit", selector, "-o", tmp_path / "s").refusal()
        assert words in refusal
    assert not (tmp_path / "s").exists()


def test_a_gallery_accepts_a_store_of_grids(run: Run, store: Path, tmp_path: Path) -> None:
    run(*WORDS, "-o", store)
    assert run("gallery", store, "-o", tmp_path / "site").status == 0
    assert (tmp_path / "site" / "index.html").exists()
