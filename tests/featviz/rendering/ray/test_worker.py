"""What a worker does, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.registry import known_models
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batch_size as memory
from featviz.rendering import batches
from featviz.rendering.batch_size import ENOUGH, batch_size
from featviz.rendering.batches import Outcome, run
from featviz.rendering.ray.worker import Source, Worker, measure, pack, unpack
from tests.featviz.toys import toy_vit


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def made(vit: VisionModel) -> Recipe:
    return make_recipe(vit, steps=2, size=16, samples=2)


def same(one: Outcome, other: Outcome) -> None:
    """Hold outcomes to be the same to the bit."""
    assert one.units == other.units
    assert one.failures == other.failures
    assert (one.pictures is None) == (other.pictures is None)
    if one.pictures is not None and other.pictures is not None:
        for name in ("images", "activation", "trajectory"):
            here, there = getattr(one.pictures, name), getattr(other.pictures, name)
            assert here.dtype == there.dtype
            assert torch.equal(here, there)


def frozen(arrays: Any) -> Any:
    """Arrays as the memory that processes share gives them: not to be written to."""
    for array in arrays:
        array.flags.writeable = False
    return arrays


def test_an_outcome_is_the_same_after_its_journey() -> None:
    numbers = torch.arange(12.0).reshape(2, 2, 3)
    pictures = Pictures(numbers.to(torch.uint8), numbers[..., 0], numbers)
    outcome = Outcome([Unit("a", 1), Unit("a", 2)], pictures, {Unit("a", 3): "broken"})
    chosen, arrays, failures = pack(outcome)
    same(unpack((chosen, frozen(arrays), failures)), outcome)
    nothing = Outcome([], None, {Unit("a", 3): "broken"})
    same(unpack(pack(nothing)), nothing)


def test_a_worker_makes_the_pictures_of_this_process(vit: VisionModel, made: Recipe) -> None:
    batch = units(vit, "blocks.0.mlp.fc1:0-1", "blocks.0.mlp.fc1:5@cls")
    worker = Worker(Source.of(vit, gpu=False), made)
    (packed,) = worker.render(batch)
    (expected,) = run(vit, [batch], made)
    same(unpack(packed), expected)
    assert worker.finished() == len(batch) * 2


def test_a_worker_remembers_how_much_memory_there_is(
    vit: VisionModel, made: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def tight(model: VisionModel, batch: Sequence[Unit], *rest: Any) -> Pictures:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no room")
        return optimize(model, batch, *rest)

    monkeypatch.setattr(batches, "optimize", tight)
    worker = Worker(Source.of(vit, gpu=False), made)
    for start in (0, 4):
        found = worker.render(units(vit, f"patch_embed:{start}-{start + 3}"))
        assert [len(packed[0]) for packed in found] == [2, 2]
    assert sizes == [4, 2, 2, 2, 2]


def test_other_weights_under_the_same_name_are_refused(made: Recipe) -> None:
    other = featviz.load("cueworld/vit", device="cpu")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    worker = Worker(Source.of(other, gpu=False), made)
    with pytest.raises(FeatvizError, match="cueworld/vit has other weights on a worker"):
        worker.load()


def test_a_file_of_weights_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = featviz.load("resnet18", untrained=True, device="cpu")
    torch.save(model.module.state_dict(), tmp_path / "weights.pth")
    monkeypatch.chdir(tmp_path)
    here = featviz.load("weights.pth", arch="resnet18", device="cpu")
    source = Source.of(here, gpu=False)
    monkeypatch.chdir("/")
    assert source.load().fingerprint == model.fingerprint


def test_a_known_name_stays_a_name_whatever_lies_in_the_folder(
    vit: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cueworld" / "vit").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "cueworld/vit" in known_models()
    assert Source.of(vit, gpu=False).name == "cueworld/vit"


def test_a_model_made_by_hand_cannot_be_loaded_and_says_its_name(made: Recipe) -> None:
    with pytest.raises(FeatvizError, match="toy"):
        Worker(Source.of(toy_vit(), gpu=False), made).load()


def test_batches_are_measured_as_in_this_process(
    vit: VisionModel, made: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit("blocks.2.mlp.fc1", 0)
    monkeypatch.setattr(memory, "free_memory", lambda _: 2 * 10**7)
    small = measure(Source.of(vit, gpu=False), unit, made, 1)
    assert small == batch_size(vit, unit, made)
    assert 1 < small < ENOUGH["cpu"]


def test_workers_that_share_memory_take_their_part_of_it(
    vit: VisionModel, made: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, unit = Source.of(vit, gpu=False), Unit("blocks.2.mlp.fc1", 0)
    monkeypatch.setitem(memory.ENOUGH, "cpu", 10**9)
    monkeypatch.setattr(memory, "free_memory", lambda _: 10**9)
    alone, four = (measure(source, unit, made, sharing) for sharing in (1, 4))
    assert np.isclose(alone / four, 4, rtol=0.05)
