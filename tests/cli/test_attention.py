from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import featviz
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run, tree

WORDS = ("attention", "cueworld/vit", "blocks.0,6.attn.qk:1,2", "--data", "cueworld:18")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps") / "s"


def test_json_has_what_the_store_has_and_units_that_can_be_rendered(
    run: Run, vit: VisionModel, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    result = run(*WORDS, "-o", store, "--json")
    assert result.status == 0
    assert "4 heads mapped, 0 were there" in result.err
    found = json.loads(result.out)["heads"]
    names = ["blocks.0.attn.qk:1", "blocks.0.attn.qk:2", "blocks.6.attn.qk:1", "blocks.6.attn.qk:2"]
    assert [head["address"] for head in found] == names
    for head in found:
        row = Store(store).row(head["address"], "attention")
        for name in ("prefix", "self", "local", "entropy"):
            assert head[name] == pytest.approx(float(row[name]))
        way = head["displacement"]
        there = row["displacement"][7 + way["rows"], 7 + way["columns"]]
        assert way["lift"] == pytest.approx(float(there) * 65, rel=1e-5)
        addresses = [one["address"] for one in head["suggestions"]]
        assert [str(unit) for unit in featviz.units(vit, *addresses)] == addresses
    # Head 1 of block 6 looks at the patch itself, on every dataset of this world.
    assert found[2]["suggestions"][0]["address"] == "blocks.6.attn.qk:1@same"


def test_again_nothing_is_written_and_the_table_says_the_same(run: Run, store: Path) -> None:
    run(*WORDS, "-o", store)
    before = tree(store)
    table = run(*WORDS, "-o", store)
    assert tree(store) == before
    assert "0 heads mapped, 4 were there" in table.err
    told = json.loads(run(*WORDS, "-o", store, "--json").out)["heads"]
    heading, *rows = (line.split() for line in table.out.splitlines())
    assert heading == [
        "head",
        "prefix",
        "self",
        "local",
        "entropy",
        "strongest",
        "lift",
        "suggestion",
    ]
    for row, head in zip(rows, told, strict=True):
        assert row[0] == head["address"]
        assert float(row[4]) == pytest.approx(head["entropy"], abs=6e-4)
        assert row[7:] == [one["address"] for one in head["suggestions"]]


def test_without_a_site_every_head_is_mapped(run: Run, tmp_path: Path) -> None:
    words = ("attention", "cueworld/vit", "--data", "cueworld", "--images", 2, "-o", tmp_path / "s")
    assert "48 heads mapped" in run(*words).err
    store = Store(tmp_path / "s")
    assert store.configuration["attention"]["images"] == 2
    rows = list(store.rows("attention"))
    assert len(rows) == 48
    np.testing.assert_allclose([row["pattern"].sum(1) for row in rows], 1, atol=1e-6)


def test_mistakes_cost_one_line_and_no_store(run: Run, tmp_path: Path) -> None:
    words = ("--data", "cueworld:2", "-o", tmp_path / "s")
    assert "has no heads" in run("attention", "cueworld/vit", "head:0", *words).refusal()
    assert "no attention" in run("attention", "cueworld/resnet", *words).refusal()
    assert not (tmp_path / "s").exists()


def test_other_data_needs_a_store_of_its_own_or_force(run: Run, tmp_path: Path) -> None:
    words = ("attention", "cueworld/vit", "blocks.0.attn.qk:0", "-o", tmp_path / "s", "--data")
    assert run(*words, "cueworld:2").status == 0
    assert "--force" in run(*words, "cueworld:3").refusal()
    assert run(*words, "cueworld:3", "--force").status == 0
    assert (tmp_path / "s.1").is_dir()
