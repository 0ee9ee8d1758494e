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
from tests.featviz.toys import number, toy_vit

MODEL = toy_vit()
STEPS = 3


def made(samples: int = 1) -> Recipe:
    return make_recipe(MODEL, samples=samples, steps=STEPS)


def named(numbers: Sequence[int]) -> list[Unit]:
    return [Unit("blocks.0.mlp.fc1", number) for number in numbers]


class FakeOptimizer:
    """Makes pictures whose values are the units' numbers; out of memory above `room` units."""

    def __init__(self, room: int = 1000, raising: Sequence[int] = (), nan: Sequence[int] = ()):
        self.room, self.raising, self.nan = room, set(raising), set(nan)
        self.sizes: list[int] = []

    def __call__(
        self,
        _model: VisionModel,
        batch: Sequence[Unit],
        chosen: Recipe,
        tick: Callable[[], object] = lambda: None,
    ) -> Pictures:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("no room")
        numbers = [number(unit) for unit in batch]
        if self.raising & set(numbers):
            raise ValueError("this unit is broken\nand says so at length")
        for _ in range(chosen.steps):
            tick()
        values = torch.tensor([float("nan") if n in self.nan else float(n) for n in numbers])
        each = values[:, None].expand(-1, chosen.samples)
        images = torch.zeros(*each.shape, 4, 4, 3, dtype=torch.uint8)
        return Pictures(images, each, each[..., None].expand(-1, -1, chosen.steps))


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
    numbers = list(range(count))
    some = st.sets(st.sampled_from(numbers)) if numbers else st.just(set[int]())
    raising, nan = data.draw(some), data.draw(some)
    size, room = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 8))
    fake = FakeOptimizer(room, sorted(raising), sorted(nan))
    whole = [named(numbers[start : start + size]) for start in range(0, count, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        outcomes = list(run(MODEL, whole, made()))
    assert sorted(finished(outcomes), key=number) == named(numbers)
    failed = {number(unit) for outcome in outcomes for unit in outcome.failures}
    assert failed == (raising | nan if room else set(numbers))
    for outcome in outcomes:
        values = [] if outcome.pictures is None else outcome.pictures.activation[:, 0].tolist()
        assert values == [number(unit) for unit in outcome.units]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_a_size_that_ran_out_of_memory_is_never_tried_again(
    count: int, size: int, room: int
) -> None:
    fake = FakeOptimizer(room)
    whole = [named(range(start, min(start + size, count))) for start in range(0, count, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        outcomes = list(run(MODEL, whole, made()))
    refused = [tried for tried in fake.sizes if tried > room]
    assert all(later < earlier for earlier, later in itertools.pairwise(refused))
    assert [unit.index for unit in finished(outcomes)] == list(range(count))


def test_one_broken_unit_does_not_shrink_the_batches_after_it(
    fake: Callable[[FakeOptimizer], FakeOptimizer],
) -> None:
    optimizer = fake(FakeOptimizer(raising=[0]))
    list(run(MODEL, [named(range(4)), named(range(4, 8))], made()))
    assert optimizer.sizes == [4, 2, 1, 1, 2, 4]


def test_a_failure_is_told_in_one_line(fake: Callable[[FakeOptimizer], FakeOptimizer]) -> None:
    fake(FakeOptimizer(raising=[1]))
    (outcome,) = run(MODEL, [named([1])], made())
    assert outcome == Outcome([], None, {named([1])[0]: "ValueError: this unit is broken"})


def test_a_unit_that_turns_nan_is_told_by_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory = torch.tensor([[[1.0, 2.0, 3.0]], [[1.0, float("inf"), float("nan")]]])
    pictures = Pictures(torch.zeros(2, 1, 4, 4, 3), torch.ones(2, 1), trajectory)
    monkeypatch.setattr(batches, "optimize", lambda *_: pictures)
    (outcome,) = run(MODEL, [named([5, 6])], made())
    assert outcome.units == named([5])
    assert outcome.failures == {named([6])[0]: "its activation is not finite at step 1"}


def test_a_finished_picture_without_a_value_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    activation = torch.tensor([[float("nan")]])
    pictures = Pictures(torch.zeros(1, 1, 4, 4, 3), activation, torch.zeros(1, 1, STEPS))
    monkeypatch.setattr(batches, "optimize", lambda *_: pictures)
    (outcome,) = run(MODEL, [named([5])], made())
    assert outcome.pictures is None
    assert list(outcome.failures.values()) == [
        "its activation is not finite on the finished picture"
    ]


def test_ctrl_c_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Pictures:
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "optimize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run(MODEL, [named(range(4))], made()))


def test_progress_starts_at_nothing_and_ends_at_all_pictures(
    fake: Callable[[FakeOptimizer], FakeOptimizer],
) -> None:
    fake(FakeOptimizer(room=2, raising=[3]))
    whole = [named(range(4)), named(range(4, 6))]
    told: list[list[float]] = []
    list(run(MODEL, whole, made(samples=2), lambda *now: told.append(list(now))))
    assert told[0] == [0, 12]
    assert told[-1] == [12, 12]
    assert {total for _, total in told} == {12}


def test_a_batch_never_mixes_layers() -> None:
    mixed = units(MODEL, "blocks.0.mlp.fc1:0-4", "blocks.1.mlp.fc1:0-2", "blocks.0.mlp.fc1:7-9@1")
    cut = split(MODEL, mixed[::-1], 3)
    assert [len(batch) for batch in cut] == [3, 3, 3, 2]
    assert all(len({unit.site for unit in batch}) == 1 for batch in cut)
    assert sorted(map(str, itertools.chain(*cut))) == sorted(map(str, mixed))


def test_two_names_of_one_layer_share_a_batch() -> None:
    both = [Unit("patch_embed", 0), Unit("patch_embed.proj", 1)]
    assert split(MODEL, both, 8) == [both]
