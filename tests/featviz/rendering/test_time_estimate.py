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
from featviz.rendering.time_estimate import estimate_seconds
from tests.featviz.toys import toy_vit

MODEL = toy_vit()


class FakeTime:
    """A clock and an `optimize` whose time is linear in the depth of the units."""

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
        recipe: Recipe,
        _tick: Callable[[], object] = lambda: None,
    ) -> Pictures:
        self.steps += recipe.steps
        self.now += len(batch) * recipe.samples * self.cost(batch[0], recipe.steps)
        shape = (len(batch), recipe.samples)
        return Pictures(
            torch.zeros(*shape, 4, 4, 3, dtype=torch.uint8),
            torch.zeros(shape),
            torch.zeros(*shape, recipe.steps),
            torch.zeros(shape, dtype=torch.bool),
        )


@given(st.integers(1, 9), st.integers(1, 3), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_costs_that_are_linear_in_the_depth_are_estimated_exactly(
    limit: int, samples: int, start: float, shallow: float, deeper: float
) -> None:
    recipe = make_recipe(MODEL, samples=samples, steps=37)
    selected = units(MODEL, "patch_embed:0-4", "blocks.all.mlp.fc1:0-6", "blocks.3.mlp.fc2:0")
    planned = batches_of(MODEL, selected, recipe, limit)
    fake = FakeTime(start, shallow, deeper)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "optimize", fake)
        estimate = estimate_seconds(MODEL, planned, recipe, fake.clock)
    assert fake.steps <= 15
    actual = sum(samples * fake.cost(unit, 37) for unit in selected)
    assert estimate == pytest.approx(actual, rel=1e-6, abs=1e-6)


def test_the_estimate_for_no_batches_is_0_without_a_measurement() -> None:
    assert estimate_seconds(MODEL, [], make_recipe(MODEL)) == 0


def test_the_estimate_is_not_negative_if_the_short_run_took_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([0.0, 1.0, 1.0, 9.0, 9.0, 9.5])
    monkeypatch.setattr(batches, "optimize", FakeTime(0, 0, 0))
    selected = [units(MODEL, "patch_embed:0")]
    estimate = estimate_seconds(MODEL, selected, make_recipe(MODEL, steps=5), lambda: next(times))
    # The short run took 8 s and the long one 0.5 s, so only the start counts.
    assert estimate == 8.0
