"""The worker of the Ray engine, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.loading.registry import known_models
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batch_size as memory
from featviz.rendering import batches
from featviz.rendering.batch_size import ENOUGH, batch_size
from featviz.rendering.batches import Outcome, run
from featviz.rendering.ray.worker import Source, Worker, measure, pack, unpack
from tests.featviz.models.sae.files import write_random
from tests.featviz.toys import toy_vit


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def recipe(vit: VisionModel) -> Recipe:
    return make_recipe(vit, steps=2, size=16, samples=2)


def assert_same(one: Outcome, other: Outcome) -> None:
    """Assert that outcomes are equal, bit for bit."""
    assert one.units == other.units
    assert one.failures == other.failures
    assert (one.pictures is None) == (other.pictures is None)
    if one.pictures is not None and other.pictures is not None:
        for name in ("images", "activation", "trajectory"):
            left, right = getattr(one.pictures, name), getattr(other.pictures, name)
            assert left.dtype == right.dtype
            assert torch.equal(left, right)


def read_only(arrays: Any) -> Any:
    """Make arrays read-only, as those in shared memory are."""
    for array in arrays:
        array.flags.writeable = False
    return arrays


def test_an_outcome_is_unchanged_by_packing_and_unpacking() -> None:
    values = torch.arange(12.0).reshape(2, 2, 3)
    pictures = Pictures(values.to(torch.uint8), values[..., 0], values, values[..., 0] > 4)
    outcome = Outcome([Unit("a", 1), Unit("a", 2)], pictures, {Unit("a", 3): "broken"})
    packed_units, arrays, failures = pack(outcome)
    assert_same(unpack((packed_units, read_only(arrays), failures)), outcome)
    empty = Outcome([], None, {Unit("a", 3): "broken"})
    assert_same(unpack(pack(empty)), empty)


def test_a_worker_renders_the_same_pictures_as_this_process(
    vit: VisionModel, recipe: Recipe
) -> None:
    batch = units(vit, "blocks.0.mlp.fc1:0-1", "blocks.0.mlp.fc1:5@cls")
    worker = Worker(Source.of(vit, gpu=False), recipe)
    (packed,) = worker.render(batch)
    (expected,) = run(vit, [batch], recipe)
    assert_same(unpack(packed), expected)
    assert worker.finished() == len(batch) * 2


def test_a_worker_remembers_the_batch_size_that_fits_in_memory(
    vit: VisionModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def limited(model: VisionModel, batch: Sequence[Unit], *rest: Any) -> Pictures:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no room")
        return optimize(model, batch, *rest)

    monkeypatch.setattr(batches, "optimize", limited)
    worker = Worker(Source.of(vit, gpu=False), recipe)
    for start in (0, 4):
        found = worker.render(units(vit, f"patch_embed:{start}-{start + 3}"))
        assert [len(packed[0]) for packed in found] == [2, 2]
    assert sizes == [4, 2, 2, 2, 2]


def test_other_weights_under_the_same_name_are_refused(recipe: Recipe) -> None:
    other = featviz.load("cueworld/vit", device="cpu")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    worker = Worker(Source.of(other, gpu=False), recipe)
    with pytest.raises(FeatvizError, match="cueworld/vit has other weights on a worker"):
        worker.load()


def test_a_weight_file_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = featviz.load("resnet18", untrained=True, device="cpu")
    torch.save(model.module.state_dict(), tmp_path / "weights.pth")
    monkeypatch.chdir(tmp_path)
    loaded = featviz.load("weights.pth", arch="resnet18", device="cpu")
    source = Source.of(loaded, gpu=False)
    monkeypatch.chdir("/")
    assert source.load().fingerprint == model.fingerprint


def test_a_known_model_name_takes_precedence_over_a_folder(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cueworld" / "vit").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "cueworld/vit" in known_models()
    assert Source.of(vit, gpu=False).name == "cueworld/vit"


def test_a_module_of_your_own_needs_a_name_to_load_it_by() -> None:
    with pytest.raises(FeatvizError, match=r"^workers cannot load toy, .*; load it as py:PACKAGE"):
        Source.of(toy_vit(), gpu=False)


def test_a_model_is_loaded_with_the_same_options(recipe: Recipe) -> None:
    model = featviz.load("cueworld/vit", image_size=64, std=(0.5, 0.5, 0.4), device="cpu")
    worker = Worker(Source.of(model, gpu=False), recipe)
    (packed,) = worker.render(batch := units(model, "head:0"))
    (expected,) = run(model, [batch], recipe)
    assert_same(unpack(packed), expected)


def test_the_measured_batch_size_is_that_of_this_process(
    vit: VisionModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit("blocks.2.mlp.fc1", 0)
    monkeypatch.setattr(memory, "free_memory", lambda _: 2 * 10**7)
    measured = measure(Source.of(vit, gpu=False), unit, recipe, 1)
    assert measured == batch_size(vit, unit, recipe)
    assert 1 < measured < ENOUGH["cpu"]


def test_workers_on_one_machine_divide_its_memory(
    vit: VisionModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, unit = Source.of(vit, gpu=False), Unit("blocks.2.mlp.fc1", 0)
    monkeypatch.setitem(memory.ENOUGH, "cpu", 10**9)
    monkeypatch.setattr(memory, "free_memory", lambda _: 10**9)
    alone, four = (measure(source, unit, recipe, sharing) for sharing in (1, 4))
    assert np.isclose(alone / four, 4, rtol=0.05)


def test_a_worker_in_another_folder_finds_the_latents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    monkeypatch.chdir(tmp_path)
    write_random(Path("sae"), 128, layer=2)
    model = featviz.load("cueworld/vit", device="cpu", saes={"x": "sae"})
    source = Source.of(model, gpu=False)
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir("worker")
    (batch,) = [units(model, "sae.x:1")]
    (there,) = run(source.load(), [batch], recipe)
    (here,) = run(model, [batch], recipe)
    assert_same(there, here)
