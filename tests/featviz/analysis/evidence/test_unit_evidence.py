from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.unit_evidence import KINDS, EvidenceReader, read_evidence
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.analysis.evidence.rows import CLASSES, SITE, UNITS, examples, renders, scores
from tests.featviz.store.made_stores import writer


def test_the_evidence_of_a_unit_combines_all_kinds_of_results(store: Path) -> None:
    found = read_evidence(store, UNITS[0])
    # The natural values are -4 to 4: the median is 0, the best 4.
    assert (found.best, found.picture.activation, found.picture.ratio) == (0, 6, 1.5)
    assert [each.kept for each in found.pictures] == pytest.approx([0.5, 0.4])
    assert (found.agreement, found.diversity) == (0.75, 0.75)
    assert found.path is not None
    assert found.path.layers == ("blocks.0", "blocks.2")
    assert (found.path.picture.tolist(), found.path.natural.tolist()) == ([0.5, 0.75], [1, 0.875])
    assert found.causal_tests is not None
    assert found.causal_tests.label == "stripes"
    # Of three validated neurons, one is silent and two were tested.
    assert found.claims["necessary"].q == pytest.approx(0.004)
    assert found.checks == {"beats_natural": True, "converged": True, "follows_natural": True}
    assert "Necessary for 'stripes'" in found.sentences[2]
    assert found.examples is not None
    assert found.examples["top"].tolist() == [8, 7, 6]


def test_the_checks_refer_to_the_sample_with_the_highest_activation(store: Path) -> None:
    second = read_evidence(store, UNITS[1])
    assert (second.best, second.picture.ratio) == (1, 0.5)
    assert second.picture.rise == pytest.approx(0.2)
    assert second.checks == {"beats_natural": False, "converged": False, "follows_natural": True}


def test_a_scored_picture_without_any_gain_has_not_converged(
    tmp_path: Path,
) -> None:
    writer(tmp_path / "s").add(renders(UNITS[:2], [[6, 5]] * 2))
    made = writer(tmp_path / "s", kind="scores", configuration={"seeds": 1})
    made.add(scores(UNITS[:1], rise=[np.nan, 0.01]))
    checks = [each.checks["converged"] for each in EvidenceReader(tmp_path / "s")]
    assert checks == [False, None]


def test_what_is_not_in_the_store_is_unknown(store: Path) -> None:
    last = read_evidence(store, UNITS[3])
    assert (last.path, last.causal_tests, last.claims, last.sentences) == (None, None, {}, [])
    assert last.examples is None
    assert set(last.checks.values()) == {None}
    report = last.to_json()
    assert [report[name] for name in ("agreement", "diversity", "route", "verdict")] == [None] * 4
    assert report["pictures"][1] == {"activation": 1.0} | dict.fromkeys(
        (
            "ratio",
            "percentile",
            "held_out",
            "kept",
            "fine",
            "grid",
            "spectrum",
            "rise",
            "latent",
            "rank",
        )
    )


def test_a_silent_neuron_has_causal_tests_and_no_claims(store: Path) -> None:
    third = read_evidence(store, UNITS[2])
    assert third.causal_tests is not None
    assert third.claims == {}
    assert len(third.sentences) == 1


def test_iterating_gives_the_same_evidence_as_reading_each_unit(store: Path) -> None:
    reader = EvidenceReader(store)
    streamed = [unit.to_json() for unit in reader]
    assert [unit["address"] for unit in streamed] == list(UNITS)
    assert streamed == [reader.read(address).to_json() for address in UNITS]


def test_json_has_no_nan_and_holds_each_result_by_name(store: Path) -> None:
    text = json.dumps([unit.to_json() for unit in EvidenceReader(store)], allow_nan=False)
    first, *_ = json.loads(text)
    assert first["verdict"]["removals"]["mean"]["controls"]["neurons"]["count"] == 39
    assert list(first["verdict"]["claims"]) == list(CLAIMS)
    assert first["checks"]["follows_natural"] is True
    assert first["route"]["natural"] == [1, 0.875]
    assert first["route"]["agreement"] == pytest.approx(0.9)
    assert first["examples"]["top_values"] == [4, 3, 2]
    assert first["examples"]["classes"] == {"red": -3, "green": 0, "stripes": None}
    assert first["sentences"] == read_evidence(store, UNITS[0]).sentences


def test_a_packed_store_gives_the_same_evidence(store: Path, tmp_path: Path) -> None:
    pack(Store(store), tmp_path / "s.h5")
    packed = Store(tmp_path / "s.h5")
    assert packed.verify() == []
    assert [each.to_json() for each in EvidenceReader(packed)] == [
        each.to_json() for each in EvidenceReader(store)
    ]


def test_rows_of_units_without_pictures_are_skipped(store: Path, tmp_path: Path) -> None:
    # The store has examples of a neuron without a picture, after those with one. Here, the first
    # and a middle neuron have no picture.
    writer(tmp_path / "s").add(renders([UNITS[1], UNITS[3]], [[1, 2], [0, 1]]))
    opened = Store(store)
    for kind in set(KINDS) & set(opened.kinds):
        rows = list(opened.rows(kind))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        stacked = {n: c if n == "address" else np.stack(c) for n, c in columns.items()}
        configuration = opened.configuration[kind]
        writer(tmp_path / "s", kind=kind, configuration=configuration).add(stacked)
    reader = EvidenceReader(tmp_path / "s")
    assert [unit.to_json() for unit in reader] == [reader.read(UNITS[n]).to_json() for n in (1, 3)]
    assert reader.read(UNITS[1]).causal_tests is not None


def test_units_with_query_and_key_images_have_examples_and_no_ratio(
    tmp_path: Path,
) -> None:
    logit = "blocks.2.attn.qk:0@same"
    row = renders([logit], [[5, 6]])
    split = row | {"images": np.zeros((1, 2, 2, 2, 2, 3), np.uint8)}
    writer(tmp_path / "s", kind="sides").add(split)
    configuration = {"data": "cueworld", "classes": CLASSES}
    writer(tmp_path / "s", kind="examples", configuration=configuration).add(examples([logit]))
    reader = EvidenceReader(tmp_path / "s")
    found = reader.read(logit)
    assert (found.best, found.picture.activation) == (1, 6)
    assert found.examples is not None
    assert np.isnan([found.picture.ratio, found.picture.percentile]).all()
    assert list(reader) == []


def test_a_unit_without_a_picture_is_refused_with_a_similar_address(store: Path) -> None:
    with pytest.raises(FeatvizError, match=f"no {SITE}:9 in renders; did you mean {SITE}:"):
        read_evidence(store, f"{SITE}:9")
