from __future__ import annotations

import json
from dataclasses import replace

import pytest

from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization import recipe
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.spectrum import Spectrum, power_law
from tests.featviz.toys import toy_vit


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


def test_a_recipe_is_restored_from_its_configuration(model: VisionModel) -> None:
    for settings in ({}, {"preset": "naive"}, {"param": "maco", "frequency_schedule": 0.5}):
        written = make_recipe(model, steps=3, **settings)
        assert Recipe.from_json(json.loads(json.dumps(written.to_json()))) == written


def test_a_store_without_betas_and_cooldown_was_rendered_with_those_of_torch_and_without(
    model: VisionModel,
) -> None:
    written = make_recipe(model, steps=3)
    recorded = {
        name: value
        for name, value in written.to_json().items()
        if name not in {"betas", "cooldown"}
    }
    assert Recipe.from_json(recorded) == replace(written, betas=(0.9, 0.999), cooldown=1.0)


def test_a_spectrum_that_has_changed_is_refused(
    model: VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    natural = power_law(1, 32, 32)
    written = make_recipe(model, steps=3, param="maco", spectrum=natural)
    monkeypatch.setattr(recipe, "spectrum_of_dataset", lambda *_: natural)
    assert Recipe.from_json(written.to_json()) == written
    other = Spectrum("other", natural.mean, natural.frequencies, (natural.levels[0][::-1],) * 3)
    monkeypatch.setattr(recipe, "spectrum_of_dataset", lambda *_: other)
    with pytest.raises(FeatvizError, match="has changed since the pictures were made"):
        Recipe.from_json(written.to_json())


def test_a_setting_of_a_newer_version_is_refused_in_one_line(model: VisionModel) -> None:
    recorded = make_recipe(model, steps=3).to_json() | {"momentum": 0.5}
    with pytest.raises(FeatvizError, match="a setting 'momentum' that this version of featviz"):
        Recipe.from_json(recorded)
