from __future__ import annotations

import inspect
from dataclasses import fields

import featviz
from featviz.optimization.presets import PRESETS
from featviz.optimization.recipe import Recipe
from featviz.optimization.settings import KEYS, PRESET_NAMES, Settings


def test_the_settings_offer_exactly_the_existing_presets() -> None:
    assert tuple(PRESETS) == PRESET_NAMES


def test_every_setting_is_a_field_of_the_recipe_and_an_argument_of_render() -> None:
    names = {each.name for each in fields(Settings)}
    assert names <= {each.name for each in fields(Recipe)}
    shown = inspect.signature(featviz.render).parameters
    assert names <= shown.keys()
    assert {name: shown[name].default for name in names} == {
        each.name: each.default for each in fields(Settings)
    }


def test_stores_keep_the_keys_of_the_first_version() -> None:
    renamed = {name: key for name, key in KEYS.items() if name != key}
    assert renamed == {
        "tv_weight": "smoothness",
        "frequency_schedule": "progressive",
        "cosine_power": "cosine",
        "split_qk": "sides",
    }
