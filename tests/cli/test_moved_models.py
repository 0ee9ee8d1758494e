"""The model of a store is found again: from another folder, and after it was moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from featviz.addressing.selectors import units
from featviz.analysis.compare.job import compare_to_store
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.loading.model_of_store import load_model_of
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.cli.running import Run


def save(path: Path, seed: int = 1) -> None:
    """Write a file of weights of a small architecture."""
    torch.manual_seed(seed)
    module = load("test_vit", untrained=True, device="cpu").module
    state = {name: part + 0.01 * seed for name, part in module.state_dict().items()}
    torch.save(state, path)


def render(model: VisionModel, store: str, unit: int = 0) -> None:
    recipe = make_recipe(model, steps=2, size=16)
    render_to_store(model, units(model, f"head:{unit}"), recipe, store)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a file of weights, and a store that was rendered from it."""
    monkeypatch.chdir(tmp_path)
    save(Path("vit.pth"))
    render(load("vit.pth", arch="test_vit", device="cpu"), "store")
    return tmp_path


def test_a_store_of_a_file_keeps_the_name_and_the_absolute_path(folder: Path) -> None:
    store = Store("store")
    assert (store.model, store.location) == ("vit.pth", str(folder / "vit.pth"))
    assert store.load == {"untrained": False, "arch": "test_vit"}
    pack(store, "store.h5")
    assert Store("store.h5").location == store.location


def test_the_model_of_a_store_is_found_from_another_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    model = load_model_of(Store(folder / "store"), device="cpu")
    assert model.name == str(folder / "vit.pth")
    # Other weights of the same name are not those of the store.
    save(Path("vit.pth"), seed=2)
    assert load_model_of(Store(folder / "store"), device="cpu").fingerprint == model.fingerprint


def test_a_store_that_was_written_before_is_read_by_the_typed_name(folder: Path) -> None:
    path = Path("store", "store.json")
    written = json.loads(path.read_bytes())
    del written["location"]
    path.write_text(json.dumps(written))
    assert load_model_of(Store("store"), device="cpu").name == "vit.pth"
    render(load(str(folder / "vit.pth"), arch="test_vit", device="cpu"), "store", 1)
    assert Store("store").addresses() == ["head:0", "head:1"]


def test_a_model_that_is_gone_is_asked_for_in_one_line(folder: Path, run: Run) -> None:
    Path("vit.pth").rename("moved.pth")
    refusal = run("score", "store").refusal()
    assert "cannot load the model of store: there is no file or folder vit.pth; " in refusal
    assert f"there is no file or folder {folder}/vit.pth; --model PATH says where" in refusal
    assert run("score", "store", "--model", "moved.pth").status == 0
    # Now the store knows.
    assert Store("store").location == str(folder / "moved.pth")
    assert run("score", "store").status == 0


def test_other_weights_are_refused_for_a_store(folder: Path, run: Run) -> None:
    del folder
    save(Path("other.pth"), seed=2)
    refusal = run("score", "store", "--model", "other.pth").refusal()
    assert "cannot load the model of store: other.pth is another model: its finger" in refusal
    assert "--model PATH" not in refusal


def test_a_moved_model_adds_to_its_store(folder: Path) -> None:
    before = Store("store")
    Path("vit.pth").rename("moved.pth")
    render(load("./moved.pth", arch="test_vit", device="cpu"), "store", 1)
    store = Store("store")
    assert store.addresses() == ["head:0", "head:1"]
    assert not store.verify()
    assert (store.model, store.location) == (before.model, str(folder / "moved.pth"))


def test_a_location_that_is_no_text_is_damage(folder: Path) -> None:
    path = folder / "store" / "store.json"
    path.write_text(path.read_text().replace(f'"{folder}/vit.pth"', "3"))
    with pytest.raises(FeatvizError, match=r"is damaged: its 'location' is not a string"):
        Store("store")


def test_a_comparison_resumes_with_another_name_of_the_same_model(folder: Path) -> None:
    first, data = load("cueworld/vit", device="cpu"), open_data("cueworld:4")
    recipe = make_recipe(first, steps=1, size=16)
    chosen = units(first, "head:0-1")
    for name, count in (("vit.pth", 1), (str(folder / "vit.pth"), 2)):
        other = load(name, arch="test_vit", device="cpu")
        compare_to_store(first, other, data, chosen[:count], (recipe, recipe), "pairs")
    store = Store("pairs")
    assert len(store.addresses("matches")) == 2
    assert store.configuration["matches"]["other"]["model"] == "vit.pth"
    assert not store.verify()
