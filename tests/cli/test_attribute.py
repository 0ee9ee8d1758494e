from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import status
from featviz.store.reader import Store
from patching.effects.table import read_traces
from patching.sweeps import exact_check
from patching.sweeps.exact_check import read_check
from tests.cli.running import Run, tree

WORDS = ("attribute", "cueworld/vit", "--data", "cueworld:6", "--corrupt", "grayscale")
HEADS = (*WORDS, "--site", "head", "--exact", 6, "--metric", "logit_difference")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attributions") / "s"
    assert status([*map(str, HEADS), "-o", str(path)]) == 0
    return path


def test_effects_and_their_check_are_printed(run: Run, store: Path) -> None:
    before = tree(store)
    result = run(*HEADS, "-o", store)
    assert tree(store) == before
    assert "0 images attributed, 6 already stored" in result.err
    check, table = read_check(store), read_traces(store)
    assert check is not None
    groups, sites, line = result.out.strip().split("\n\n")
    assert groups.splitlines()[1].split()[:3] == ["all", "1", "6"]
    strongest = abs(table.effect[0].mean(1)).argmax()
    names = f"layer {table.sites.layer[strongest]}, head {table.sites.head[strongest]} "
    assert names in sites.splitlines()[1]
    assert line.startswith(
        f"exact patching of 6 sites on 6 images: rank correlation {check.rank:.2f}, "
        f"{check.signs:.0%} of signs agree"
    )


def test_the_report_as_json_has_the_check_and_the_diagnostics(run: Run, tmp_path: Path) -> None:
    result = run(*WORDS, "--site", "resid_pre", "--by", "token", "-o", tmp_path / "s", "--json")
    report = json.loads(result.out)
    assert len(report["check"]["sites"]) == 50
    assert set(report["check"]["sites"][0]) == {"index", "estimated", "exact", "low", "high"}
    [average] = [o for o in report["averages"] if o["kind"] == "all"]
    for site in report["check"]["sites"]:
        estimate = average["sites"][site["index"]]["effect"]["estimate"]
        assert estimate == pytest.approx(site["estimated"], rel=1e-5, abs=1e-8)
    notes = [line for line in result.err.splitlines() if line.startswith("note: ")]
    assert [f"note: {message}" for message in report["diagnostics"]] == notes
    assert any("residual stream is a large change" in note for note in notes)


@pytest.mark.parametrize(("rank", "warns"), [(0.699, True), (0.7, False)])
def test_a_rank_correlation_under_seven_tenths_is_a_warning(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: float, warns: bool
) -> None:
    monkeypatch.setattr(exact_check, "rank_correlation", lambda *_: rank)
    result = run(*WORDS, "--images", 2, "--exact", 2, "-o", tmp_path / "s")
    assert result.status == 0
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == warns
    assert all("rank correlation with exact patching is 0.699, under 0.7" in w for w in warnings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--window", "3"), "use `featviz trace --window`"),
        (("--window", "0"), "windows are integers >= 1"),
        (("--site", "atn_out"), "did you mean attn_out"),
        (("--site", "mlp_out", "--by", "head"), "mlp_out has no heads"),
        (("--corrupt", "sepia"), "sepia"),
        (("--layers", "12"), "blocks"),
    ],
)
def test_what_cannot_be_attributed_is_refused_in_one_line(
    run: Run, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in run(*WORDS, *words, "-o", tmp_path / "s").refusal()
    assert not (tmp_path / "s").exists()


def test_a_store_of_patching_is_not_mixed_with_estimates(run: Run, store: Path) -> None:
    refused = run("trace", *WORDS[1:], "--site", "head", "-o", store).refusal()
    assert "another configuration" in refused


def test_a_gallery_shows_the_check_of_the_estimates(run: Run, store: Path, tmp_path: Path) -> None:
    assert {"fidelity", "diagnostics"} <= set(Store(store).kinds)
    assert run("gallery", store, "-o", tmp_path / "site").status == 0
    (section,) = (tmp_path / "site").glob("data-*/1/sections/traces.js")
    text = section.read_text()
    assert '"checks":[{"all":false,"images":6,' in text
    assert '"estimate":{' in text
