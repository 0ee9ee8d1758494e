from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import featviz
from featviz.analysis.compare import job as compare
from featviz.analysis.compare.job import Summary, compare_to_store, default_units, similarity
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from featviz.rendering import batches
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.featviz.toys import toy_vit

DATA = open_data("cueworld:18")


def job(model: VisionModel, store: Path, *selectors: str, **more: Any) -> Summary:
    """Compare a model with the bundled one."""
    other = featviz.load("cueworld/resnet", device="cpu")
    made = make_recipe(model, size=32, steps=2), make_recipe(other, size=32, steps=2)
    chosen = featviz.units(model, *selectors)
    return compare_to_store(model, other, DATA, chosen, made, store, **more)


def test_a_model_is_like_itself_layer_by_layer() -> None:
    model = toy_vit()
    found = similarity(model, model, DATA)
    assert found.layers_a == found.layers_b
    assert found.values.shape == (6, 6)
    assert np.allclose(found.values.diagonal(), 1, atol=1e-9)
    assert np.allclose(found.values, found.values.T, atol=1e-12)
    assert found.values[0, -1] < 0.99


def test_turned_and_shifted_outputs_are_as_like_as_before() -> None:
    model, other = toy_vit(), toy_vit()
    turn = torch.linalg.qr(torch.randn(2, 2, generator=torch.Generator().manual_seed(0))).Q
    with torch.no_grad():
        head = other.module.get_submodule("head")
        assert isinstance(head, nn.Linear)
        head.weight.copy_(turn @ head.weight)
        head.bias.add_(1)
    found = similarity(model, other, DATA)
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


def test_a_store_holds_the_likeness_and_both_pictures_of_each_match(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"
    other = featviz.load("cueworld/resnet", device="cpu")
    summary = job(model, store, "blocks.1.mlp.fc1:0-2")
    assert (summary.layers, summary.rendered, summary.done, summary.failures) == (6, 3, 0, {})
    opened = Store(store)
    assert opened.verify() == []
    settings = opened.configuration["cka"]
    expected = similarity(model, other, DATA)
    assert (settings["own_layers"], settings["layers"]) == (expected.layers_a, expected.layers_b)
    stored = np.stack([opened.row(path, "cka")["similarity"] for path in expected.layers_a])
    assert np.allclose(stored, expected.values, atol=1e-6)
    row = opened.row("blocks.1.mlp.fc1:1", "matches")
    assert row["images"].shape == (2, 32, 32, 3)
    for number, (each, address) in enumerate(((model, row["address"]), (other, row["match"]))):
        alone = featviz.render(each, featviz.units(each, address), steps=2, size=32)
        assert np.array_equal(row["images"][number], alone.images[0, 0])
        assert row["activation"][number] == pytest.approx(alone.activation[0, 0], rel=1e-5)


def test_a_second_run_goes_on_where_the_first_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, store = toy_vit(), tmp_path / "store"
    job(model, store, "blocks.1.mlp.fc1:0-1")
    before = tree(tmp_path)
    again = job(model, store, "blocks.1.mlp.fc1:0-1")
    assert (again.layers, again.rendered, again.done) == (0, 0, 2)
    assert tree(tmp_path) == before
    rendered: list[str] = []

    def watched(model: VisionModel, units: Any, *rest: Any) -> Any:
        rendered.extend(map(str, units))
        return optimize(model, units, *rest)

    monkeypatch.setattr(batches, "optimize", watched)
    assert job(model, store, "blocks.1.mlp.fc1:0-3").rendered == 2
    assert [name for name in rendered if "mlp" in name] == [
        "blocks.1.mlp.fc1:2",
        "blocks.1.mlp.fc1:3",
    ]


def test_what_was_stored_before_an_interruption_stays(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"

    def stop(finished: float, total: int) -> None:
        assert total == 40
        if finished > 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(model, store, "blocks.1.mlp.fc1:0-19", progress=stop)
    assert len(Store(store).addresses("matches")) == compare.AT_ONCE
    assert job(model, store, "blocks.1.mlp.fc1:0-19").done == compare.AT_ONCE
    assert len(Store(store).addresses("matches")) == 20


def test_a_match_of_which_one_picture_fails_is_recorded_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, store = toy_vit(), tmp_path / "store"

    def failing(model: VisionModel, units: Any, *rest: Any) -> Any:
        if any(str(unit) == "blocks.1.mlp.fc1:1" for unit in units):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)

    monkeypatch.setattr(batches, "optimize", failing)
    summary = job(model, store, "blocks.1.mlp.fc1:0-2")
    assert summary.rendered == 2
    assert summary.failures == {"blocks.1.mlp.fc1:1": "ValueError: broken unit"}
    monkeypatch.undo()
    assert job(model, store, "blocks.1.mlp.fc1:0-2").rendered == 1


def test_another_model_other_data_or_another_recipe_is_refused(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "store"
    resnet = featviz.load("cueworld/resnet", device="cpu")
    unit = featviz.units(model, "head:0")
    made = make_recipe(model, size=32, steps=2), make_recipe(resnet, size=32, steps=2)
    compare_to_store(model, resnet, DATA, unit, made, store)
    before = tree(tmp_path)
    with pytest.raises(FeatvizError, match=r"other.model is \"cueworld/resnet\" there and \"toy\""):
        compare_to_store(model, model, DATA, unit, (made[0], made[0]), store)
    with pytest.raises(FeatvizError, match=r"data.name is \"cueworld:18\" there"):
        compare_to_store(model, resnet, open_data("cueworld:19"), unit, made, store)
    with pytest.raises(FeatvizError, match="images is 18 there and 9 here"):
        compare_to_store(model, resnet, DATA, unit, made, store, count=9)
    more = made[0], make_recipe(resnet, size=32, steps=3)
    with pytest.raises(FeatvizError, match="steps is 2 there and 3 here"):
        compare_to_store(model, resnet, DATA, unit, more, store)
    assert tree(tmp_path) == before


def test_what_cannot_be_compared_leaves_no_store(tmp_path: Path) -> None:
    model = toy_vit()
    with pytest.raises(FeatvizError, match="cannot be matched"):
        job(model, tmp_path / "store", "blocks.1.attn.qk:0@same")
    made = make_recipe(model, size=32), make_recipe(model, size=32)
    with pytest.raises(FeatvizError, match="at least 4 images, not 3"):
        compare_to_store(model, model, DATA, [], made, tmp_path / "store", count=3)
    made = make_recipe(model, size=32), make_recipe(model, size=16)
    with pytest.raises(FeatvizError, match="at one size"):
        compare_to_store(model, model, DATA, featviz.units(model, "head:0"), made, tmp_path / "s")
    assert list(tmp_path.iterdir()) == []
