from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import featviz
from featviz.addressing.selectors import site_of
from featviz.analysis.scores import job, measure
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.scores.job import scores_to_store, settings_of
from featviz.analysis.scores.measure import score
from featviz.analysis.scores.metrics import fine_share, grid_share
from featviz.analysis.scores.rerender import render_other_seeds
from featviz.analysis.scores.spectrum_distance import natural_power_law
from featviz.analysis.tokens.gram_similarity import gram_similarity
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batches
from featviz.rendering.job import render_to_store
from featviz.store.columns import Row
from featviz.store.jobs import JobSummary
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.featviz.toys import toy_vit

SELECTORS = ("patch_embed:2", "blocks.1.mlp.fc1:0-2", "blocks.2.attn.qk:0@same", "head:1")
UNITS = 6


def summary(
    stored: int, done: int, failures: dict[str, str] | None = None, sides: int = 0
) -> JobSummary:
    return JobSummary(stored, done, failures or {}, {"sides": sides})


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


def rendered(
    model: VisionModel, path: Path, samples: int = 2, diversity: float = 0.0, **more: Any
) -> Path:
    recipe = make_recipe(model, steps=6, samples=samples, diversity=diversity, **more)
    render_to_store(model, featviz.units(model, *SELECTORS), recipe, path)
    return path


