"""Jobs that find circuits: resuming, what is stored, reports by hand, and drawings."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import featviz
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Columns
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from patching.circuits.job import Settings, circuit_from, circuits_to_store, token_groups
from patching.circuits.report import CIRCUITS, EDGES, EFFECTS, SCORES, read_report
from patching.circuits.stored_report import CURVES, EDGE_EFFECTS
from patching.interventions.corruptions import corruption
from patching.plots.circuit_drawing import draw_circuit
from tests.featviz.models.attention_models import attention_model

DATA = open_data("cueworld:8")
SETTINGS = Settings(corruption("grayscale"), steps=1, controls=2)


class StoppedError(Exception):
    """Raised in the middle of a job."""


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def store(model: VisionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("circuits") / "s"
    summary = circuits_to_store(model, DATA, SETTINGS, path)
    assert (summary.stored, summary.done) == (8, 0)
    return path


def test_a_job_that_was_stopped_goes_on_and_ends_as_if_it_was_not(
    model: VisionModel, store: Path, tmp_path: Path
) -> None:
    def stop(done: float, total: int) -> None:
        assert total == 8
        if done == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        circuits_to_store(model, DATA, SETTINGS, tmp_path / "s", progress=stop)
    assert Store(tmp_path / "s").kinds == (SCORES,)
    summary = circuits_to_store(model, DATA, SETTINGS, tmp_path / "s")
    assert (summary.stored, summary.done) == (4, 4)
    assert read_report(tmp_path / "s") == read_report(store)
    summary = circuits_to_store(model, DATA, SETTINGS, tmp_path / "s")
    assert (summary.stored, summary.done) == (0, 8)


def test_images_are_scored_or_tested_and_circuits_are_those_of_the_scores(store: Path) -> None:
    opened = Store(store)
    scored, tested = (set(opened.addresses(kind)) for kind in (SCORES, EFFECTS))
    assert (len(scored), len(tested), scored & tested) == (4, 4, set())
    settings = opened.configuration[SCORES]
    shape = tuple(len(settings[name]) for name in ("senders", "receivers", "groups"))
    assert shape == (61, 157, 2)
    rows = sorted(opened.rows(CIRCUITS), key=lambda row: int(row["place"]))
    assert [row["method"] for row in rows[::10]] == ["edges", "components", "random 0", "random 1"]
    for row in rows:
        assert int(circuit_from(row["edges"], shape).sum()) == row["count"]
    # The whole graph is the last circuit of each method, and keeps and loses everything.
    for row in opened.rows(EFFECTS):
        effect = row["clean"] - row["corrupted"]
        assert np.allclose(row["kept"][9::10], effect, atol=1e-3)
        assert np.allclose(row["lost"][9::10], effect, atol=1e-3)


def test_the_stored_report_is_that_of_the_effects(store: Path) -> None:
    report, opened = read_report(store), Store(store)
    rows = {row["address"]: row for row in opened.rows(CURVES)}
    assert rows.keys() == {"edges", "components", "random"}
    for curve in report.curves:
        row = rows[curve.method]
        assert row["counts"].tolist() == [point.count for point in curve.points]
        for column, name in enumerate(("faithfulness", "low", "high")):
            expected = [getattr(point, name) for point in curve.points]
            assert row["faithfulness"][:, column] == pytest.approx(expected, rel=1e-6)
        assert row["completeness"] == pytest.approx(
            [point.completeness for point in curve.points], rel=1e-6
        )
        assert (row["cpr"], row["cmd"]) == pytest.approx((curve.cpr, curve.cmd), rel=1e-6)
        assert row["size"] == (-1 if curve.size is None else curve.size)
        assert (row["scored"], row["tested"]) == (report.scored, report.tested)
        assert row["total"] == pytest.approx([report.total, report.low, report.high], rel=1e-6)
    effects = {row["address"]: row["effect"] for row in opened.rows(EDGE_EFFECTS)}
    checked = {
        edge.name: (edge.effect, edge.low, edge.high)
        for edge in report.strongest
        if edge.effect is not None
    }
    assert effects.keys() == checked.keys()
    assert len(checked) == 20
    for name, interval in checked.items():
        assert effects[name] == pytest.approx(interval, rel=1e-6)


def test_names_of_edges_are_those_of_their_indices_and_small_circuits_are_listed(
    store: Path,
) -> None:
    opened = Store(store)
    settings = opened.configuration[EDGES]
    scores = np.mean([row["score"] for row in opened.rows(SCORES) if row["right"]], 0)
    rows = sorted(opened.rows(EDGES), key=lambda row: int(row["place"]))
    listed = {tuple(row["edge"]) for row in rows}
    assert len(listed) == len(rows)
    sizes = np.sort(abs(scores).flatten())[::-1]
    assert abs(rows[199]["score"]) == pytest.approx(sizes[199], rel=1e-5)
    shape = scores.shape
    small = [row for row in opened.rows(CIRCUITS) if row["method"] == "edges"]
    small = [row for row in small if row["count"] <= 200]
    assert len(small) == 5
    for row in small:
        assert {tuple(edge) for edge in circuit_from(row["edges"], shape).nonzero().tolist()} <= (
            listed
        )
    for row in rows:
        sender, receiver, group = (
            settings[name][index]
            for name, index in zip(("senders", "receivers", "groups"), row["edge"], strict=True)
        )
        assert row["address"] == f"{sender} -> {receiver} @ {group}"
        assert row["score"] == pytest.approx(scores[tuple(row["edge"])], rel=1e-5)
    stored = [abs(row["score"]) for row in rows]
    assert stored == sorted(stored, reverse=True)
    assert stored[0] == pytest.approx(abs(scores).max(), rel=1e-5)


def test_another_metric_is_another_configuration(
    model: VisionModel, store: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*.h5")}
    other = Settings(corruption("grayscale"), metric="logit", steps=1, controls=2)
    with pytest.raises(FeatvizError, match="metric"):
        circuits_to_store(model, DATA, other, store)
    assert {path: path.read_bytes() for path in store.rglob("*.h5")} == before


def hand_made(path: Path) -> Path:
    """Two tested images that are right and one that is not, of circuits of 1 and 4 edges."""
    configuration = {
        "edges": 4,
        "corrupt": "grayscale",
        "senders": ["embed", "blocks.0.mlp"],
        "receivers": ["blocks.0.mlp", "logits"],
        "groups": ["all"],
    }

    def add(kind: str, columns: Columns) -> None:
        StoreWriter(
            path,
            model="toy",
            fingerprint="0" * 64,
            load={"untrained": False, "arch": None},
            sites=["blocks.0"],
            kind=kind,
            configuration=configuration,
        ).add(columns)

    def images(addresses: list[str], clean: list[float]) -> Columns:
        count = len(addresses)
        return {
            "address": addresses,
            "label": np.zeros(count, np.int32),
            "right": np.array([1, 1, 0][:count], np.uint8),
            "clean": np.array(clean, np.float32),
            "corrupted": np.zeros(count, np.float32),
        }

    score = np.array([[[[3.0], [1.0]], [[0.0], [-2.0]]]], np.float32)
    add(SCORES, {**images(["image:9"], [1.0]), "score": score})
    bits = [np.array(mask, bool) for mask in ([1, 0, 0, 1], [1, 1, 0, 1])]
    add(
        CIRCUITS,
        {
            "address": [f"circuit:{place}" for place in range(6)],
            "place": np.arange(6, dtype=np.int32),
            "method": [name for name in ("edges", "random 0", "random 1") for _ in range(2)],
            "count": np.array([2, 3] * 3, np.int32),
            "edges": np.stack([np.packbits(mask) for mask in bits] * 3),
        },
    )
    add(
        EDGES,
        {
            "address": ["embed -> blocks.0.mlp", "blocks.0.mlp -> logits"],
            "place": np.arange(2, dtype=np.int32),
            "edge": np.array([[0, 0, 0], [1, 1, 0]], np.int32),
            "score": np.array([3, -2], np.float32),
        },
    )
    kept = [[1, 2, 0, 1, 1, 4], [2, 4, 0, 2, 1, 4], [99] * 6]
    add(
        EFFECTS,
        {
            **images(["image:1", "image:2", "image:3"], [2.0, 3.0, 50.0]),
            "kept": np.array(kept, np.float32),
            "lost": np.array(kept, np.float32)[:, ::-1].copy(),
            "effect": np.array([[1.0], [2.0], [99.0]], np.float32),
        },
    )
    return path


def test_a_report_by_hand(tmp_path: Path) -> None:
    report = read_report(hand_made(tmp_path / "s"))
    assert (report.scored, report.tested, report.edges) == (1, 2, 4)
    assert report.total == 2.5
    edges, random = report.curves
    assert [(each.count, each.faithfulness) for each in edges.points] == [(2, 0.6), (3, 1.2)]
    # The first random circuits keep 0 and 0.6, the others 0.4 and 1.6.
    assert [each.faithfulness for each in random.points] == pytest.approx([0.2, 1.1])
    assert (edges.size, random.size) == (3, 3)
    assert random.cmd == pytest.approx((0.7 + 0.6) / 2)
    assert edges.cpr == pytest.approx(0.9)
    assert edges.cmd == pytest.approx(0.3)
    assert edges.points[1].low < 1.2 < edges.points[1].high
    assert [(each.name, each.score, each.effect) for each in report.strongest] == [
        ("embed -> blocks.0.mlp", 3, 1.5),
        ("blocks.0.mlp -> logits", -2, None),
    ]


def test_a_drawing_has_a_curve_for_each_edge_and_a_cell_for_each_component(tmp_path: Path) -> None:
    svg = ET.fromstring(draw_circuit(hand_made(tmp_path / "s")))
    space = "{http://www.w3.org/2000/svg}"
    curves = svg.findall(f"{space}path")
    titles = [each.findtext(f"{space}title") for each in curves]
    # The circuit of 3 edges is the first that keeps 80 %; the strongest edge is drawn last.
    assert titles == [
        "embed to logits at all: 1",
        "blocks.0.mlp to logits at all: -2",
        "embed to blocks.0.mlp at all: 3",
    ]
    widths = [float(each.attrib["stroke-width"]) for each in curves]
    assert widths == pytest.approx([7 / 3, 14 / 3, 7], abs=0.01)
    assert curves[0].attrib["stroke"] == curves[2].attrib["stroke"] != curves[1].attrib["stroke"]
    cells = [each.findtext(f"{space}title") for each in svg.findall(f"{space}g")]
    assert cells == ["embed", "blocks.0.mlp", "logits"]
    assert "grayscale: 3 of 4 edges keep 120% of the effect" in "".join(svg.itertext())


def test_a_drawing_of_a_trained_model_is_of_a_circuit_that_is_connected(store: Path) -> None:
    text = draw_circuit(store, 0.5)
    ET.fromstring(text)
    assert text.count("<path") <= 120
    assert "blocks.11.mlp" in text


def test_tokens_are_prefix_tokens_and_patches() -> None:
    assert token_groups(1, 4) == {"prefix": [0], "patches": [1, 2, 3]}
    assert token_groups(0, 2) == {"patches": [0, 1]}
    assert token_groups(1, 5, (2, 4)) == {"prefix": [0], "patches": [1, 3], "region": [2, 4]}
    assert token_groups(1, 3, (0, 1, 2)) == {"region": [0, 1, 2]}


def test_a_region_is_a_group_of_its_own(tmp_path: Path) -> None:
    model = tower()
    settings = Settings(corruption("grayscale"), "cosine", steps=1, controls=1, region="0-1x2,3")
    for region, message in (("9x9", "has rows 0-3, not 9"), ("one", "expected an index, .*'one'")):
        with pytest.raises(FeatvizError, match=message):
            circuits_to_store(model, DATA, replace(settings, region=region), tmp_path / "s")
        assert not (tmp_path / "s").exists()
    circuits_to_store(model, DATA, settings, tmp_path / "s")
    configuration = Store(tmp_path / "s").configuration[SCORES]
    assert configuration["groups"] == ["prefix", "patches", "region"]
    assert any(name.endswith(" @ region") for name in Store(tmp_path / "s").addresses(EDGES))
    assert "Bent to the left: prefix, to the right: patches and region." in draw_circuit(
        tmp_path / "s"
    )
    with pytest.raises(FeatvizError, match="another configuration: region is"):
        circuits_to_store(model, DATA, replace(settings, region="0x0"), tmp_path / "s")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "accuracy"}, "unknown metric 'accuracy'; choose from probability"),
        ({"steps": -1}, "steps"),
        ({"controls": 0}, "controls"),
    ],
)
def test_settings_name_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises((FeatvizError, ValueError), match=message):
        Settings(corruption("grayscale"), **change)  # type: ignore[arg-type]


def test_few_images_and_other_models_are_refused(model: VisionModel, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="circuits need at least 4 images, got 3"):
        circuits_to_store(model, open_data("cueworld:3"), SETTINGS, tmp_path / "s")
    other = featviz.load("cueworld/resnet", device="cpu")
    with pytest.raises(FeatvizError, match="has no sequence of transformer blocks"):
        circuits_to_store(other, DATA, SETTINGS, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def tower() -> VisionModel:
    """A model without a classifier."""
    base = attention_model("ViT")
    module = copy.deepcopy(base.module)
    module.head = nn.Identity()
    return replace(base, module=module, name="tower")


def test_circuits_of_an_embedding_need_no_labels(tmp_path: Path) -> None:
    settings = Settings(corruption("grayscale"), "cosine", steps=2, controls=1)
    circuits_to_store(tower(), DATA, settings, tmp_path / "s")
    rows = list(Store(tmp_path / "s").rows(EFFECTS))
    assert all(row["right"] == 1 for row in rows)
    np.testing.assert_allclose([row["clean"] for row in rows], 1, rtol=1e-6)
    report = read_report(tmp_path / "s")
    assert (report.scored, report.tested) == (4, 4)
    assert report.total == pytest.approx(np.mean([1 - row["corrupted"] for row in rows]))
    # The circuit of all edges is the clean run.
    assert report.curves[0].points[-1].faithfulness == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("metric", ["kl", "cosine"])
def test_a_metric_that_is_flat_at_the_clean_run_needs_steps(metric: str) -> None:
    with pytest.raises(
        FeatvizError, match=f"the gradient of {metric} is 0 at the clean run; steps"
    ):
        Settings(corruption("grayscale"), metric, steps=0)
