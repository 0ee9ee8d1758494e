"""What a neuron, or a control of one, does to the class that it supports most."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from patching.validation.control_test import Compared, Floats, Indices, compare, resampled_means
from patching.validation.layer_context import Effect, LayerContext, Neuron

LEAST_NEUTRAL = 8
"""Neutral images; with fewer nothing is said about sufficiency."""

CLAIMS = ("necessity", "sufficiency")
"""What is tested against controls: both ablations, and the highest dose."""


@dataclass(frozen=True)
class Measured:
    """The effects that a claim needs.

    Attributes
    ----------
    effects : list of Effect
        Of M interventions.
    estimate : array, shape (M,)
        Mean effect on the class's margin: what it loses by ablation, or gains by the dose. NaN
        with too few images.
    resampled : array, shape (M, B)
        The same in each resample of the images.
    """

    effects: list[Effect]
    estimate: Floats
    resampled: Floats


@dataclass(frozen=True, eq=False)
class Candidate:
    """A neuron or a control, whose effects are measured when they are asked for.

    Attributes
    ----------
    context : LayerContext
        Where it is.
    neuron : Neuron
    support : array, shape (classes,)
        How much it supports each class, to first order.
    weights : array, shape (B, test images)
        See `patching.validation.control_test.draw`.
    """

    context: LayerContext
    neuron: Neuron
    support: Floats
    weights: Floats
    _measured: dict[str, Measured] = field(default_factory=dict, repr=False)

    @cached_property
    def place(self) -> int:
        """The class that it supports most."""
        return self.context.choose(self.neuron, self.support)

    def measured(self, claim: str) -> Measured:
        """Measure what one of `CLAIMS` needs, once."""
        if claim not in self._measured:
            self._measured[claim] = self._measure(claim == CLAIMS[0])
        return self._measured[claim]

    def beside(self, controls: list[Candidate], claim: str) -> Compared:
        """Compare the effects that a claim needs with those of controls, the strongest first."""
        own = self.measured(claim)
        others = (control.measured(claim) for control in controls)
        return compare(
            (own.estimate, own.resampled),
            ((each.estimate, each.resampled) for each in others),
            len(controls),
        )

    def _measure(self, ablate: bool) -> Measured:
        context, plan = (
            self.context,
            self.context.ablations if ablate else self.context.highest_dose,
        )
        effects = context.run(plan(self.neuron, self.place), self.neuron.direction)
        sign, least = (-1, 1) if ablate else (1, LEAST_NEUTRAL)
        estimate = np.full(len(effects), np.nan)
        resampled = np.full((len(effects), len(self.weights)), np.nan)
        for row, effect in enumerate(effects):
            value = sign * effect.change[:, self.place]
            if len(value) >= least:
                estimate[row] = value.mean()
                places = among_tests(context, effect.images)
                resampled[row] = resampled_means(self.weights, places, value)
        return Measured(effects, estimate, resampled)


def among_tests(context: LayerContext, images: Indices) -> Indices:
    """Find images among the test images."""
    return np.searchsorted(context.split.test, images)
