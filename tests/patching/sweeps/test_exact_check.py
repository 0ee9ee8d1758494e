"""Estimates of a sweep in a store, and their check against exact patching."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from featviz import FeatvizError, Store, VisionModel
from featviz.data.datasets import Dataset
from patching.attribution.fidelity import equal_signs, rank_correlation
from patching.effects.table import read_traces
from patching.interventions.corruptions import corruption
from patching.interventions.selection import Selection
from patching.sweeps.activation_patching import sweep
from patching.sweeps.estimated_patching import Estimate, EstimatedExperiment
from patching.sweeps.exact_check import (
    EXACT,
    FIDELITY,
    read_check,
    read_diagnostics,
    spread_over_ranks,
)
from patching.sweeps.job import Settings, trace_to_store
from tests.patching.sweeps.test_job import StoppedError, data, images, model, small_batches

__all__ = ["data", "model", "small_batches"]  # fixtures

HEADS = Settings(
    Selection("head"),
    corruption("grayscale"),
    frozen=True,
    metrics=("logit",),
    estimate=Estimate(exact=5),
)


def stored(store: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of a store, in the order of its addresses."""
    opened = Store(store)
    return {
        kind: sorted(opened.rows(kind), key=lambda row: str(row["address"]))
        for kind in opened.kinds
    }


def equal(one: Path, other: Path) -> None:
    first, second = stored(one), stored(other)
    assert first.keys() == second.keys()
    for kind, rows in first.items():
        for row, twin in zip(rows, second[kind], strict=True):
            for name, value in row.items():
                np.testing.assert_array_equal(value, twin[name], err_msg=f"{kind}/{name}")


def test_sites_are_spread_over_the_ranks_of_absolute_effects() -> None:
    effects = np.array([0.1, -5.0, 0.0, 4.0, -3.0, 2.0, 1.0])
    # By size: 1, 3, 4, 5, 6, 0, 2; every third of them.
    assert spread_over_ranks(effects, 3) == [1, 2, 5]
    assert spread_over_ranks(effects, 1) == [1]
    assert spread_over_ranks(effects, 9) == list(range(7))
    assert spread_over_ranks(np.zeros(3), 2) == [0, 2]


def test_agreement_worked_out_by_hand() -> None:
    exact, estimated = np.array([1.0, 2, 3, 4, 0]), np.array([1.0, 3, 2, -5, -6])
    # Ranks 2 3 4 5 1 and 3 5 4 2 1: 1 - 6 * 14 / (5 * 24).
    assert rank_correlation(exact, estimated) == pytest.approx(0.3)
    assert equal_signs(exact, estimated) == 0.75
    assert np.isnan(rank_correlation(np.ones(3), estimated[:3]))
    assert np.isnan(equal_signs(np.zeros(2), estimated[:2]))


@pytest.mark.parametrize("direct", [False, True])
def test_exact_effects_are_those_of_a_sweep_and_the_rest_follows_from_the_numbers(
    model: VisionModel, data: Dataset, tmp_path: Path, direct: bool
) -> None:
    estimate = Estimate(exact=4, direct=direct)
    trace_to_store(model, data, replace(HEADS, estimate=estimate), tmp_path / "s", 7)
    pixels, numbers = images(data, list(range(7))), range(7)
    gray = corruption("grayscale").bind(model, data, numbers).images(pixels, numbers)
    labels = data.labels(numbers)
    exact = sweep(model, pixels, gray, labels, site="head", frozen=True).select(metric="logit")
    table, check = read_traces(tmp_path / "s"), read_check(tmp_path / "s", all_images=True)
    # An untrained model is right by chance, so that averages are over few images or none.
    assert check is None
    trace_to_store(
        model, data, replace(HEADS, estimate=estimate), tmp_path / "s", 7, all_images=True
    )
    check = read_check(tmp_path / "s", all_images=True)
    assert check is not None
    assert table.metric == ("logit",)
    assert check.sites.tolist() == spread_over_ranks(table.effect[0].mean(1), 4)
    means = exact.effect[0][check.sites].mean(1)
    assert np.allclose(check.exact, means, rtol=1e-3, atol=1e-6) != direct
    np.testing.assert_allclose(check.estimated, table.effect[0][check.sites].mean(1), rtol=1e-5)
    assert check.rank == pytest.approx(rank_correlation(check.exact, check.estimated), abs=1e-6)
    assert check.images == 7
    assert (check.low < check.exact).all()
    assert (check.exact < check.high).all()


