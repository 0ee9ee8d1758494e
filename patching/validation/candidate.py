"""Candidates: the effects of a neuron, or of one of its controls, on the class it supports most."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from patching.effects.bootstrap import Floats, resampled_means
from patching.validation.control_test import ControlComparison, compare
from patching.validation.layer_context import Effect, LayerContext, Neuron

MIN_NEUTRAL = 8
"""Minimum number of neutral images for sufficiency to be tested."""

CLAIMS = ("necessity", "sufficiency")
"""What is tested against controls: the effects of both ablations, and of the highest dose."""


@dataclass(frozen=True)
class ClaimEffects:
    """The effects on which a claim rests.

    Attributes
    ----------
    effects : list of Effect
        Of M interventions.
    estimate : array, shape (M,)
        Mean effect on the margin of the candidate's class: the loss by ablation, or the gain by the
        dose. NaN with too few images.
    resampled : array, shape (M, B)
        The same in each resample of the held-out images.
    """

    effects: list[Effect]
    estimate: Floats
    resampled: Floats


@dataclass(frozen=True, eq=False)
class Candidate:
    """A neuron or a control, whose effects are measured on first use.

    Attributes
    ----------
    context : LayerContext
    neuron : Neuron
    support : array, shape (classes,)
        See `LayerContext.support`.
    resamples : array, shape (B, held-out images)
        See `patching.effects.bootstrap.stratified_counts`.
    """

    context: LayerContext
    neuron: Neuron
    support: Floats
    resamples: Floats
    _measured: dict[str, ClaimEffects] = field(default_factory=dict, repr=False)

    @cached_property
    def label(self) -> int:
        """Index of the class that it supports most; see `LayerContext.choose_class`."""
        return self.context.choose_class(self.neuron, self.support)

    def effects_for(self, claim: str) -> ClaimEffects:
        """Return the effects for a `claim` of `CLAIMS`, measured at the first call."""
        if claim not in self._measured:
            self._measured[claim] = self._measure(claim == CLAIMS[0])
        return self._measured[claim]

    def compare_with(self, controls: list[Candidate], claim: str) -> ControlComparison:
        """Compare the effects for a claim with those of controls.

        Parameters
        ----------
        controls : list of Candidate
            Best the strongest first; not all of them need to be measured.
        claim : str
            One of `CLAIMS`.

        Returns
        -------
        ControlComparison
        """
        own = self.effects_for(claim)
        others = (control.effects_for(claim) for control in controls)
        return compare(
            (own.estimate, own.resampled),
            ((each.estimate, each.resampled) for each in others),
            len(controls),
        )

    def _measure(self, ablate: bool) -> ClaimEffects:
        context = self.context
        plan = context.ablations if ablate else context.highest_dose
        effects = context.effects_of(plan(self.neuron, self.label), self.neuron.direction)
        sign, least = (-1, 1) if ablate else (1, MIN_NEUTRAL)
        estimate = np.full(len(effects), np.nan)
        resampled = np.full((len(effects), len(self.resamples)), np.nan)
        for row, effect in enumerate(effects):
            gains = sign * effect.change[:, self.label]
            if len(gains) >= least:
                estimate[row] = gains.mean()
                images = context.split.among_tests(effect.images)
                resampled[row] = resampled_means(self.resamples, images, gains)
        return ClaimEffects(effects, estimate, resampled)
