from __future__ import annotations

import random
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import featviz
from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.spectrum import Spectrum
from featviz.rendering import batches
from featviz.rendering.job import plan, render_to_store
from featviz.rendering.plan import Plan
from featviz.rendering.render import Rendering, render
from featviz.store.jobs import JobSummary
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from tests.featviz.toys import toy_vit

STEPS = 3
SELECTORS = ("blocks.2.mlp.fc1:0-2", "patch_embed:1,0", "blocks.0.mlp.fc1:5@0-1")


@pytest.fixture(scope="module")
def toy() -> VisionModel:
    return toy_vit()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(toy: VisionModel) -> Rendering:
    """The units of SELECTORS, two samples of each, in one go."""
    return render(toy, units(toy, *SELECTORS), samples=2, steps=STEPS, batch=32)


def made(model: VisionModel, **settings: Any) -> Recipe:
    return make_recipe(model, **{"samples": 2, "steps": STEPS} | settings)


def to_store(model: VisionModel, store: Path, batch: int = 4, **options: Any) -> JobSummary:
    return render_to_store(model, units(model, *SELECTORS), made(model), store, batch, **options)


def same(store: Path, expected: Rendering) -> None:
    """Hold a store to a rendering: the same units, values within 1e-3, pictures that look alike."""
    opened = Store(store)
    assert set(opened.addresses()) == set(map(str, expected.units))
    for number, unit in enumerate(expected.units):
        row = opened.row(str(unit))
        np.testing.assert_allclose(row["activation"], expected.activation[number], rtol=1e-3)
        difference = row["images"].astype(int) - expected.images[number]
        assert np.abs(difference).max() <= 1


def forms(rendering: Rendering) -> list[tuple[str, tuple[int, ...]]]:
    arrays = (rendering.images, rendering.activation, rendering.trajectory)
    return [(array.dtype.name, array.shape) for array in arrays]


def interrupting(after: int) -> Any:
    """An `optimize` that ends like Ctrl-C in the batch after so many."""
    calls = iter(range(after + 1))

    def call(*arguments: Any) -> Pictures:
        if next(calls) == after:
            raise KeyboardInterrupt
        return optimize(*arguments)

    return call


def test_units_of_several_sites_come_back_in_the_order_given(whole: Rendering) -> None:
    assert [str(unit) for unit in whole.units] == [
        *(f"blocks.2.mlp.fc1:{number}" for number in range(3)),
        "patch_embed:1",
        "patch_embed:0",
        "blocks.0.mlp.fc1:5@0",
        "blocks.0.mlp.fc1:5@1",
    ]


def test_a_rendering_has_the_types_and_shapes_of_its_contract(whole: Rendering) -> None:
    assert forms(whole) == [
        ("uint8", (7, 2, 32, 32, 3)),
        ("float32", (7, 2)),
        ("float32", (7, 2, STEPS)),
    ]
    assert whole.failures == {}


def test_nothing_asked_for_is_an_empty_rendering(toy: VisionModel) -> None:
    nothing = render(toy, [], samples=2, steps=STEPS)
    assert forms(nothing) == [
        ("uint8", (0, 2, 32, 32, 3)),
        ("float32", (0, 2)),
        ("float32", (0, 2, STEPS)),
    ]


def test_activation_is_the_readout_of_the_returned_picture(
    toy: VisionModel, whole: Rendering
) -> None:
    pictures = torch.from_numpy(whole.images).flatten(0, 1).permute(0, 3, 1, 2) / 255
    values = featviz.readout(toy, whole.units)(pictures).view(7, 2, 7)
    own = torch.stack([values[number, :, number] for number in range(7)])
    np.testing.assert_allclose(whole.activation, own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, None])
def test_the_batch_does_not_change_the_pictures(
    toy: VisionModel, whole: Rendering, batch: int | None
) -> None:
    again = render(toy, whole.units, samples=2, steps=STEPS, batch=batch)
    np.testing.assert_allclose(again.activation, whole.activation, rtol=1e-3)
    assert np.abs(again.images.astype(int) - whole.images).max() <= 1


def test_maco_images_of_a_spectrum_are_rendered_as_asked(toy: VisionModel) -> None:
    """Faint waves around a color: the picture is that color."""
    faint = ((0.01, 0.01),) * 3
    colored = Spectrum("red", (0.75, 0.25, 0.25), (0.1, 0.5), faint)
    made = render(toy, units(toy, "patch_embed:1"), steps=2, param="maco", spectrum=colored)
    picture = made.images[0, 0] / 255
    np.testing.assert_allclose(picture.mean((0, 1)), colored.mean, atol=0.01)
    assert 0 < picture.std((0, 1)).min() < 0.05


