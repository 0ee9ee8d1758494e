"""Data of the section of activation patching, against a sweep made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gallery
from gallery.sections.traces import _group_names
from tests.gallery import results
from tests.gallery.results import write_results, write_sweep
from tests.gallery.test_exporter import data

SITES = [(0, "all", "all", 1), (1, "all", "all", 1), (0, "all", "all", 3)]
EFFECTS = {"all:probability": [0.5, -0.25, 1.0], "class.1:kl": [0.0, 0.125, 0.25]}


def exported(folder: Path) -> Any:
    gallery.export([folder / "s"], folder / "site")
    return data(folder / "site", "1/sections/traces")


def test_numbers_are_those_of_the_store_in_the_order_of_the_sites(tmp_path: Path) -> None:
    write_sweep(tmp_path / "s", SITES, EFFECTS, [0.5, np.nan, 1.0], grid=(2, 3))
    (block,) = exported(tmp_path)["sweeps"]
    assert block["sites"] == {
        "layer": [0, 1, 0],
        "head": ["all"] * 3,
        "token": ["all"] * 3,
        "window": [1, 1, 3],
    }
    assert (block["grid"], block["prefix"]) == ([2, 3], 1)
    assert block["averages"] == [
        ["all", "all", "probability", False, 0],
        ["class", "1", "kl", False, 1],
    ]
    first, second = data(tmp_path / "site", "1/effects/0")
    assert first["images"] == 30
    assert first["means"] == [1.25, 0.25]
    assert first["total"] == [1, 0.9, 1.1]
    assert first["effect"] == [[0.5, -0.25, 1], [0.4, -0.35, 0.9], [0.6, -0.15, 1.1]]
    assert first["share"] == [[0.5, None, 1], [0.4, None, 0.9], [0.6, None, 1.1]]
    assert second["effect"][0] == [0, 0.125, 0.25]
    (image,) = block["images"]
    assert (image["image"], image["label"], image["means"]) == ("7", "<b>", [[0.75] * 2, [0.5] * 2])
    assert image["effect"] == [[0.125] * 3] * 2


def test_checks_and_diagnostics_of_estimates_are_those_of_the_store(tmp_path: Path) -> None:
    estimate = {"steps": 2, "direct": False, "exact": 2}
    write_sweep(tmp_path / "s", SITES, EFFECTS, estimate=estimate)
    settings = {**results.SWEEP, "estimate": estimate}
    write_results(tmp_path / "s", "fidelity", results.fidelity([2, 0]), settings)
    diagnostics = {"address": ["all"], "messages": ["one <b>\ntwo"]}
    write_results(tmp_path / "s", "diagnostics", diagnostics, settings)
    (block,) = exported(tmp_path)["sweeps"]
    assert block["experiment"]["estimate"] == estimate
    assert block["diagnostics"] == ["one <b>", "two"]
    assert block["checks"] == [
        {
            "all": False,
            "images": 30,
            "rank": 0.625,
            "signs": None,
            "place": [2, 0],
            "estimated": [0.5, -0.25],
            "exact": [[0.5, 0.25], [0.25, 0], [0.75, 0.5]],
        }
    ]


def test_a_check_of_sites_that_do_not_exist_is_not_shown(tmp_path: Path) -> None:
    write_sweep(tmp_path / "s", SITES, EFFECTS)
    write_results(tmp_path / "s", "fidelity", results.fidelity([3, 0]), results.SWEEP)
    (block,) = exported(tmp_path)["sweeps"]
    assert block["checks"] == []


def test_sweeps_of_two_stores_keep_their_own_sites(tmp_path: Path) -> None:
    stores = [
        write_sweep(tmp_path / "a", SITES[:2], {"all:kl": [1, 2]}),
        write_sweep(tmp_path / "b", SITES, {"all:kl": [3, 4, 5]}, site="mlp_out"),
    ]
    gallery.export(stores, tmp_path / "site")
    first, second = data(tmp_path / "site", "1/sections/traces")["sweeps"]
    assert [len(each["sites"]["layer"]) for each in (first, second)] == [2, 3]
    assert second["experiment"]["site"] == "mlp_out"
    assert dict(data(tmp_path / "site", "models")[0]["sections"])["traces"] == 2


def test_figures_are_shown_only_for_sweeps_without_numbers(tmp_path: Path) -> None:
    write_sweep(tmp_path / "s", SITES, EFFECTS)
    write_results(tmp_path / "s", "figures", results.figures(["effects:kl"]), results.SWEEP)
    assert exported(tmp_path)["figures"] == []
    write_results(tmp_path / "t", "figures", results.figures(["effects:kl"]), results.SWEEP)
    gallery.export([tmp_path / "t"], tmp_path / "other")
    found = data(tmp_path / "other", "1/sections/traces")
    assert (len(found["figures"]), found["sweeps"]) == (1, [])


def test_classes_of_one_name_are_named_with_their_label() -> None:
    rows = [
        {"address": f"{key}:kl", "kind": key.partition(".")[0], "group": name}
        for key, name in (
            ("all", "all"),
            ("class.3", "crane"),
            ("class.9", "crane"),
            ("class.5", "x"),
        )
    ]
    assert _group_names(rows) == ["all", "crane (3)", "crane (9)", "x"]


@pytest.mark.parametrize("kind", ["trace_sites", "effects"])
def test_a_sweep_without_its_sites_or_averages_is_not_shown(kind: str, tmp_path: Path) -> None:
    write_sweep(tmp_path / "s", SITES, EFFECTS)
    (path,) = (tmp_path / "s" / "shards").glob(f"{kind}-*")
    path.unlink()
    write_results(tmp_path / "s", "filters", results.filters(["stem:0", "stem:1"]))
    gallery.export([tmp_path / "s"], tmp_path / "site")
    assert "traces" not in dict(data(tmp_path / "site", "1/model")["sections"])


def test_a_grid_has_the_layout_of_its_tokens(tmp_path: Path) -> None:
    address = "blocks.0.attn.qk:0@q3,7.k1,12,16"
    write_results(tmp_path / "s", "grids", results.grids([address]), {"steps": 2})
    layout = {"address": [address], "grid": np.array([[4, 4]], np.int32)}
    layout["prefix"] = np.array([1], np.int32)
    write_results(tmp_path / "s", "grid_layouts", layout, {"steps": 2})
    gallery.export([tmp_path / "s"], tmp_path / "site")
    (block,) = data(tmp_path / "site", "1/sections/grids")["grids"]
    assert block["sites"][0][1][0][-1] == [4, 4, 1]
    assert dict(data(tmp_path / "site", "1/model")["sections"]) == {"grids": 1}
