from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import featviz
from featviz.analysis.filters import job
from featviz.analysis.filters.components import components
from featviz.analysis.filters.filters import filters
from featviz.analysis.filters.first_layer import first_layer
from featviz.analysis.filters.job import store_filters
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.jobs import JobSummary, open_writer
from featviz.store.reader import Store
from tests.cli.running import tree

COMPONENTS: dict[str, Any] = {
    "address": ["old"],
    "weights": np.zeros((1, 3, 1, 1), np.float32),
    "images": np.zeros((1, 1, 1, 3), np.uint8),
    "variance": np.zeros(1, np.float32),
}


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture
def resnet() -> VisionModel:
    return featviz.load("cueworld/resnet", device="cpu")


def test_a_store_holds_the_filters_components_and_positions(
    vit: VisionModel, tmp_path: Path
) -> None:
    summaries = store_filters(vit, tmp_path / "store")
    counts = {kind: summary.stored for kind, summary in summaries.items()}
    assert counts == {"filters": 128, "components": 28, "positions": 64}
    store, expected, axes = Store(tmp_path / "store"), filters(vit), components(first_layer(vit))
    assert store.kinds == ("components", "filters", "positions")
    assert store.verify() == []
    for number, row in enumerate(store.rows("filters")):
        assert row["address"] == f"patch_embed:{number}"
        assert row["class"] == expected.classes[number]
        np.testing.assert_array_equal(row["colour"], expected.color[number])
        for name in ("weights", "images", "energy", "spatial", "cluster", "order"):
            np.testing.assert_array_equal(row[name], vars(expected)[name][number])
    for number, row in enumerate(store.rows("components")):
        assert row["address"] == f"patch_embed.pca:{number}"
        for name in ("weights", "images", "variance"):
            np.testing.assert_array_equal(row[name], vars(axes)[name][number])
    rows = list(store.rows("positions"))
    assert [row["address"] for row in rows] == [f"pos_embed:{number}" for number in range(64)]
    for number, row in enumerate(rows):
        assert row["similarity"].argmax() == number


def test_a_second_run_computes_nothing_and_changes_no_byte(
    resnet: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_filters(resnet, tmp_path / "store")
    before = tree(tmp_path)
    monkeypatch.setattr(job, "filters_of", None)
    monkeypatch.setattr(job, "components", None)
    again = store_filters(resnet, tmp_path / "store")
    assert again == {"filters": JobSummary(0, 64), "components": JobSummary(0, 28)}
    assert tree(tmp_path) == before


def test_an_interrupted_run_resumes_with_what_is_missing(
    resnet: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "components", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store_filters(resnet, tmp_path / "store")
    assert Store(tmp_path / "store").kinds == ("filters",)
    summaries = store_filters(resnet, tmp_path / "store")
    assert summaries == {"filters": JobSummary(0, 64), "components": JobSummary(28, 0)}


def test_filters_are_added_to_other_results_of_the_model(
    resnet: VisionModel, tmp_path: Path
) -> None:
    other = open_writer(resnet, tmp_path / "store", "cka", {"images": 3})
    other.add({"address": ["conv1"], "similarity": np.ones((1, 2), np.float32)})
    store_filters(resnet, tmp_path / "store")
    assert Store(tmp_path / "store").kinds == ("cka", "components", "filters")


def test_results_of_another_configuration_are_refused_and_nothing_is_added(
    resnet: VisionModel, tmp_path: Path
) -> None:
    writer = open_writer(resnet, tmp_path / "store", "components", {"site": "elsewhere"})
    writer.add(COMPONENTS)
    with pytest.raises(FeatvizError, match='site is "elsewhere" there and "conv1" here'):
        store_filters(resnet, tmp_path / "store")
    assert Store(tmp_path / "store").kinds == ("components",)


def test_force_sets_the_whole_store_aside_and_computes_all_kinds(
    resnet: VisionModel, tmp_path: Path
) -> None:
    path = tmp_path / "store"
    writer = open_writer(resnet, path, "components", {"site": "elsewhere"})
    writer.add(COMPONENTS)
    store_filters(resnet, path, force=True)
    assert len(Store(path).addresses("filters")) == 64
    assert len(Store(path).addresses("components")) == 28
    assert Store(tmp_path / "store.1").addresses("components") == ["old"]


def test_the_configuration_records_every_threshold(resnet: VisionModel, tmp_path: Path) -> None:
    store_filters(resnet, tmp_path / "store")
    assert Store(tmp_path / "store").configuration["filters"] == {
        "site": "conv1",
        "strong": 0.9,
        "classes": {
            "very_dark": 0.1,
            "dark": 0.5,
            "solid": 0.0025,
            "noisy": 0.1,
            "near_solid": 0.15,
            "near_solid_tinted": 0.3,
            "tinted": 0.1,
        },
        "clusters": {"seed": 0, "starts": 10},
    }
