from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.errors import FeatvizError
from gallery.stores.merge import merge
from tests.gallery.made_stores import SITES, picture, write_store

UNITS = ["blocks.0.mlp.fc1:0", "blocks.0.mlp.fc1:1"]


def test_stores_of_one_name_but_other_weights_are_other_models(tmp_path: Path) -> None:
    stores = [
        write_store(tmp_path / "a", UNITS),
        write_store(tmp_path / "b", UNITS, fingerprint="cd" * 32),
        write_store(tmp_path / "c", UNITS, model="cueworld/mixer"),
    ]
    models = merge(stores)
    assert [(model.name, model.fingerprint[:2]) for model in models] == [
        ("cueworld/vit", "3f"),
        ("cueworld/vit", "cd"),
        ("cueworld/mixer", "3f"),
    ]


def test_parts_of_one_job_are_one_group_in_which_a_unit_counts_once(tmp_path: Path) -> None:
    parts = [write_store(tmp_path / "a", UNITS), write_store(tmp_path / "b", UNITS[::-1])]
    (model,) = merge(parts)
    (group,) = model.groups
    rows = list(group.rows())
    assert sorted(row["address"] for row in rows) == UNITS
    assert all(np.array_equal(row["images"][0], picture(row["address"], 0)) for row in rows)


def test_labels_of_groups_are_exactly_the_settings_that_differ(tmp_path: Path) -> None:
    diverse = {"samples": 4, "diversity": 0.5, "views": {"shift": 16, "noise": 0.0}}
    stores = [
        write_store(tmp_path / "a", UNITS),
        write_store(tmp_path / "b", UNITS, settings=diverse),
    ]
    (model,) = merge(stores)
    assert [model.label(group) for group in model.groups] == [
        "samples 1, diversity 0.0, views.shift 6",
        "samples 4, diversity 0.5, views.shift 16",
    ]


def test_the_only_group_needs_no_label(tmp_path: Path) -> None:
    (model,) = merge([write_store(tmp_path / "a", UNITS)])
    assert model.label(model.groups[0]) == ""


def test_a_unit_that_failed_in_one_part_and_was_rendered_in_another_has_not_failed(
    tmp_path: Path,
) -> None:
    reasons = {"blocks.0.mlp.fc1:1": "became NaN", "blocks.0.mlp.fc1:2": "became NaN"}
    parts = [
        write_store(tmp_path / "a", UNITS[:1], failures=reasons),
        write_store(tmp_path / "b", UNITS[1:]),
    ]
    (model,) = merge(parts)
    assert model.failures() == [("blocks.0.mlp.fc1:2", "became NaN", "")]


def with_sae(digest: str, name: str = "x") -> dict[str, Any]:
    sae = {"path": f"runs/{digest}", "site": "blocks.2.resid_post", "digest": digest}
    return {"untrained": False, "arch": None, "saes": {name: sae}}


def test_stores_of_several_autoencoders_are_one_model_that_loads_them_all(tmp_path: Path) -> None:
    stores = [
        write_store(tmp_path / "a", UNITS),
        write_store(tmp_path / "b", ["sae.x:0"], load=with_sae("ab"), sites=[*SITES, "sae.x"]),
        write_store(tmp_path / "c", ["sae.y:0"], load=with_sae("cd", "y")),
    ]
    (model,) = merge(stores)
    assert {name: sae["path"] for name, sae in model.load["saes"].items()} == {
        "x": "runs/ab",
        "y": "runs/cd",
    }
    assert model.sites == [*SITES, "sae.x"]


def test_latents_of_two_autoencoders_under_one_name_are_not_shown_together(tmp_path: Path) -> None:
    stores = [
        write_store(tmp_path / name, ["sae.x:0"], load=with_sae(name)) for name in ("ab", "cd")
    ]
    said = 'cd has latents of another sparse autoencoder: sae.x.digest is "cd" there and "ab" here'
    with pytest.raises(FeatvizError, match=re.escape(said)):
        merge(stores)
