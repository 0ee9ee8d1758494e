from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from featviz.analysis.evidence.claims import CLAIMS
from featviz.analysis.evidence.summary import summary
from featviz.analysis.evidence.unit import Evidences
from tests.featviz.analysis.evidence.rows import SITE, UNITS, columns, failing, passing, renders
from tests.featviz.analysis.evidence.rows import VALIDATIONS as CONFIGURATION
from tests.featviz.made_stores import writer


def test_the_summary_of_four_hand_made_neurons_is_this(store: Path) -> None:
    found = summary(store)
    whole = found.overall
    assert (found.model, whole.units, whole.silent) == ("cueworld/vit", 4, 1)
    # The best pictures reach 6, 2 and -1, of a median of 0 and a best of 4.
    assert whole.numbers["ratio"].best == ((UNITS[0], 1.5), (UNITS[1], 0.5), (UNITS[2], -0.25))
    assert whole.numbers["ratio"].quantiles["50"] == 0.5
    assert whole.numbers["rise"].best[0][1] == pytest.approx(0.01)
    assert whole.numbers["route"].worst[0] == (UNITS[2], -0.5)
    passes = {name: (tally.passed, tally.known) for name, tally in whole.passes.items()}
    assert passes == {
        "beats_natural": (1, 3),
        "converged": (2, 3),
        "follows_natural": (2, 3),
        **dict.fromkeys(CLAIMS, (1, 3)),
    }
    assert whole.passes["necessary"].share == pytest.approx(1 / 3)
    # Of the two that are not silent.
    assert whole.by_rank == pytest.approx(dict.fromkeys(CLAIMS, 0.1))
    assert found.classes == {"stripes": dict.fromkeys(CLAIMS, (UNITS[0],))}
    assert list(found.layers) == [SITE]
    assert found.layers[SITE].passes == whole.passes


def test_layers_stand_in_forward_order_and_add_up_to_the_whole(tmp_path: Path) -> None:
    units = [f"blocks.{layer}.mlp.fc1:{n}" for layer in (10, 0) for n in range(3)]
    writer(tmp_path / "s").add(renders(units, [[1, 2]] * 6))
    rows = [passing(units[0], necessity=[0.9, 0.3]), passing(units[4]), failing(units[1])]
    validations = writer(tmp_path / "s", kind="validations", configuration=CONFIGURATION)
    validations.add(columns(rows))
    found = summary(Evidences(tmp_path / "s"))
    assert list(found.layers) == ["blocks.0.mlp.fc1", "blocks.10.mlp.fc1"]
    for name in CLAIMS:
        tallies = [layer.passes[name] for layer in found.layers.values()]
        assert sum(tally.passed for tally in tallies) == found.overall.passes[name].passed == 2
        assert sum(tally.known for tally in tallies) == found.overall.passes[name].known == 3
    # By the weaker of two ablations the second has the larger effect.
    assert found.classes["stripes"]["necessary"] == (units[4], units[0])


def test_a_claim_that_could_not_be_tested_is_not_known_and_not_failed(tmp_path: Path) -> None:
    writer(tmp_path / "s").add(renders(UNITS[:3], [[1, 2]] * 3))
    untested = passing(UNITS[2], necessity_p=[[np.nan] * 2] * 2)
    rows = [passing(UNITS[0]), failing(UNITS[1]), untested]
    validations = writer(tmp_path / "s", kind="validations", configuration=CONFIGURATION)
    validations.add(columns(rows))
    passes = summary(tmp_path / "s").overall.passes
    tallies = {name: (passes[name].passed, passes[name].known) for name in CLAIMS[:2]}
    assert tallies == {"necessary": (1, 2), "sufficient": (2, 3)}


def test_without_evidence_the_summary_counts_units_and_knows_nothing(tmp_path: Path) -> None:
    writer(tmp_path / "s").add(renders(UNITS, [[1, 2]] * 4))
    told = json.loads(json.dumps(summary(tmp_path / "s").to_json(), allow_nan=False))
    assert (told["overall"]["units"], told["overall"]["numbers"]) == (4, {})
    assert told["overall"]["passes"]["necessary"] == {"passed": 0, "known": 0}
    assert told["classes"] == {}
