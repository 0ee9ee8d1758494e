from __future__ import annotations

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
from featviz.rendering.plan import batches_of, depth
from featviz.rendering.time_estimate import estimate
from tests.featviz.toys import toy_vit

MODEL = toy_vit()


class FakeTime:
    """A clock, and an `optimize` that takes seconds of it, straight in the depth."""

    def __init__(self, start: float, shallow: float, deeper: float) -> None:
        self.start, self.shallow, self.deeper = start, shallow, deeper
        self.now, self.steps = 100.0, 0

    def clock(self) -> float:
        return self.now

    def cost(self, unit: Unit, steps: int) -> float:
        return self.start + steps * (self.shallow + self.deeper * depth(MODEL, unit))

    def __call__(
        self,
        _model: VisionModel,
        batch: Sequence[Unit],
        made: Recipe,
        _tick: Callable[[], object] = lambda: None,
    ) -> Pictures:
        self.steps += made.steps
        self.now += len(batch) * made.samples * self.cost(batch[0], made.steps)
        shape = (len(batch), made.samples)
        return Pictures(
            torch.zeros(*shape, 4, 4, 3, dtype=torch.uint8),
            torch.zeros(shape),
            torch.zeros(*shape, made.steps),
        )


@given(st.integers(1, 9), st.integers(1, 3), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_costs_that_grow_evenly_with_depth_are_foretold_exactly(
    limit: int, samples: int, start: float, shallow: float, deeper: float
) -> None:
    made = make_recipe(MODEL, samples=samples, steps=37)
    chosen = units(MODEL, "patch_embed:0-4", "blocks.all.mlp.fc1:0-6", "blocks.3.mlp.fc2:0")
    cut = batches_of(MODEL, chosen, made, limit)
    fake = FakeTime(start, shallow, deeper)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        told = estimate(MODEL, cut, made, fake.clock)
    assert fake.steps <= 15
    true = sum(samples * fake.cost(unit, 37) for unit in chosen)
    assert told == pytest.approx(true, rel=1e-6, abs=1e-6)


def test_nothing_to_do_takes_no_time_and_no_probe() -> None:
    assert estimate(MODEL, [], make_recipe(MODEL)) == 0


def test_a_clock_that_is_disturbed_gives_no_negative_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 1.0, 9.0, 9.0, 9.5])
    monkeypatch.setattr(batches, "optimize", FakeTime(0, 0, 0))
    chosen = [units(MODEL, "patch_embed:0")]
    told = estimate(MODEL, chosen, make_recipe(MODEL, steps=5), lambda: next(times))
    # The short run took 8 s and the long one half a second: steps cost nothing, the start 8 s.
    assert told == 8.0