def test_a_store_holds_what_render_returns(
    toy: VisionModel, whole: Rendering, tmp_path: Path
) -> None:
    summary = to_store(toy, tmp_path / "store")
    assert summary == JobSummary(stored=7, done=0, failures={})
    same(tmp_path / "store", whole)
    row = Store(tmp_path / "store").row("patch_embed:1")
    np.testing.assert_allclose(row["trajectory"], whole.trajectory[3], rtol=1e-3)


def test_a_second_run_renders_nothing_and_writes_nothing(toy: VisionModel, tmp_path: Path) -> None:
    to_store(toy, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")}
    assert to_store(toy, tmp_path) == JobSummary(stored=0, done=7, failures={})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")} == before


def test_a_longer_list_adds_the_missing_units_only(toy: VisionModel, tmp_path: Path) -> None:
    few = units(toy, SELECTORS[0])
    render_to_store(toy, few, made(toy), tmp_path, 4)
    assert to_store(toy, tmp_path) == JobSummary(stored=4, done=3, failures={})


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_job_keeps_its_batches_and_ends_up_the_same(
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
    same(tmp_path, whole)


@pytest.mark.parametrize("shards", [[(0, 2), (1, 2)], [(1, 2), (2, 2)], [(0, 3), (1, 3), (2, 3)]])
def test_shards_share_the_job_and_make_the_same_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path, shards: Sequence[tuple[int, int]]
) -> None:
    parts = [to_store(toy, tmp_path, shard=shard).stored for shard in shards]
    assert sum(parts) == 7
    assert max(parts) - min(parts) <= 1
    same(tmp_path, whole)


def test_a_plan_counts_what_is_left_and_writes_nothing(toy: VisionModel, tmp_path: Path) -> None:
    chosen = units(toy, *SELECTORS)
    todo = plan(toy, chosen, made(toy), tmp_path / "store", batch=4)
    assert list(tmp_path.iterdir()) == []
    assert [len(batch) for batch in todo.batches] == [2, 2, 2, 1]
    assert (todo.done, todo.pictures) == (0, 14)
    to_store(toy, tmp_path / "store")
    assert plan(toy, chosen, made(toy), tmp_path / "store", batch=4) == Plan([], 7, 0, 0)


@pytest.mark.parametrize(
    ("selector", "size", "batch"),
    [
        ("blocks.0.mlp.fc1:all", 64, 24),
        ("patch_embed:0-9", 128, 2),
        ("patch_embed:0-7", 128, 1),
    ],
)
def test_a_plan_foretells_the_bytes_within_5_per_cent(
    toy: VisionModel, tmp_path: Path, selector: str, size: int, batch: int
) -> None:
    chosen = units(toy, selector)
    settings = made(toy, samples=1, steps=1, size=size, preset="naive")
    foretold = plan(toy, chosen, settings, tmp_path, batch).bytes
    render_to_store(toy, chosen, settings, tmp_path, batch)
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert foretold == pytest.approx(taken, rel=0.05)


def test_a_unit_that_raises_is_stored_as_failed_and_tried_again(
    toy: VisionModel, whole: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Unit("patch_embed", 1)

    def breaking(model: VisionModel, chosen: Sequence[Unit], *rest: Any) -> Pictures:
        if broken in chosen:
            raise RuntimeError("no kernel for this")
        return optimize(model, chosen, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", breaking)
        summary = to_store(toy, tmp_path)
        assert summary == JobSummary(6, 0, {str(broken): "RuntimeError: no kernel for this"})
        assert Store(tmp_path).failures == {"patch_embed:1": "RuntimeError: no kernel for this"}
        assert to_store(toy, tmp_path).failures == summary.failures
    assert to_store(toy, tmp_path) == JobSummary(stored=1, done=6, failures={})
    assert Store(tmp_path).failures == {}
    same(tmp_path, whole)


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


def test_a_failed_unit_is_left_out_of_a_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_vit()
    model.module.blocks[2].mlp.fc1.weight[0] = float("nan")  # type: ignore[index,union-attr]
    made_of_it = render(model, units(model, "blocks.2.mlp.fc1:0-1"), steps=STEPS)
    assert made_of_it.units == [Unit("blocks.2.mlp.fc1", 1)]
    assert list(made_of_it.failures) == [Unit("blocks.2.mlp.fc1", 0)]
    assert len(made_of_it.images) == 1


def test_out_of_memory_makes_smaller_batches_and_the_same_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tight(model: VisionModel, chosen: Sequence[Unit], *rest: Any) -> Pictures:
        if len(chosen) > 1:
            raise torch.OutOfMemoryError("no room")
        return optimize(model, chosen, *rest)

    monkeypatch.setattr(batches, "optimize", tight)
    assert to_store(toy, tmp_path, batch=32) == JobSummary(stored=7, done=0, failures={})
    same(tmp_path, whole)


def test_what_was_made_is_stored_when_the_next_batch_is_interrupted_at_once(
    toy: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing goes on in another thread, slowly here, when Ctrl-C comes."""
    add = StoreWriter.add

    def slowly(*arguments: Any) -> None:
        time.sleep(0.1)
        add(*arguments)

    monkeypatch.setattr(StoreWriter, "add", slowly)
    monkeypatch.setattr(batches, "optimize", interrupting(2))
    with pytest.raises(KeyboardInterrupt):
        to_store(toy, tmp_path)
    assert len(Store(tmp_path)) == 4


class Elsewhere:
    """An engine that renders the last batch first."""

    def __init__(self) -> None:
        self.closed = False

    def batch_size(self, _model: VisionModel, _unit: Unit, _made: Recipe) -> int:
        raise AssertionError("the batch is given")

    def run(
        self,
        model: VisionModel,
        cut: Sequence[Sequence[Unit]],
        made: Recipe,
        progress: Progress = ignore,
    ) -> Generator[batches.Outcome, None, None]:
        try:
            yield from batches.run(model, cut[::-1], made, progress)
        finally:
            self.closed = True


def test_neither_engine_nor_order_changes_the_pictures(
    toy: VisionModel, whole: Rendering, tmp_path: Path
) -> None:
    to_store(toy, tmp_path, engine=Elsewhere())
    same(tmp_path, whole)


def test_an_engine_is_told_to_stop_when_the_store_refuses(
    toy: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise FeatvizError("the disk is full")

    engine = Elsewhere()
    monkeypatch.setattr(StoreWriter, "add", refuse)
    with pytest.raises(FeatvizError, match="the disk is full"):
        to_store(toy, tmp_path, engine=engine)
    assert engine.closed


def test_force_sets_a_store_of_another_configuration_aside(
    toy: VisionModel, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    chosen = units(toy, "patch_embed:0")
    render_to_store(toy, chosen, made(toy), store)
    old = sorted(path.read_bytes() for path in store.rglob("*.h5"))
    other = made(toy, seed=1)
    with pytest.raises(FeatvizError, match="seed is 0 there and 1 here"):
        render_to_store(toy, chosen, other, store)
    render_to_store(toy, chosen, other, store, force=True)
    (aside,) = (path for path in tmp_path.iterdir() if path != store)
    assert sorted(path.read_bytes() for path in aside.rglob("*.h5")) == old
    assert Store(store).configuration["renders"]["seed"] == 1


@pytest.mark.parametrize(
    ("unit", "line"),
    [
        (Unit("blocks.9.mlp.fc1", 0), "no module blocks.9.mlp.fc1"),
        (Unit("blocks.0.mlp.fc1", 64), "0-63, not 64"),
        (Unit("blocks.0.mlp.fc1", 0, 99), "not 99"),
        (Unit("head", 0, "cls"), "head"),
    ],
)
def test_a_unit_that_is_not_there_is_refused_before_any_work(
    toy: VisionModel, monkeypatch: pytest.MonkeyPatch, unit: Unit, line: str
) -> None:
    monkeypatch.setattr(batches, "optimize", lambda *_: pytest.fail("work was done"))
    with pytest.raises(FeatvizError, match=line):
        render(toy, [Unit("patch_embed", 0), unit], steps=STEPS)


def test_random_state_and_threads_are_left_as_found(toy: VisionModel) -> None:
    def state() -> list[Any]:
        return [
            torch.get_rng_state().tolist(),
            random.getstate(),
            str(np.random.get_state()),  # noqa: NPY002  the state that must not change
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        ]

    before = state()
    render(toy, units(toy, "patch_embed:0"), samples=2, steps=STEPS)
    assert state() == before