@pytest.fixture(scope="module")
def pictures(model: VisionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of each unit; tests must not change it."""
    return rendered(model, tmp_path_factory.mktemp("scores") / "s")


@pytest.fixture
def store(model: VisionModel, pictures: Path, tmp_path: Path) -> Path:
    render_to_store(model, [], make_recipe(model, steps=6, samples=2, diversity=0), tmp_path / "s")
    for shard in (pictures / "shards").iterdir():
        (tmp_path / "s" / "shards" / shard.name).write_bytes(shard.read_bytes())
    return tmp_path / "s"


def rows(store: Path) -> dict[str, Row]:
    return {row["address"]: row for row in Store(store).rows("scores")}


def as_images(pictures: Any) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255


def test_every_score_equals_its_definition_picture_by_picture(
    model: VisionModel, store: Path
) -> None:
    assert scores_to_store(model, store) == summary(UNITS, 0)
    found, opened = rows(store), Store(store)
    assert list(found) == opened.addresses()
    for address, row in found.items():
        (unit,) = featviz.units(model, address)
        render, readout = opened.row(address), featviz.readout(model, [unit])
        images = as_images(render["images"])
        with torch.no_grad():
            views = torch.stack([readout(view)[:, 0] for view in held_out(images)])
        np.testing.assert_allclose(row["held_out"], views.mean(0), rtol=1e-4, atol=1e-6)
        assert row["fine"].tolist() == pytest.approx(list(map(fine_share, render["images"])))
        grids = [grid_share(picture, 16) for picture in render["images"]]
        assert row["grid"].tolist() == pytest.approx(grids)
        trajectory = render["trajectory"].astype(np.float64)
        late = trajectory[:, 3:].mean(1)
        rise = (late - trajectory[:, 1:3].mean(1)) / (late - trajectory[:, 0])
        known = np.isfinite(row["rise"])
        np.testing.assert_allclose(row["rise"][known], rise[known], rtol=1e-4)
        with torch.no_grad():
            seen = featviz.Readout(model, [unit, unit]).read_pairs(images).features
        expected = gram_similarity(seen[:1], seen[1:], site_of(model, unit))
        assert float(row["similarity"]) == pytest.approx(float(expected), rel=1e-4)
        # Two samples without a diversity term are two seeds.
        assert float(row["agreement"]) == pytest.approx(float(row["similarity"]), rel=1e-4)


def test_a_second_run_computes_nothing_and_changes_no_byte(
    model: VisionModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores_to_store(model, store)
    before = tree(store)
    monkeypatch.setattr(job, "score", None)
    assert scores_to_store(model, store) == summary(0, UNITS)
    assert tree(store) == before


def test_an_interrupted_job_continues_with_the_missing_units(
    model: VisionModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def interrupted(*arguments: Any) -> measure.Scores:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return score(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(job, "score", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scores_to_store(model, store)
    stored = len(rows(store))
    assert 0 < stored < UNITS
    assert scores_to_store(model, store) == summary(UNITS - stored, stored)
    assert len(rows(store)) == UNITS


def test_scores_do_not_depend_on_the_batch(
    model: VisionModel, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores_to_store(model, store)
    together = rows(store)
    monkeypatch.setattr(job, "PICTURES_PER_BATCH", 1)
    scores_to_store(model, rendered(model, tmp_path / "alone"))
    for address, row in rows(tmp_path / "alone").items():
        for name in row.keys() - {"address"}:
            np.testing.assert_allclose(
                row[name], together[address][name], rtol=1e-3, atol=1e-5, equal_nan=True
            )


def test_one_picture_of_one_seed_has_neither_similarity_nor_agreement(
    model: VisionModel, tmp_path: Path
) -> None:
    scores_to_store(model, rendered(model, tmp_path / "s", samples=1))
    assert all(
        np.isnan([row["similarity"], row["agreement"]]).all()
        for row in rows(tmp_path / "s").values()
    )


def test_samples_with_a_diversity_term_are_not_independent_seeds(
    model: VisionModel, tmp_path: Path
) -> None:
    scores_to_store(model, rendered(model, tmp_path / "s", diversity=0.5))
    for row in rows(tmp_path / "s").values():
        assert np.isnan(row["agreement"])
        assert 0 <= row["similarity"] <= 1


def test_the_agreement_is_the_similarity_of_the_pictures_of_two_seeds(
    model: VisionModel, tmp_path: Path
) -> None:
    scores_to_store(model, rendered(model, tmp_path / "s", samples=1), seeds=2)
    other = Store(rendered(model, tmp_path / "other", samples=1, seed=1))
    for address, row in rows(tmp_path / "s").items():
        (unit,) = featviz.units(model, address)
        pair = [Store(tmp_path / "s").row(address)["images"], other.row(address)["images"]]
        with torch.no_grad():
            readout = featviz.Readout(model, [unit, unit])
            seen = readout.read_pairs(as_images(np.concatenate(pair))).features
        expected = float(gram_similarity(seen[:1], seen[1:], site_of(model, unit)))
        assert float(row["agreement"]) == pytest.approx(expected, rel=1e-4)


def test_a_unit_that_fails_with_another_seed_is_reported_and_tried_again(
    model: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(model: Any, units: Any, *rest: Any) -> Any:
        if "head:1" in map(str, units):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)

    store = rendered(model, tmp_path / "s", samples=1)
    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", failing)
        found = scores_to_store(model, store, seeds=2)
    assert found == summary(UNITS - 1, 0, {"head:1": "ValueError: broken unit"})
    assert scores_to_store(model, store, seeds=2) == summary(1, UNITS - 1)


def test_rendering_other_seeds_reports_its_progress(model: VisionModel) -> None:
    units, calls = featviz.units(model, "head:0-1"), []
    recipe = make_recipe(model, steps=2)
    found, _ = render_other_seeds(model, units, recipe, 3, lambda *call: calls.append(call))
    assert [tuple(pictures.shape) for pictures in found.values()] == [(2, 32, 32, 3)] * 2
    assert calls == [(0, 4), (1, 4), (2, 4), (2, 4), (3, 4), (4, 4)]


def test_a_job_of_many_batches_parses_the_recipe_once(
    model: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = rendered(model, tmp_path / "s", samples=1)
    parsed: list[object] = []

    def noted(configuration: Any) -> Recipe:
        parsed.append(configuration)
        return from_json(configuration)

    from_json = Recipe.from_json
    monkeypatch.setattr(Recipe, "from_json", noted)
    monkeypatch.setattr(job, "PICTURES_PER_BATCH", 1)
    assert scores_to_store(model, store, seeds=2).stored == UNITS > 1
    assert len(parsed) == 1


def test_new_pictures_are_scored_with_the_settings_of_the_scores_in_the_store(
    model: VisionModel, store: Path
) -> None:
    assert settings_of(Store(store), "cueworld:7") == ("cueworld:7", 1)
    assert settings_of(Store(store), None) == (None, 1)
    scores_to_store(model, store, seeds=2)
    assert settings_of(Store(store), "cueworld:7") == (None, 2)
    scores_to_store(model, store, "cueworld:2", force=True)
    assert settings_of(Store(store), "cueworld:7") == ("cueworld:2", 1)


def test_other_settings_are_refused_and_force_sets_the_old_scores_aside(
    model: VisionModel, store: Path
) -> None:
    scores_to_store(model, store)
    before = tree(store)
    with pytest.raises(FeatvizError, match="seeds is 1 there and 2 here; --force sets"):
        scores_to_store(model, store, seeds=2)
    assert tree(store) == before
    assert scores_to_store(model, store, seeds=2, force=True) == summary(UNITS, 0)
    assert set(before.values()) - {before["store.json"]} <= set(tree(store).values())
    assert len(Store(store)) == UNITS


def test_a_packed_store_holds_the_scores_and_accepts_no_new_ones(
    model: VisionModel, store: Path, tmp_path: Path
) -> None:
    scores_to_store(model, store)
    assert Store(store).verify() == []
    pack(Store(store), tmp_path / "s.h5")
    packed = Store(tmp_path / "s.h5")
    assert packed.verify() == []
    for row in packed.rows("scores"):
        np.testing.assert_equal(row, rows(store)[row["address"]])
    with pytest.raises(FeatvizError, match="packed file"):
        scores_to_store(model, tmp_path / "s.h5")


def test_units_with_query_and_key_images_are_counted_and_not_scored(
    model: VisionModel, store: Path
) -> None:
    recipe = make_recipe(model, steps=2, split_qk=True)
    render_to_store(model, featviz.units(model, "blocks.1.attn.qk:0@same"), recipe, store)
    assert scores_to_store(model, store) == summary(UNITS, 0, sides=1)


def test_a_model_without_patches_has_no_grid_share() -> None:
    model = featviz.load("cueworld/resnet", device="cpu")
    units, side = featviz.units(model, "conv1:0"), model.image_size
    noise = np.random.default_rng(0).integers(0, 256, (1, 1, side, side, 3), dtype=np.uint8)
    natural = natural_power_law(side)
    found = score(model, units, noise, np.zeros((1, 1)), np.zeros((1, 1, 8)), natural)
    assert np.isnan(found.grid).all()
    assert np.isnan(found.rise).all()  # of a constant trajectory
    assert found.fine[0, 0] > 0.7


def test_the_model_and_the_random_state_are_restored(model: VisionModel, store: Path) -> None:
    module = model.module
    module.train()
    state, weight = torch.get_rng_state(), next(module.parameters()).requires_grad_()
    try:
        scores_to_store(model, store)
        assert all(part.training for part in module.modules())
        assert weight.requires_grad
        assert weight.grad is None
        assert torch.equal(state, torch.get_rng_state())
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    finally:
        module.eval().requires_grad_(False)


def test_fewer_than_one_seed_is_refused(model: VisionModel, store: Path) -> None:
    with pytest.raises(FeatvizError, match="seeds must be at least 1, not 0"):
        scores_to_store(model, store, seeds=0)