def test_estimates_do_not_depend_on_how_many_images_fit_into_memory(
    model: VisionModel, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_to_store(model, data, HEADS, tmp_path / "a", 6)
    monkeypatch.setattr(EstimatedExperiment, "_images_at_once", lambda *_: 2)
    trace_to_store(model, data, HEADS, tmp_path / "b", 6)
    one, other = (read_traces(tmp_path / name) for name in "ab")
    np.testing.assert_allclose(one.restored, other.restored, rtol=2e-5, atol=2e-6)
    assert np.abs(one.effect).max() > 1e-4


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("call", [1, 2, 5, 6])
def test_an_interrupted_job_resumes_and_ends_with_the_same_rows(
    model: VisionModel, data: Dataset, tmp_path: Path, call: int
) -> None:
    """Stop in the estimates (calls 0 to 2 of progress) or in the check (3 to 5)."""
    trace_to_store(model, data, HEADS, tmp_path / "whole", 10)
    calls = []

    def stop(*numbers: float) -> None:
        calls.append(numbers)
        if len(calls) == call:
            raise StoppedError

    with pytest.raises(StoppedError):
        trace_to_store(model, data, HEADS, tmp_path / "s", 10, progress=stop)
    assert FIDELITY not in Store(tmp_path / "s").kinds
    trace_to_store(model, data, HEADS, tmp_path / "s", 10)
    equal(tmp_path / "s", tmp_path / "whole")
    assert len(Store(tmp_path / "s").addresses(EXACT)) == 10
    assert Store(tmp_path / "s").verify() == []


def test_a_second_call_computes_nothing(
    model: VisionModel, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_to_store(model, data, HEADS, tmp_path / "s", 4)
    for name in ("measure", "exact", "diagnostics"):
        monkeypatch.setattr(EstimatedExperiment, name, None)
    summary = trace_to_store(model, data, HEADS, tmp_path / "s", 4)
    assert (summary.stored, summary.done) == (0, 4)


def test_without_a_check_only_estimates_and_diagnostics_are_stored(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = replace(HEADS, selection=Selection("resid_pre"), estimate=Estimate(exact=0))
    trace_to_store(model, data, settings, tmp_path / "s", 3, all_images=True)
    assert not {EXACT, FIDELITY} & set(Store(tmp_path / "s").kinds)
    assert read_check(tmp_path / "s", all_images=True) is None
    assert any("residual stream is a large change" in o for o in read_diagnostics(tmp_path / "s"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (replace(HEADS, selection=Selection("attn", (3,))), "use `featviz trace --window`"),
        (Settings(Selection("attn"), ablate="mean", estimate=Estimate()), "cannot be estimated"),
        (replace(HEADS, metrics=("logit", "kl")), "a gradient is of one metric, got logit, kl"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    model: VisionModel, data: Dataset, tmp_path: Path, settings: Settings, message: str
) -> None:
    with pytest.raises(FeatvizError, match=message):
        trace_to_store(model, data, settings, tmp_path / "s", 3)
    assert not (tmp_path / "s").exists()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(FeatvizError, match="steps"):
        Estimate(steps=-1)


def test_the_model_and_random_state_are_left_as_found(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    model.module.train()
    state = torch.random.get_rng_state()
    try:
        trace_to_store(model, data, HEADS, tmp_path / "s", 2)
        assert model.module.training
    finally:
        model.module.eval()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.module.modules())
