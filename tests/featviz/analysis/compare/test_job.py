from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import featviz
from featviz.analysis.compare.job import BATCH, compare_to_store, default_units, layer_similarity
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from featviz.rendering import batches
from featviz.store.jobs import JobSummary
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.featviz.toys import toy_vit

DATA = open_data("cueworld:18")


def compare_with_resnet(
    model: VisionModel, store: Path, *selectors: str, **more: Any
) -> JobSummary:
    """Compare a model with the bundled ResNet."""
    other = featviz.load("cueworld/resnet", device="cpu")
    recipes = make_recipe(model, size=32, steps=2), make_recipe(other, size=32, steps=2)
    chosen = featviz.units(model, *selectors)
    return compare_to_store(model, other, DATA, chosen, recipes, store, **more)


def test_a_model_has_similarity_one_with_itself_at_each_layer() -> None:
    model = toy_vit()
    found = layer_similarity(model, model, DATA)
    assert found.layers_a == found.layers_b
    assert found.values.shape == (6, 6)
    assert np.allclose(found.values.diagonal(), 1, atol=1e-9)
    assert np.allclose(found.values, found.values.T, atol=1e-12)
    assert found.values[0, -1] < 0.99


def test_rotating_and_shifting_outputs_changes_no_similarity() -> None:
    model, other = toy_vit(), toy_vit()
    rotation = torch.linalg.qr(torch.randn(2, 2, generator=torch.Generator().manual_seed(0))).Q
    with torch.no_grad():
        head = other.module.get_submodule("head")
        assert isinstance(head, nn.Linear)
        head.weight.copy_(rotation @ head.weight)
        head.bias.add_(1)
    found = layer_similarity(model, other, DATA)
    assert found.values[-1, -1] == pytest.approx(1, abs=1e-6)


def test_default_units_are_the_first_of_evenly_spaced_layers() -> None:
    vit = [str(unit) for unit in default_units(featviz.load("cueworld/vit"))]
    assert len(vit) == 32
    assert vit[:5] == [*(f"blocks.0.mlp.fc1:{index}" for index in range(4)), "blocks.2.mlp.fc1:0"]
    assert vit[-1] == "blocks.11.mlp.fc1:3"
    resnet = [unit.site for unit in default_units(featviz.load("cueworld/resnet"))]
    assert len(resnet) == 32
    assert resnet[0] == "conv1"
    assert resnet[-1].startswith("layer4.")


def test_a_store_holds_the_similarities_and_both_pictures_of_each_match(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"
    other = featviz.load("cueworld/resnet", device="cpu")
    summary = compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-2")
    assert summary == JobSummary(3, 0, {}, {"layers": 6})
    opened = Store(store)
    assert opened.verify() == []
    settings = opened.configuration["cka"]
    expected = layer_similarity(model, other, DATA)
    assert (settings["own_layers"], settings["layers"]) == (expected.layers_a, expected.layers_b)
    stored = np.stack([opened.row(path, "cka")["similarity"] for path in expected.layers_a])
    assert np.allclose(stored, expected.values, atol=1e-6)
    row = opened.row("blocks.1.mlp.fc1:1", "matches")
    assert row["images"].shape == (2, 32, 32, 3)
    for index, (each, address) in enumerate(((model, row["address"]), (other, row["match"]))):
        alone = featviz.render(each, featviz.units(each, address), steps=2, size=32)
        assert np.array_equal(row["images"][index], alone.images[0, 0])
        assert row["activation"][index] == pytest.approx(alone.activation[0, 0], rel=1e-5)


def test_a_second_run_computes_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, store = toy_vit(), tmp_path / "store"
    compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-1")
    before = tree(tmp_path)
    again = compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-1")
    assert again == JobSummary(0, 2, {}, {"layers": 0})
    assert tree(tmp_path) == before
    rendered: list[str] = []

    def watched(model: VisionModel, units: Any, *rest: Any) -> Any:
        rendered.extend(map(str, units))
        return optimize(model, units, *rest)

    monkeypatch.setattr(batches, "optimize", watched)
    assert compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-3").stored == 2
    assert [name for name in rendered if "mlp" in name] == [
        "blocks.1.mlp.fc1:2",
        "blocks.1.mlp.fc1:3",
    ]


def test_matches_stored_before_an_interruption_are_kept(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"

    def stop(finished: float, total: int) -> None:
        assert total == 40
        if finished > 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-19", progress=stop)
    assert len(Store(store).addresses("matches")) == BATCH
    assert compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-19").done == BATCH
    assert len(Store(store).addresses("matches")) == 20


def test_a_match_with_a_failed_picture_is_recorded_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, store = toy_vit(), tmp_path / "store"

    def failing(model: VisionModel, units: Any, *rest: Any) -> Any:
        if any(str(unit) == "blocks.1.mlp.fc1:1" for unit in units):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)

    monkeypatch.setattr(batches, "optimize", failing)
    summary = compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-2")
    assert summary.stored == 2
    assert summary.failures == {"blocks.1.mlp.fc1:1": "ValueError: broken unit"}
    monkeypatch.undo()
    assert compare_with_resnet(model, store, "blocks.1.mlp.fc1:0-2").stored == 1


def test_another_model_other_data_or_another_recipe_is_refused(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"
    resnet = featviz.load("cueworld/resnet", device="cpu")
    unit = featviz.units(model, "head:0")
    recipes = make_recipe(model, size=32, steps=2), make_recipe(resnet, size=32, steps=2)
    compare_to_store(model, resnet, DATA, unit, recipes, store)
    before = tree(tmp_path)
    with pytest.raises(FeatvizError, match=r"other.model is \"cueworld/resnet\" there and \"toy\""):
        compare_to_store(model, model, DATA, unit, (recipes[0], recipes[0]), store)
    with pytest.raises(FeatvizError, match=r"data.name is \"cueworld:18\" there"):
        compare_to_store(model, resnet, open_data("cueworld:19"), unit, recipes, store)
    with pytest.raises(FeatvizError, match="images is 18 there and 9 here"):
        compare_to_store(model, resnet, DATA, unit, recipes, store, count=9)
    more = recipes[0], make_recipe(resnet, size=32, steps=3)
    with pytest.raises(FeatvizError, match="steps is 2 there and 3 here"):
        compare_to_store(model, resnet, DATA, unit, more, store)
    assert tree(tmp_path) == before


def test_a_comparison_that_is_refused_leaves_no_store(tmp_path: Path) -> None:
    model = toy_vit()
    with pytest.raises(FeatvizError, match="cannot be matched"):
        compare_with_resnet(model, tmp_path / "store", "blocks.1.attn.qk:0@same")
    recipes = make_recipe(model, size=32), make_recipe(model, size=32)
    with pytest.raises(FeatvizError, match="at least 4 images, not 3"):
        compare_to_store(model, model, DATA, [], recipes, tmp_path / "store", count=3)
    recipes = make_recipe(model, size=32), make_recipe(model, size=16)
    with pytest.raises(FeatvizError, match="must have the same size, got 32 and 16"):
        compare_to_store(model, model, DATA, [], recipes, tmp_path / "store")
    recipes = make_recipe(model, size=32), make_recipe(model, size=32, samples=2)
    with pytest.raises(FeatvizError, match="must have one sample"):
        compare_to_store(model, model, DATA, [], recipes, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []
