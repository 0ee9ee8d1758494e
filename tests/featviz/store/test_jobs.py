from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import keep_defaults
from featviz.store.jobs import make_room, open_writer
from featviz.store.reader import Store
from tests.featviz.analysis.evidence.rows import paths, renders, scores


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture
def store(vit: VisionModel, tmp_path: Path) -> Store:
    """Pictures with scores and paths."""
    path, units = tmp_path / "s", ["head:0"]
    open_writer(vit, path, "renders", {"steps": 2}).add(renders(units, [[1, 2]]))
    open_writer(vit, path, "scores", {"seeds": 1}).add(scores(units))
    open_writer(vit, path, "paths", {"layers": ["a", "b"]}).add(paths(units, [1]))
    return Store(path)


@pytest.mark.parametrize("sides", [False, True])
def test_a_store_keeps_its_precision_whatever_is_the_fastest_here(
    vit: VisionModel, tmp_path: Path, sides: bool
) -> None:
    single = make_recipe(vit, steps=2, precision="float32", split_qk=sides)
    half = replace(single, precision="bfloat16")
    for number, (there, here) in enumerate(((single, half), (half, single))):
        path = tmp_path / str(number)
        assert keep_defaults(vit, here, path) is here
        open_writer(vit, path, there.kind, there.to_json())
        assert keep_defaults(vit, here, path) == there
        assert keep_defaults(vit, there, path) == there


def test_a_store_keeps_the_defaults_of_the_version_that_made_it(
    vit: VisionModel, tmp_path: Path
) -> None:
    now = make_recipe(vit, steps=2)
    before = replace(
        now,
        learning_rate=0.5 * now.learning_rate,
        frequency_schedule=0.25,
        decay=1.5,
        betas=(0.8, 0.9),
        cooldown=1.0,
        augmentation=Augmentation(shift=20, noise=0.01),
    )
    open_writer(vit, tmp_path, "renders", before.to_json())
    assert keep_defaults(vit, now, tmp_path) == before
    chosen = make_recipe(vit, steps=2, frequency_schedule=0.375)
    assert keep_defaults(vit, chosen, tmp_path, ["frequency_schedule"]) is chosen
    other = make_recipe(vit, steps=2, preset="cnn")
    assert keep_defaults(vit, other, tmp_path) is other


def test_a_store_that_differs_in_other_settings_decides_nothing(
    vit: VisionModel, tmp_path: Path
) -> None:
    there = make_recipe(vit, steps=2, precision="float32")
    open_writer(vit, tmp_path / "s", "renders", there.to_json())
    here = replace(there, precision="bfloat16")
    for other in (replace(here, steps=3), replace(here, split_qk=True)):
        assert keep_defaults(vit, other, tmp_path / "s") is other
    mixer = featviz.load("cueworld/mixer", device="cpu")
    assert keep_defaults(mixer, here, tmp_path / "s") is here


def test_what_is_no_store_or_a_damaged_one_is_left_to_the_writer(
    vit: VisionModel, tmp_path: Path
) -> None:
    made = make_recipe(vit)
    assert keep_defaults(vit, made, tmp_path) is made
    (tmp_path / "store.json").write_text("{")
    assert keep_defaults(vit, made, tmp_path) is made


def test_results_of_another_configuration_are_refused_without_force(
    vit: VisionModel, store: Store
) -> None:
    with pytest.raises(
        FeatvizError, match="seeds is 1 there and 2 here; --force sets these scores"
    ):
        make_room(vit, store, "scores", {"seeds": 2})
    assert len(Store(store.path).addresses("scores")) == 1


def test_with_force_only_the_kind_in_the_way_is_retired_and_nothing_is_lost(
    vit: VisionModel, store: Store
) -> None:
    shards = store.path / "shards"
    before = {file.name: file.read_bytes() for file in shards.iterdir()}
    make_room(vit, store, "scores", {"seeds": 2}, force=True)
    after = Store(store.path)
    assert [len(after.addresses(kind)) for kind in ("renders", "scores", "paths")] == [1, 0, 1]
    assert after.configuration == {"renders": {"steps": 2}, "paths": {"layers": ["a", "b"]}}
    kept = {file.name.removesuffix(".replaced"): file.read_bytes() for file in shards.iterdir()}
    assert kept == before
    open_writer(vit, store.path, "scores", {"seeds": 2}).add(scores(["head:0"]))
    assert Store(store.path).verify() == []


def test_what_fits_and_what_is_new_stays_as_it_is_even_with_force(
    vit: VisionModel, store: Store
) -> None:
    shards = sorted((store.path / "shards").iterdir())
    make_room(vit, store, "scores", {"seeds": 1}, force=True)
    make_room(vit, store, "validations", {"images": 9}, force=True)
    assert sorted((store.path / "shards").iterdir()) == shards


def test_a_store_of_another_model_is_refused_even_with_force(store: Store) -> None:
    other = featviz.load("cueworld/mixer", device="cpu")
    with pytest.raises(FeatvizError, match="is of another model"):
        make_room(other, store, "scores", {"seeds": 2}, force=True)
