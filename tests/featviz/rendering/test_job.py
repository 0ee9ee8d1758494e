from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batches
from featviz.rendering.job import plan, render_to_store
from featviz.rendering.plan import Plan
from featviz.rendering.render import Rendering
from featviz.store.jobs import JobSummary
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from tests.featviz.rendering.conftest import SELECTORS, STEPS
from tests.featviz.toys import toy_vit


def recipe(model: VisionModel, **settings: Any) -> Recipe:
    return make_recipe(model, **{"samples": 2, "steps": STEPS} | settings)


def to_store(model: VisionModel, store: Path, batch: int = 4, **options: Any) -> JobSummary:
    return render_to_store(model, units(model, *SELECTORS), recipe(model), store, batch, **options)


def assert_same(store: Path, expected: Rendering) -> None:
    """Assert that a store has the units of a rendering, and their values up to rounding."""
    opened = Store(store)
    assert set(opened.addresses()) == set(map(str, expected.units))
    for index, unit in enumerate(expected.units):
        row = opened.row(str(unit))
        np.testing.assert_allclose(row["activation"], expected.activation[index], rtol=1e-3)
        difference = row["images"].astype(int) - expected.images[index]
        assert np.abs(difference).max() <= 1


def interrupting(after: int) -> Any:
    """Return an `optimize` that raises KeyboardInterrupt after a number of batches."""
    calls = iter(range(after + 1))

    def call(*arguments: Any) -> Pictures:
        if next(calls) == after:
            raise KeyboardInterrupt
        return optimize(*arguments)

    return call


def test_a_store_holds_what_render_returns(
    toy: VisionModel, whole: Rendering, tmp_path: Path
) -> None:
    summary = to_store(toy, tmp_path / "store")
    assert summary == JobSummary(stored=7, done=0, failures={})
    assert_same(tmp_path / "store", whole)
    row = Store(tmp_path / "store").row("patch_embed:1")
    np.testing.assert_allclose(row["trajectory"], whole.trajectory[3], rtol=1e-3)


