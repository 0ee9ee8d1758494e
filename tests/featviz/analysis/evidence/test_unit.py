from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.unit import KINDS, Evidences, evidence
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.analysis.evidence.rows import CLASSES, SITE, UNITS, examples, renders, scores
from tests.featviz.made_stores import writer


def test_all_kinds_of_a_store_come_together_at_a_unit(store: Path) -> None:
    found = evidence(store, UNITS[0])
    # Of the natural values -4 to 4 the median is 0 and the best 4.
    assert (found.best, found.picture.activation, found.picture.ratio) == (0, 6, 1.5)
    assert [each.kept for each in found.pictures] == pytest.approx([0.5, 0.4])
    assert (found.agreement, found.diversity) == (0.75, 0.75)
    assert found.route is not None
    assert found.route.layers == ("blocks.0", "blocks.2")
    assert (found.route.picture, found.route.natural) == ((0.5, 0.75), (1, 0.875))
    assert found.verdict is not None
    assert found.verdict.label == "stripes"
    # Of three validated neurons one is silent: two were tested.
    assert found.claims["necessary"].q == pytest.approx(0.004)
    assert found.checks == {"beats_natural": True, "converged": True, "follows_natural": True}
    assert "Necessary for 'stripes'" in found.sentences[2]
    assert found.examples is not None
    assert found.examples["top"].tolist() == [8, 7, 6]


def test_the_checks_are_of_the_sample_with_the_highest_activation(store: Path) -> None:
    second = evidence(store, UNITS[1])
    assert (second.best, second.picture.ratio) == (1, 0.5)
    assert second.picture.rise == pytest.approx(0.2)
    assert second.checks == {"beats_natural": False, "converged": False, "follows_natural": True}


def test_a_scored_picture_that_gained_nothing_is_known_not_to_have_converged(
    tmp_path: Path,
) -> None:
    writer(tmp_path / "s").add(renders(UNITS[:2], [[6, 5]] * 2))
    made = writer(tmp_path / "s", kind="scores", configuration={"seeds": 1})
    made.add(scores(UNITS[:1], rise=[np.nan, 0.01]))
    checks = [each.checks["converged"] for each in Evidences(tmp_path / "s")]
    assert checks == [False, None]


def test_what_is_not_in_the_store_is_left_open(store: Path) -> None:
    last = evidence(store, UNITS[3])
    assert (last.route, last.verdict, last.claims, last.sentences) == (None, None, {}, [])
    assert last.examples is None
    assert set(last.checks.values()) == {None}
    told = last.to_json()
    assert (told["agreement"], told["diversity"], told["verdict"]) == (None, None, None)
    assert told["pictures"][1] == {"activation": 1.0} | dict.fromkeys(
        ("ratio", "percentile", "held_out", "kept", "fine", "grid", "spectrum", "rise")
    )


def test_a_silent_neuron_has_a_verdict_and_no_claims(store: Path) -> None:
    third = evidence(store, UNITS[2])
    assert third.verdict is not None
    assert third.claims == {}
    assert third.sentences == ["It does not vary over cueworld (720 images): nothing was tested."]


def test_reading_all_units_gives_the_same_as_reading_each(store: Path) -> None:
    every = Evidences(store)
    streamed = [unit.to_json() for unit in every]
    assert [unit["address"] for unit in streamed] == list(UNITS)
    assert streamed == [every.of(address).to_json() for address in UNITS]


def test_json_has_no_nan_and_names_everything(store: Path) -> None:
    text = json.dumps([unit.to_json() for unit in Evidences(store)], allow_nan=False)
    first, *_ = json.loads(text)
    assert first["verdict"]["removals"]["mean"]["controls"]["neurons"]["count"] == 39
    assert list(first["verdict"]["claims"]) == list(CLAIMS)
    assert first["checks"]["follows_natural"] is True
    assert first["examples"]["top_values"] == [4, 3, 2]
    assert first["examples"]["classes"] == {"red": -3, "green": 0, "stripes": None}
    assert first["sentences"] == evidence(store, UNITS[0]).sentences


def test_a_packed_store_gives_the_same_evidence(store: Path, tmp_path: Path) -> None:
    pack(Store(store), tmp_path / "s.h5")
    packed = Store(tmp_path / "s.h5")
    assert packed.verify() == []
    assert [each.to_json() for each in Evidences(packed)] == [
        each.to_json() for each in Evidences(store)
    ]


def test_rows_without_pictures_hide_no_others(store: Path, tmp_path: Path) -> None:
    # The store has examples of a neuron without a picture, which sorts behind the pictures; here
    # pictures are missing in front and in the middle.
    writer(tmp_path / "s").add(renders([UNITS[1], UNITS[3]], [[1, 2], [0, 1]]))
    for kind in KINDS:
        told = Store(store)
        rows = list(told.rows(kind))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        stacked = {n: c if n == "address" else np.stack(c) for n, c in columns.items()}
        configuration = told.configuration[kind]
        writer(tmp_path / "s", kind=kind, configuration=configuration).add(stacked)
    every = Evidences(tmp_path / "s")
    assert [unit.to_json() for unit in every] == [every.of(UNITS[n]).to_json() for n in (1, 3)]
    assert every.of(UNITS[1]).verdict is not None


def test_pictures_of_two_sides_have_examples_beside_them_and_no_ratio(tmp_path: Path) -> None:
    logit = "blocks.2.attn.qk:0@same"
    row = renders([logit], [[5, 6]])
    two = row | {"images": np.zeros((1, 2, 2, 2, 2, 3), np.uint8)}
    writer(tmp_path / "s", kind="sides").add(two)
    configuration = {"data": "cueworld", "classes": CLASSES}
    writer(tmp_path / "s", kind="examples", configuration=configuration).add(examples([logit]))
    every = Evidences(tmp_path / "s")
    found = every.of(logit)
    assert (found.best, found.picture.activation) == (1, 6)
    assert found.examples is not None
    assert np.isnan([found.picture.ratio, found.picture.percentile]).all()
    assert list(every) == []


def test_a_unit_without_a_picture_is_refused_with_the_nearest(store: Path) -> None:
    with pytest.raises(FeatvizError, match=f"no {SITE}:9 in renders; did you mean {SITE}:"):
        evidence(store, f"{SITE}:9")
