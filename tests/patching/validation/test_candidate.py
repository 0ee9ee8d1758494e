from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from patching.validation.candidate import Candidate
from patching.validation.layer_context import Effect, Intervention, LayerContext
from tests.patching.validation.worlds import group


def test_effects_are_losses_by_ablation_and_gains_by_the_dose() -> None:
    needed = group().candidate(0)
    for claim, sign in (("necessity", -1), ("sufficiency", 1)):
        found = needed.effects_for(claim)
        assert (found.estimate > 0.3).all()
        for row, effect in enumerate(found.effects):
            assert found.estimate[row] == sign * effect.change[:, 0].mean()
            # Resamples scatter around the estimate.
            assert found.resampled[row].mean() == pytest.approx(found.estimate[row], rel=0.05)
    assert needed.label == 0


def test_a_dead_neuron_changes_nothing() -> None:
    found = group()
    assert np.abs(found.candidate(2).effects_for("necessity").estimate).max() == 0
    assert found.levels[2] == 0
    assert 2 not in found.pool


def test_a_control_is_measured_once_and_only_for_the_claim_that_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = group()
    control = found.candidate(int(found.pool[7]))
    fresh = Candidate(control.context, control.neuron, control.support, control.resamples)
    counts: list[int] = []
    run = LayerContext.effects_of

    def counting(
        context: LayerContext, interventions: list[Intervention], direction: Tensor
    ) -> list[Effect]:
        counts.append(len(interventions))
        return run(context, interventions, direction)

    monkeypatch.setattr(LayerContext, "effects_of", counting)
    first = fresh.effects_for("sufficiency")
    assert fresh.effects_for("sufficiency") is first
    # The choice of its class, and the dose: no ablation.
    assert counts == [3, 1]
    assert np.array_equal(first.resampled, control.effects_for("sufficiency").resampled)


def test_too_few_neutral_images_leave_sufficiency_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = group().candidate(0)
    few = found.context.split.test[:7]
    monkeypatch.setattr(LayerContext, "neutral_images", lambda *_: few)
    fresh = Candidate(found.context, found.neuron, found.support, found.resamples)
    assert np.isnan(fresh.effects_for("sufficiency").estimate).all()
    assert np.isnan(fresh.compare_with([fresh] * 39, "sufficiency").p).all()
    assert np.isfinite(fresh.effects_for("necessity").estimate).all()
