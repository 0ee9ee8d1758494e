from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batches
from featviz.rendering.batches import Outcome, run, split
from tests.featviz.toys import index_of, toy_vit

MODEL = toy_vit()
STEPS = 3


def recipe(samples: int = 1) -> Recipe:
    return make_recipe(MODEL, samples=samples, steps=STEPS)


def neurons(indices: Sequence[int]) -> list[Unit]:
    return [Unit("blocks.0.mlp.fc1", index) for index in indices]


class FakeOptimizer:
    """Returns the indices of units as activations; out of memory above `room` units."""

    def __init__(self, room: int = 1000, raising: Sequence[int] = (), nan: Sequence[int] = ()):
        self.room, self.raising, self.nan = room, set(raising), set(nan)
        self.sizes: list[int] = []

    def __call__(
        self,
        _model: VisionModel,
        batch: Sequence[Unit],
        settings: Recipe,
        tick: Callable[[], object] = lambda: None,
    ) -> Pictures:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("no room")
        indices = [index_of(unit) for unit in batch]
        if self.raising & set(indices):
            raise ValueError("this unit is broken\nand more lines")
        for _ in range(settings.steps):
            tick()
        values = torch.tensor([float("nan") if n in self.nan else float(n) for n in indices])
        each = values[:, None].expand(-1, settings.samples)
        images = torch.zeros(*each.shape, 4, 4, 3, dtype=torch.uint8)
        trajectory = each[..., None].expand(-1, -1, settings.steps)
        return Pictures(images, each, trajectory, torch.zeros(each.shape, dtype=torch.bool))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeOptimizer], FakeOptimizer]:
    def install(optimizer: FakeOptimizer) -> FakeOptimizer:
        monkeypatch.setattr(batches, "optimize", optimizer)
        return optimizer

    return install


def finished(outcomes: Sequence[Outcome]) -> list[Unit]:
    return [unit for outcome in outcomes for unit in [*outcome.units, *outcome.failures]]


@given(st.data())
def test_every_unit_is_in_exactly_one_outcome(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 20))
    indices = list(range(count))
    subsets = st.sets(st.sampled_from(indices)) if indices else st.just(set[int]())
    raising, nan = data.draw(subsets), data.draw(subsets)
    size, room = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 8))
    fake = FakeOptimizer(room, sorted(raising), sorted(nan))
    whole = [neurons(indices[start : start + size]) for start in range(0, count, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        outcomes = list(run(MODEL, whole, recipe()))
    assert sorted(finished(outcomes), key=index_of) == neurons(indices)
    failed = {index_of(unit) for outcome in outcomes for unit in outcome.failures}
    assert failed == (raising | nan if room else set(indices))
    for outcome in outcomes:
        values = [] if outcome.pictures is None else outcome.pictures.activation[:, 0].tolist()
        assert values == [index_of(unit) for unit in outcome.units]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_a_batch_size_that_ran_out_of_memory_is_not_tried_again(
    count: int, size: int, room: int
) -> None:
    fake = FakeOptimizer(room)
    whole = [neurons(range(start, min(start + size, count))) for start in range(0, count, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        outcomes = list(run(MODEL, whole, recipe()))
    failed = [size for size in fake.sizes if size > room]
    assert all(later < earlier for earlier, later in itertools.pairwise(failed))
    assert [unit.index for unit in finished(outcomes)] == list(range(count))


def test_one_failing_unit_does_not_shrink_later_batches(
    fake: Callable[[FakeOptimizer], FakeOptimizer],
) -> None:
    optimizer = fake(FakeOptimizer(raising=[0]))
    list(run(MODEL, [neurons(range(4)), neurons(range(4, 8))], recipe()))
    assert optimizer.sizes == [4, 2, 1, 1, 2, 4]


def test_a_failure_is_recorded_in_one_line(fake: Callable[[FakeOptimizer], FakeOptimizer]) -> None:
    fake(FakeOptimizer(raising=[1]))
    (outcome,) = run(MODEL, [neurons([1])], recipe())
    assert outcome == Outcome([], None, {neurons([1])[0]: "ValueError: this unit is broken"})


def test_a_unit_that_becomes_nan_fails_with_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory = torch.tensor([[[1.0, 2.0, 3.0]], [[1.0, float("inf"), float("nan")]]])
    varying = torch.zeros(2, 1, dtype=torch.bool)
    pictures = Pictures(torch.zeros(2, 1, 4, 4, 3), torch.ones(2, 1), trajectory, varying)
    monkeypatch.setattr(batches, "optimize", lambda *_: pictures)
    (outcome,) = run(MODEL, [neurons([5, 6])], recipe())
    assert outcome.units == neurons([5])
    assert outcome.failures == {neurons([6])[0]: "its activation is not finite at step 1"}


def test_a_finished_picture_whose_activation_is_nan_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    activation = torch.tensor([[float("nan")]])
    varying = torch.zeros(1, 1, dtype=torch.bool)
    pictures = Pictures(torch.zeros(1, 1, 4, 4, 3), activation, torch.zeros(1, 1, STEPS), varying)
    monkeypatch.setattr(batches, "optimize", lambda *_: pictures)
    (outcome,) = run(MODEL, [neurons([5])], recipe())
    assert outcome.pictures is None
    assert list(outcome.failures.values()) == [
        "its activation is not finite on the finished picture"
    ]


def test_ctrl_c_propagates(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Pictures:
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "optimize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run(MODEL, [neurons(range(4))], recipe()))


def test_progress_starts_at_0_and_ends_at_all_pictures(
    fake: Callable[[FakeOptimizer], FakeOptimizer],
) -> None:
    fake(FakeOptimizer(room=2, raising=[3]))
    whole = [neurons(range(4)), neurons(range(4, 6))]
    calls: list[list[float]] = []
    list(run(MODEL, whole, recipe(samples=2), lambda *now: calls.append(list(now))))
    assert calls[0] == [0, 12]
    assert calls[-1] == [12, 12]
    assert {total for _, total in calls} == {12}


def test_a_batch_contains_one_layer() -> None:
    mixed = units(MODEL, "blocks.0.mlp.fc1:0-4", "blocks.1.mlp.fc1:0-2", "blocks.0.mlp.fc1:7-9@1")
    found = split(MODEL, mixed[::-1], 3)
    assert [len(batch) for batch in found] == [3, 3, 3, 2]
    assert all(len({unit.site for unit in batch}) == 1 for batch in found)
    assert sorted(map(str, itertools.chain(*found))) == sorted(map(str, mixed))


def test_two_names_of_one_layer_share_a_batch() -> None:
    both = [Unit("patch_embed", 0), Unit("patch_embed.proj", 1)]
    assert split(MODEL, both, 8) == [both]
