from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import status
from featviz import cueworld
from featviz.store.reader import Store
from tests.cli.running import Run, tree
from tests.cli.test_trace import cueworld_folder

# The last block: little of the network is run after it.
NEURONS = ("cueworld/vit", "blocks.11.mlp.fc1:0-1")
DATA = ("--data", "cueworld:558")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("validate") / "s"
    assert status(["render", *NEURONS, "-o", str(path), "--steps", "4"]) == 0
    return path


@pytest.fixture(scope="module")
def without_examples(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("without_examples") / "s"
    shutil.copytree(rendered, path)
    assert status(["validate", str(path), *DATA]) == 0
    return path


@pytest.fixture(scope="module")
def validated(without_examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("validated") / "s"
    shutil.copytree(without_examples, path)
    assert status(["examples", *NEURONS, "--data", "cueworld:36", "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def first_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a model that `validate` scores only, which is fast."""
    path = tmp_path_factory.mktemp("first_layer") / "s"
    words = ["render", "cueworld/resnet", "conv1:0", "-o", str(path), "--steps", "2"]
    assert status(words) == 0
    return path


def report_of(run: Run, *words: object) -> dict[str, Any]:
    """Parse what `featviz validate --json` prints, which must be strict JSON."""
    result = run("validate", *words, "--json")
    assert result.status == 0, result.err

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is not JSON")

    found: dict[str, Any] = json.loads(result.out, parse_constant=refuse)
    return found


def test_json_has_the_scores_examples_paths_and_causal_tests_of_every_unit(
    run: Run, validated: Path
) -> None:
    found = report_of(run, validated, *DATA)
    assert found["failures"] == {}
    addresses = [unit["address"] for unit in found["units"]]
    assert addresses == [f"blocks.11.mlp.fc1:{number}" for number in (0, 1)]
    store = Store(validated)
    for unit in found["units"]:
        address = unit["address"]
        (picture,) = unit["pictures"]
        examples, test = store.row(address, "examples"), store.row(address, "validations")
        median, best = (float(examples["percentiles"][at]) for at in (50, 100))
        activation = float(store.row(address)["activation"][0])
        assert picture["ratio"] == pytest.approx((activation - median) / (best - median))
        assert picture["fine"] == pytest.approx(float(store.row(address, "scores")["fine"][0]))
        assert unit["examples"]["top"] == examples["top"].tolist()
        assert len(unit["route"]["picture"]) == len(unit["route"]["layers"]) > 11
        assert unit["checks"].keys() == {"beats_natural", "converged", "follows_natural"}
        removal = unit["verdict"]["removals"]["resample"]
        assert removal["effect"]["estimate"] == pytest.approx(float(test["necessity"][1]))
        # No controls are compared with an ablation once the other one has failed.
        removals = unit["verdict"]["removals"].values()
        kinds = [one["controls"] for one in removals]
        counts = {kind["neurons"]["count"] for kind in kinds if "neurons" in kind}
        assert counts == {39}
        label = found_label(store, test)
        assert unit["verdict"]["label"] == label
        assert f"the margin of {label!r}" in unit["sentences"][0]
    overall = found["summary"]["overall"]
    assert (overall["units"], overall["numbers"]["ratio"]["count"]) == (2, 2)
    assert overall["passes"]["necessary"]["known"] == 2
    assert list(found["summary"]["layers"]) == ["blocks.11.mlp.fc1"]


def found_label(store: Store, test: dict[str, Any]) -> str:
    classes: list[str] = store.configuration["validations"]["classes"]
    return classes[int(test["class"])]


def test_nothing_is_computed_a_second_time(run: Run, validated: Path) -> None:
    run("validate", validated, *DATA)  # what the natural examples make possible
    before = tree(validated)
    result = run("validate", validated, *DATA)
    assert result.status == 0
    assert tree(validated) == before
    for what in ("units scored", "paths computed", "units tested"):
        assert f"0 {what}, 2 already stored, 0 failed" in result.err
    # No progress bar: it would have a percent sign.
    assert "%|" not in result.err.replace(" ", "")


def test_the_printed_tables_agree_with_json(run: Run, validated: Path) -> None:
    overall = report_of(run, validated, *DATA)["summary"]["overall"]
    metrics, passes, *_ = run("validate", validated, *DATA).out.split("\n\n")
    rows = [line.split() for line in metrics.splitlines()]
    assert rows[0] == ["metric", "units", "5", "%", "median", "95", "%", "best", "worst"]
    assert [row[0] for row in rows[1:]] == list(overall["numbers"])
    for row in rows[1:]:
        metric = overall["numbers"][row[0]]
        assert float(row[3]) == pytest.approx(metric["quantiles"]["50"], rel=1e-3)
        assert row[5:] == [metric["best"][0][0], metric["worst"][0][0]]
    counts = {row[0]: row[1:3] for row in map(str.split, passes.splitlines()[1:])}
    assert counts == {
        name: [str(tally["passed"]), str(tally["known"])]
        for name, tally in overall["passes"].items()
        if tally["known"]
    }
    by_rank = {row[0]: float(row[4]) for row in map(str.split, passes.splitlines()[1:]) if row[4:]}
    assert by_rank == pytest.approx(overall["by_rank"])
    assert by_rank["necessary"] == pytest.approx(0.1)


def test_a_packed_store_has_the_same_evidence_and_is_intact(
    run: Run, validated: Path, tmp_path: Path
) -> None:
    assert run("pack", validated, tmp_path / "s.h5").status == 0
    assert run("verify", tmp_path / "s.h5").status == 0
    kinds = ("examples", "paths", "renders", "scores", "validations")
    packed, folder = Store(tmp_path / "s.h5"), Store(validated)
    for kind in kinds:
        for one, other in zip(packed.rows(kind), folder.rows(kind), strict=True):
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
    assert "is a packed file" in run("validate", tmp_path / "s.h5", *DATA).refusal()


def test_without_examples_the_command_that_adds_them_is_printed(
    run: Run, without_examples: Path
) -> None:
    result = run("validate", without_examples, "--data", "cueworld:558", "--json")
    assert result.status == 0
    assert "`featviz examples cueworld/vit SELECTOR --data cueworld:558 -o" in result.err
    found = json.loads(result.out)
    assert found["units"][0]["pictures"][0]["ratio"] is None
    assert found["summary"]["overall"]["passes"]["beats_natural"] == {"passed": 0, "known": 0}
    assert found["units"][0]["verdict"] is not None


def test_complete_scores_of_other_settings_are_kept(
    run: Run, first_layer: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    shutil.copytree(first_layer, store)
    assert run("score", store).status == 0
    before = Store(store).configuration["scores"]
    assert run("validate", store, "--data", "cueworld:18").status == 0
    assert Store(store).configuration["scores"] == before != {}
    assert before["spectrum"] != "cueworld:18"


def test_units_that_are_added_are_scored_with_the_settings_of_the_others(
    run: Run, first_layer: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    shutil.copytree(first_layer, store)
    assert run("score", store, "--seeds", 2).status == 0
    before = Store(store)
    words = ("render", "cueworld/resnet", "conv1:1-2", "-o", store, "--steps", 2)
    assert run(*words).status == 0
    assert run("validate", store, "--data", "cueworld:18").status == 0
    after = Store(store)
    assert after.configuration["scores"] == before.configuration["scores"]
    scores = {row["address"]: row for row in after.rows("scores")}
    assert len(scores) == 3
    assert all(np.isfinite(row["agreement"]) for row in scores.values())


def test_a_model_without_a_residual_stream_is_scored_and_not_tested_causally(
    run: Run, first_layer: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    shutil.copytree(first_layer, store)
    result = run("validate", store, "--data", "cueworld:18", "--json")
    assert result.status == 0
    assert "no causal tests: " in result.err
    (unit,) = json.loads(result.out)["units"]
    assert unit["verdict"] is None
    assert unit["pictures"][0]["fine"] > 0


@pytest.mark.slow
def test_other_images_are_refused_and_with_force_keep_the_renders(
    run: Run, validated: Path, tmp_path: Path
) -> None:
    shutil.copytree(validated, tmp_path / "s")
    refused = run("validate", tmp_path / "s", "--data", "cueworld:558", "--images", 540)
    assert "images is 558 there and 540 here" in refused.err
    assert refused.status == 1
    found = report_of(run, tmp_path / "s", "--data", "cueworld:558", "--images", 540, "--force")
    assert Store(tmp_path / "s").configuration["validations"]["images"] == 540
    assert len(found["units"]) == 2
    assert not (tmp_path / "s.1").exists()


def test_no_statement_is_made_about_classes_that_the_model_gets_wrong(
    run: Run, rendered: Path, tmp_path: Path
) -> None:
    shutil.copytree(rendered, tmp_path / "s")
    # Each of two classes in the folder of the other.
    names = {0: cueworld.CLASSES[1], 1: cueworld.CLASSES[0]}
    cueworld_folder(tmp_path / "data", 540, names)
    result = run("validate", tmp_path / "s", "--data", f"folder:{tmp_path / 'data'}")
    assert result.status == 0
    assert "fine" in result.out  # the scores are reported
    line = result.err.splitlines()[-1]
    assert f"{tmp_path / 's'}: no causal tests: cueworld/vit classifies 0 of 60 images" in line
    assert "correctly (0 %); it may have been trained on other classes, or on these in" in line
    assert Store(tmp_path / "s").addresses("scores") != []
    assert Store(tmp_path / "s").addresses("validations") == []


def test_a_label_that_the_model_does_not_have_is_refused(
    run: Run, rendered: Path, tmp_path: Path
) -> None:
    shutil.copytree(rendered, tmp_path / "s")
    cueworld_folder(tmp_path / "data", 540, {0: "17", 1: "18"})
    result = run("validate", tmp_path / "s", "--data", f"folder:{tmp_path / 'data'}")
    assert result.status == 1
    assert "is none of cueworld/vit, whose 18 classes are 0 to 17; " in result.err


def test_a_mistake_is_reported_in_one_line(run: Run, rendered: Path, tmp_path: Path) -> None:
    assert "there is no store" in run("validate", tmp_path / "none", *DATA).refusal()
    assert "cueworld" in run("validate", rendered, "--data", "cueworl").refusal()
