from __future__ import annotations

import json
from pathlib import Path

import pytest

import featviz
from cli import demo
from featviz.addressing.address import Unit
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run


def test_the_demo_renders_eight_neurons_per_block_diverse_samples_tokens_and_heads(
    vit: VisionModel,
) -> None:
    chosen = [(featviz.units(vit, *selectors), samples) for _, selectors, samples in demo.STORES]
    neurons = [unit for units, samples in chosen if samples == 1 for unit in units]
    for block in range(12):
        mean = {unit for unit in neurons if unit.site == f"blocks.{block}.mlp.fc1"}
        assert sum(unit.token is None for unit in mean) >= 8
    assert any(samples == 4 and units for units, samples in chosen)
    across = {unit.token for unit in neurons if isinstance(unit.token, int | str)}
    assert len(across) >= 4
    of_heads = [unit for unit in neurons if unit.site.endswith("attn.qk")]
    assert len({unit.site for unit in of_heads}) == 4
    assert len(of_heads) == 4 * 4
    at_tokens = [unit for unit in neurons if unit.token is not None and unit not in of_heads]
    assert len({Unit(unit.site, unit.index) for unit in at_tokens}) == 1


def test_the_demo_prints_the_page_and_resumes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = (("neurons", ("blocks.0.mlp.fc1:0-1",), 1), ("diverse", ("patch_embed:3",), 2))
    monkeypatch.setattr(demo, "STORES", small)
    monkeypatch.setattr(demo, "STEPS", 1)
    monkeypatch.setattr(demo, "DATA", "cueworld:20")
    monkeypatch.setattr(demo, "TRACED", 8)
    folder = tmp_path / "demo"
    for _ in range(2):
        result = run("demo", "-o", folder)
        assert (result.status, result.out) == (0, f"{folder / 'gallery' / 'index.html'}\n")
        assert (folder / "gallery" / "index.html").is_file()
        stores = [Store(folder / name) for name, *_ in small]
        assert [len(store) for store in stores] == [2, 1]
        # So that a gallery of it shows what featviz measures.
        for kind in ("examples", "scores"):
            assert [len(store.addresses(kind)) for store in stores] == [2, 1]
        assert len(stores[0].addresses("logits")) == 2
        assert len(Store(folder / "traces").addresses("traces")) == 8
    assert "neurons: 0 units rendered, 2 already stored, 0 failed" in result.err
    report = json.loads(run("demo", "-o", folder, "--json").out)
    assert report["page"] == str(folder / "gallery" / "index.html")
    assert [(each["store"], each["done"]) for each in report["stores"]] == [
        (str(folder / "neurons"), 2),
        (str(folder / "diverse"), 1),
    ]
