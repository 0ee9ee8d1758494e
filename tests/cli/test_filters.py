from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from torch import nn

from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run, tree


def test_the_table_counts_the_stored_filters(run: Run, tmp_path: Path) -> None:
    result = run("filters", "cueworld/resnet", "-o", tmp_path / "store")
    assert result.status == 0
    heading, *lines = result.out.splitlines()
    assert heading.split() == ["class", "filters"]
    counts = {name: int(count) for name, count in (line.rsplit(None, 1) for line in lines)}
    stored = Counter(row["class"] for row in Store(tmp_path / "store").rows("filters"))
    assert {name: count for name, count in counts.items() if count} == stored
    assert list(counts) == [
        "regular",
        "regular dark",
        "near-solid colour",
        "solid colour",
        "very dark",
    ]
    assert sum(counts.values()) == 64


def test_json_has_the_counts_and_a_second_run_writes_nothing(run: Run, tmp_path: Path) -> None:
    words = ("filters", "cueworld/vit", "-o", tmp_path / "store", "--json")
    first = json.loads(run(*words).out)
    everything = {"filters": 128, "components": 28, "positions": 64}
    nothing = dict.fromkeys(everything, 0)
    assert (first["stored"], first["done"]) == (everything, nothing)
    assert sum(first["classes"].values()) == 128
    before = tree(tmp_path)
    again = run(*words)
    assert json.loads(again.out) == first | {"stored": nothing, "done": everything}
    assert "0 filters stored, 128 already stored" in again.err
    assert (again.status, tree(tmp_path)) == (0, before)


def test_the_store_of_another_model_is_refused_and_renamed_with_force(
    run: Run, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    run("filters", "cueworld/mixer", "-o", store)
    before = tree(tmp_path)
    refusal = run("filters", "cueworld/resnet", "-o", store).refusal()
    assert "is of another model" in refusal
    assert tree(tmp_path) == before
    assert run("filters", "cueworld/resnet", "-o", store, "--force").status == 0
    assert Store(store).model == "cueworld/resnet"
    assert Store(tmp_path / "store.1").model == "cueworld/mixer"


def test_a_model_that_does_not_start_with_a_convolution_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16**2, 2)).eval()
    model = VisionModel("mine", module, 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    monkeypatch.setattr("cli.filters.load_model", lambda *_: model)
    refusal = run("filters", "mine", "-o", tmp_path / "store").refusal()
    assert "the first layer of mine, 1, is a Linear" in refusal
    assert not (tmp_path / "store").exists()


def test_a_packed_store_keeps_filters(run: Run, tmp_path: Path) -> None:
    run("filters", "cueworld/vit", "-o", tmp_path / "store")
    assert run("pack", tmp_path / "store", tmp_path / "store.h5").status == 0
    packed, folder = Store(tmp_path / "store.h5"), Store(tmp_path / "store")
    for kind in ("filters", "components", "positions"):
        assert packed.addresses(kind) == folder.addresses(kind)
    assert (
        packed.row("patch_embed:9", "filters")["class"]
        == (folder.row("patch_embed:9", "filters")["class"])
    )
