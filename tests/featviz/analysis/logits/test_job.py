from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from timm.data.imagenet_info import ImageNetInfo

import featviz
from featviz.analysis.evidence.unit_evidence import read_evidence
from featviz.analysis.logits.direct_effects import direct_effects
from featviz.analysis.logits.job import class_names, logits_to_store
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel

UNITS = ("blocks.9.mlp.fc1:0-3", "blocks.2.attn.qk:0@same", "blocks.3.attn.z:5")


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


def test_a_store_holds_the_effects_by_class_and_resumes(vit: VisionModel, tmp_path: Path) -> None:
    first = logits_to_store(vit, UNITS[0], tmp_path / "s")
    assert (first.stored, first.done) == (4, 0)
    second = logits_to_store(vit, UNITS, tmp_path / "s")
    assert (second.stored, second.done, list(second.skipped)) == (1, 4, [UNITS[1]])
    store = featviz.Store(tmp_path / "s")
    assert store.configuration["logits"]["classes"] == list(vit.classes)
    expected = direct_effects(vit, UNITS)
    for unit, effects in zip(expected.units, expected.effects, strict=True):
        np.testing.assert_array_equal(store.row(str(unit), "logits")["effects"], effects)
    assert store.verify() == []


def test_effects_are_evidence_of_a_unit_with_pictures(vit: VisionModel, tmp_path: Path) -> None:
    from featviz.optimization.recipe import make_recipe  # noqa: PLC0415
    from featviz.rendering.job import render_to_store  # noqa: PLC0415

    units = featviz.units(vit, "blocks.9.mlp.fc1:2")
    render_to_store(vit, units, make_recipe(vit, steps=1), tmp_path / "s")
    logits_to_store(vit, units, tmp_path / "s")
    found = read_evidence(tmp_path / "s", str(units[0])).logits
    assert found is not None
    expected = direct_effects(vit, units).effects[0]
    assert found == dict(zip(vit.classes, expected.tolist(), strict=True))


def test_without_any_direct_effect_no_store_is_made(vit: VisionModel, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"patch_embed:0 and 2 more: no neuron of an MLP"):
        logits_to_store(vit, "patch_embed:0-2", tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_logits_have_unique_names_or_numbers(vit: VisionModel) -> None:
    imagenet = replace(vit, classes=tuple(ImageNetInfo().label_descriptions()))
    names = class_names(imagenet, 1000)
    assert len(set(names)) == 1000
    assert names[0] == "tench, Tinca tinca"
    assert names[134] == "crane (134)"  # 517 is the other crane
    assert class_names(vit, 3) == ["0", "1", "2"]