def test_a_second_run_renders_and_writes_nothing(toy: VisionModel, tmp_path: Path) -> None:
    to_store(toy, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")}
    assert to_store(toy, tmp_path) == JobSummary(stored=0, done=7, failures={})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")} == before


def test_a_longer_list_adds_only_the_missing_units(toy: VisionModel, tmp_path: Path) -> None:
    few = units(toy, SELECTORS[0])
    render_to_store(toy, few, recipe(toy), tmp_path, 4)
    assert to_store(toy, tmp_path) == JobSummary(stored=4, done=3, failures={})


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_job_keeps_its_batches_and_resumes_to_the_same_result(
    toy: VisionModel,
    whole: Rendering,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", interrupting(after))
        with pytest.raises(KeyboardInterrupt):
            to_store(toy, tmp_path)
    kept = len(Store(tmp_path))
    assert (kept > 0) == (after > 0)
    assert to_store(toy, tmp_path) == JobSummary(stored=7 - kept, done=kept, failures={})
    assert_same(tmp_path, whole)


@pytest.mark.parametrize("shards", [[(0, 2), (1, 2)], [(1, 2), (2, 2)], [(0, 3), (1, 3), (2, 3)]])
def test_shards_split_the_job_and_make_the_same_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path, shards: Sequence[tuple[int, int]]
) -> None:
    parts = [to_store(toy, tmp_path, shard=shard).stored for shard in shards]
    assert sum(parts) == 7
    assert max(parts) - min(parts) <= 1
    assert_same(tmp_path, whole)


def test_a_plan_counts_the_missing_units_and_writes_nothing(
    toy: VisionModel, tmp_path: Path
) -> None:
    selected = units(toy, *SELECTORS)
    todo = plan(toy, selected, recipe(toy), tmp_path / "store", batch=4)
    assert list(tmp_path.iterdir()) == []
    assert [len(batch) for batch in todo.batches] == [2, 2, 2, 1]
    assert (todo.done, todo.pictures) == (0, 14)
    to_store(toy, tmp_path / "store")
    assert plan(toy, selected, recipe(toy), tmp_path / "store", batch=4) == Plan([], 7, 0, 0)


@pytest.mark.parametrize(
    ("selector", "size", "batch"),
    [
        ("blocks.0.mlp.fc1:all", 64, 24),
        ("patch_embed:0-9", 128, 2),
        ("patch_embed:0-7", 128, 1),
    ],
)
def test_a_plan_estimates_the_size_of_the_store_within_5_percent(
    toy: VisionModel, tmp_path: Path, selector: str, size: int, batch: int
) -> None:
    selected = units(toy, selector)
    settings = recipe(toy, samples=1, steps=1, size=size, preset="naive")
    estimated = plan(toy, selected, settings, tmp_path, batch).bytes
    render_to_store(toy, selected, settings, tmp_path, batch)
    actual = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert estimated == pytest.approx(actual, rel=0.05)


def test_a_unit_that_raises_is_stored_as_failed_and_tried_again(
    toy: VisionModel, whole: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Unit("patch_embed", 1)

    def breaking(model: VisionModel, selected: Sequence[Unit], *rest: Any) -> Pictures:
        if broken in selected:
            raise RuntimeError("no kernel for this")
        return optimize(model, selected, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", breaking)
        summary = to_store(toy, tmp_path)
        assert summary == JobSummary(6, 0, {str(broken): "RuntimeError: no kernel for this"})
        assert Store(tmp_path).failures == {"patch_embed:1": "RuntimeError: no kernel for this"}
        assert to_store(toy, tmp_path).failures == summary.failures
    assert to_store(toy, tmp_path) == JobSummary(stored=1, done=6, failures={})
    assert Store(tmp_path).failures == {}
    assert_same(tmp_path, whole)


def test_a_neuron_whose_weights_are_nan_fails_alone(tmp_path: Path) -> None:
    model = toy_vit()
    model.module.blocks[2].mlp.fc1.weight[1] = float("nan")  # type: ignore[index,union-attr]
    summary = to_store(model, tmp_path)
    assert summary.stored == 6
    (failed,) = summary.failures.items()
    assert failed == (
        "blocks.2.mlp.fc1:1",
        "its activation is not finite at step 0",
    )
    assert all(np.isfinite(row["activation"]).all() for row in Store(tmp_path).rows())


def test_out_of_memory_makes_smaller_batches_and_the_same_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(model: VisionModel, selected: Sequence[Unit], *rest: Any) -> Pictures:
        if len(selected) > 1:
            raise torch.OutOfMemoryError("no room")
        return optimize(model, selected, *rest)

    monkeypatch.setattr(batches, "optimize", limited)
    assert to_store(toy, tmp_path, batch=32) == JobSummary(stored=7, done=0, failures={})
    assert_same(tmp_path, whole)


def test_finished_batches_are_stored_when_the_next_one_is_interrupted(
    toy: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The background thread is still writing when Ctrl-C is pressed."""
    add = StoreWriter.add

    def slowly(*arguments: Any) -> None:
        time.sleep(0.1)
        add(*arguments)

    monkeypatch.setattr(StoreWriter, "add", slowly)
    monkeypatch.setattr(batches, "optimize", interrupting(2))
    with pytest.raises(KeyboardInterrupt):
        to_store(toy, tmp_path)
    assert len(Store(tmp_path)) == 4


class ReversedEngine:
    """An engine that renders the batches in reverse order."""

    def __init__(self) -> None:
        self.closed = False

    def batch_size(self, _model: VisionModel, _unit: Unit, _recipe: Recipe) -> int:
        raise AssertionError("the batch size is given")

    def run(
        self,
        model: VisionModel,
        planned: Sequence[Sequence[Unit]],
        recipe: Recipe,
        progress: Progress = ignore,
    ) -> Generator[batches.Outcome, None, None]:
        try:
            yield from batches.run(model, planned[::-1], recipe, progress)
        finally:
            self.closed = True


def test_the_engine_and_the_order_of_batches_do_not_change_the_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path
) -> None:
    to_store(toy, tmp_path, engine=ReversedEngine())
    assert_same(tmp_path, whole)


def test_the_engine_is_closed_when_writing_fails(
    toy: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise FeatvizError("the disk is full")

    engine = ReversedEngine()
    monkeypatch.setattr(StoreWriter, "add", fail)
    with pytest.raises(FeatvizError, match="the disk is full"):
        to_store(toy, tmp_path, engine=engine)
    assert engine.closed


def by_an_optimizer(module: nn.Module) -> None:
    (weight := next(module.parameters())).requires_grad_()
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.1).step()
    weight.requires_grad_(False)


def by_its_data(module: nn.Module) -> None:
    next(module.parameters()).data.mul_(2)


def by_a_state_dict(module: nn.Module) -> None:
    module.load_state_dict({name: 2 * value for name, value in module.state_dict().items()})


@pytest.mark.parametrize("change", [by_an_optimizer, by_its_data, by_a_state_dict])
def test_a_store_of_a_model_that_was_trained_since_is_refused(
    change: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    model = toy_vit()
    to_store(model, tmp_path / "store")
    before = (tmp_path / "store" / "store.json").read_bytes()
    change(model.module)
    with pytest.raises(FeatvizError, match="is of another model: fingerprint"):
        to_store(model, tmp_path / "store")
    with pytest.raises(FeatvizError, match="is of another model: fingerprint"):
        plan(model, units(model, *SELECTORS), recipe(model), tmp_path / "store")
    assert (tmp_path / "store" / "store.json").read_bytes() == before


def test_force_renames_a_store_of_another_configuration(toy: VisionModel, tmp_path: Path) -> None:
    store = tmp_path / "store"
    selected = units(toy, "patch_embed:0")
    render_to_store(toy, selected, recipe(toy), store)
    old = sorted(path.read_bytes() for path in store.rglob("*.h5"))
    other = recipe(toy, seed=1)
    with pytest.raises(FeatvizError, match="seed is 0 there and 1 here"):
        render_to_store(toy, selected, other, store)
    render_to_store(toy, selected, other, store, force=True)
    (renamed,) = (path for path in tmp_path.iterdir() if path != store)
    assert sorted(path.read_bytes() for path in renamed.rglob("*.h5")) == old
    assert Store(store).configuration["renders"]["seed"] == 1
