from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from featviz.activations.readout import Readout, readout
from featviz.addressing.selectors import units
from featviz.analysis.examples.result import Examples
from featviz.cueworld import CLASSES
from featviz.data.datasets import open_data
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from tests.cli.running import Run, tree

DATA = "cueworld:24"
UNITS = "patch_embed:0-2"


def words(store: Path, *more: object, which: tuple[str, ...] = (UNITS,)) -> list[object]:
    return ["examples", "cueworld/vit", *which, "--data", DATA, "-o", store, *more]


def test_a_table_tells_the_best_image_and_class_and_stderr_what_was_done(
    run: Run, vit: VisionModel, tmp_path: Path
) -> None:
    result = run(*words(tmp_path / "s"))
    assert result.status == 0
    heading, *rows = (line.split() for line in result.out.splitlines())
    assert heading == ["unit", "image", "value", "class", "sparsity"]
    (images, labels), *_ = open_data(DATA).batches(vit.image_size)
    values = readout(vit, units(vit, UNITS))(images).numpy()
    for row, own in zip(rows, values.T, strict=True):
        assert int(row[1]) == int(own.argmax())
        assert float(row[2]) == pytest.approx(own.max(), rel=1e-3)
        means = [own[labels.numpy() == each].mean() for each in range(len(CLASSES))]
        assert row[3] == CLASSES[int(np.argmax(means))]
    assert [row[0] for row in rows] == ["patch_embed:0", "patch_embed:1", "patch_embed:2"]
    assert result.err.endswith("s: 3 units stored, 0 were there, 0 failed\n")
    before = tree(tmp_path)
    again = run(*words(tmp_path / "s"))
    assert again.out == result.out
    assert again.err.endswith("s: 0 units stored, 3 were there, 0 failed\n")
    assert tree(tmp_path) == before


def test_json_holds_all_that_is_stored_and_names_classes_and_places(
    run: Run, tmp_path: Path
) -> None:
    which = ("patch_embed:1", "blocks.1.attn.qk:0@same", "head:3")
    store = tmp_path / "s"
    result = run(*words(store, "--json", "--top", 4, which=which))
    told = json.loads(result.out)
    assert (told["images"], told["top"], told["failures"]) == (24, 4, {})
    patch, logit, head = told["units"]
    check(patch, Store(store))
    check(logit, Store(store))
    assert all(set(image) == {"image", "value", "class", "token"} for image in patch["top"])
    assert all({"query", "key"} <= set(image) for image in logit["bottom"])
    assert all(set(image) == {"image", "value", "class"} for image in head["top"])
    assert (patch["grid"], head["grid"]) == ([8, 8], None)


def check(told: dict[str, Any], store: Store) -> None:
    stored = Examples.from_row(store.row(told["address"], "examples"))
    for end in ("top", "bottom", "spread"):
        assert [each["image"] for each in told[end]] == getattr(stored, end).tolist()
        assert [each["value"] for each in told[end]] == getattr(stored, f"{end}_values").tolist()
        names = [CLASSES[each["image"] % len(CLASSES)] for each in told[end]]
        assert [each["class"] for each in told[end]] == names
    assert [each["quantile"] for each in told["spread"]][3] == 0.5
    means = [each["mean"] for each in told["classes"]]
    assert means == sorted(stored.classes.tolist(), reverse=True)
    assert told["percentiles"] == stored.percentiles.tolist()
    assert sum(told["histogram"]) == 24


def test_without_selectors_the_rendered_units_of_the_store_are_taken(
    run: Run, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    few = ("--steps", 1, "--size", 16)
    run("render", "cueworld/vit", "patch_embed:4,9", "-o", store, *few)
    run("render", "cueworld/vit", "blocks.0.attn.qk:1@same", "-o", store, *few, "--sides")
    result = run(*words(store, which=()))
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == [
        "patch_embed:4",
        "patch_embed:9",
        "blocks.0.attn.qk:1@same",
    ]
    assert len(Store(store)) == 2


def test_without_selectors_and_pictures_there_is_nothing_to_do(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "s"
    assert "there is no store" in run(*words(store, which=())).refusal()
    run(*words(store))
    assert "holds no pictures; name the units" in run(*words(store, which=())).refusal()
    other = run("examples", "cueworld/resnet", "--data", DATA, "-o", store)
    assert "is of another model" in other.refusal()


def test_units_that_fail_are_told_and_the_status_is_3(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Readout.__call__

    def broken(self: Readout, images: torch.Tensor) -> torch.Tensor:
        values = call(self, images).clone()
        values[5, 1] = torch.nan
        return values

    monkeypatch.setattr(Readout, "__call__", broken)
    result = run(*words(tmp_path / "s", "--json"))
    reason = "its value on image 5 is not a finite number"
    assert result.status == 3
    assert f"failed: patch_embed:1: {reason}" in result.err
    assert "2 units stored, 0 were there, 1 failed" in result.err
    told = json.loads(result.out)
    assert told["failures"] == {"patch_embed:1": reason}
    assert [each["address"] for each in told["units"]] == ["patch_embed:0", "patch_embed:2"]


def test_other_data_is_refused_without_force(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "s"
    run(*words(store, "--images", 10))
    line = run(*words(store, "--images", 12)).refusal()
    assert "images is 10 there and 12 here" in line
    result = run(*words(store, "--images", 12, "--force"))
    assert result.status == 0
    assert Store(store).configuration["examples"]["images"] == 12


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--images", 0), "at least 1 image is needed, not 0"),
        (("--top", 0), "at least 1 image at the top is needed, not 0"),
    ],
)
def test_numbers_below_1_are_refused_and_leave_nothing(
    more: tuple[object, ...], line: str, run: Run, tmp_path: Path
) -> None:
    assert line in run(*words(tmp_path / "s", *more)).refusal()
    assert list(tmp_path.iterdir()) == []
