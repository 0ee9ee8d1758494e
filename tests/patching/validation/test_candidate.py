from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from patching.validation.candidate import Candidate
from patching.validation.layer_context import Change, Effect, LayerContext
from tests.patching.validation.worlds import group


def test_effects_are_losses_by_ablation_and_gains_by_the_dose() -> None:
    needed = group().tested(0)
    for claim, sign in (("necessity", -1), ("sufficiency", 1)):
        found = needed.measured(claim)
        assert (found.estimate > 0.3).all()
        for row, effect in enumerate(found.effects):
            assert found.estimate[row] == sign * effect.change[:, 0].mean()
            # Resamples lie around the estimate.
            assert found.resampled[row].mean() == pytest.approx(found.estimate[row], rel=0.05)
    assert needed.place == 0


def test_a_dead_neuron_changes_nothing() -> None:
    found = group()
    assert np.abs(found.tested(2).measured("necessity").estimate).max() == 0
    assert found.levels[2] == 0
    assert 2 not in found.pool


def test_a_control_is_measured_once_and_only_for_what_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = group()
    control = found.tested(int(found.pool[7]))
    fresh = Candidate(control.context, control.neuron, control.support, control.weights)
    ran: list[int] = []
    run = LayerContext.run

    def counting(context: LayerContext, changes: list[Change], direction: Tensor) -> list[Effect]:
        ran.append(len(changes))
        return run(context, changes, direction)

    monkeypatch.setattr(LayerContext, "run", counting)
    first = fresh.measured("sufficiency")
    assert fresh.measured("sufficiency") is first
    # To choose its class, and the dose: no ablation.
    assert ran == [3, 1]
    assert np.array_equal(first.resampled, control.measured("sufficiency").resampled)


def test_too_few_neutral_images_leave_sufficiency_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = group().tested(0)
    few = found.context.split.test[:7]
    monkeypatch.setattr(LayerContext, "neutral", lambda *_: few)
    lonely = Candidate(found.context, found.neuron, found.support, found.weights)
    assert np.isnan(lonely.measured("sufficiency").estimate).all()
    assert np.isnan(lonely.beside([lonely] * 39, "sufficiency").p).all()
    assert np.isfinite(lonely.measured("necessity").estimate).all()
