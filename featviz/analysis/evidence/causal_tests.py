"""Results of the causal tests of one neuron: effects of ablations and doses, and controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from featviz.analysis.evidence.claims import PICTURE_DOSE, TESTED_DOSE, Claim
from featviz.models.loading.sae_files import LATENTS
from featviz.store.columns import Row

PROFILES = ("total", "direct", "induced")
"""Effects on all classes: of mean ablation, of mean ablation without the layers after the neuron,
and of the dose at the 99th percentile."""
PAIRS = ("ablation and dose", "ablation and direct effect", "dose and direct effect")
"""Pairs of profiles that are correlated."""


@dataclass(frozen=True)
class Effect:
    """A mean over images with its 95 % confidence interval.

    Attributes
    ----------
    estimate, low, high : float
        In logits.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class ControlGroup:
    """Controls of one kind, and how the neuron compares with them.

    Attributes
    ----------
    count : int
        Number of controls.
    level : float
        Effect that `within` of the controls do not exceed. Where `p` is above 0.05 the comparison
        stopped early, with the remaining controls at or above it: a lower bound.
    within : int
        Number of controls that a neuron which does not differ from them exceeds with a
        probability of at most 5 %.
    p : float
        p-value of the test, under resampling of the images, whether the neuron's effect is above
        both `level` and 0; above 0.05 a lower bound.
    """

    count: int
    level: float
    within: int
    p: float


@dataclass(frozen=True)
class Ablation:
    """Effect of removing the neuron's activation.

    Attributes
    ----------
    effect : Effect
        Decrease of the margin of the class on its images.
    controls : dict of str to ControlGroup
        By kind; only the kinds that were tested. Empty if the other ablation failed first.
    """

    effect: Effect
    controls: dict[str, ControlGroup]


@dataclass(frozen=True)
class Dose:
    """Effect of patching an activation into neutral images.

    Attributes
    ----------
    activation : float
        The patched activation, averaged over tokens.
    effect : Effect
        Increase of the margin of the class.
    converted : float
        Share of the images for which the class becomes the largest logit, in [0, 1].
    """

    activation: float
    effect: Effect
    converted: float


@dataclass(frozen=True)
class CausalTests:
    """The causal tests of one neuron or latent. What was not measured is NaN.

    Attributes
    ----------
    unit : str
        ``"neuron"`` or ``"latent"``.
    data : str
        The dataset and the number of its images.
    silent : bool
        It does not vary over these images: nothing was tested, and the rest is empty.
    label : str or None
        The class that was tested: the one that the neuron supports most, on images other than the
        held-out images of the tests.
    images, neutral : int
        Number of held-out images of that class, and of neutral images.
    removals : dict of str to Ablation
        By name of the ablation.
    doses : dict of str to Dose
        By name: the percentile of the image that the activation is from, the neuron's picture, or
        the picture of another neuron.
    controls : dict of str to ControlGroup
        Of the dose at the 99th percentile, by kind; only the kinds that were tested.
    response_p, picture_p : float
        p-values of the tests whether the 99th percentile has a larger effect than the 50th, and
        whether the neuron's own picture has a larger effect than another neuron's.
    mediation, mediation_control, mediation_p : float
        Share of the margin on the neuron's picture that is lost when the neuron is frozen at its
        mean, the median of this share over control neurons, and the share of the controls and the
        neuron itself that reach the neuron's value. No claim is based on the latter: with 39
        controls it cannot be small enough for many neurons.
    profile : dict of str to dict of str to float
        By `PROFILES` and class.
    agreement : dict of str to float
        Spearman correlation of two profiles over the classes, by `PAIRS`.
    claims : dict of str to Claim
        By name; see `featviz.analysis.evidence.claims`.
    """

    unit: str
    data: str
    silent: bool
    label: str | None
    images: int
    neutral: int
    removals: dict[str, Ablation]
    doses: dict[str, Dose]
    controls: dict[str, ControlGroup]
    response_p: float
    picture_p: float
    mediation: float
    mediation_control: float
    mediation_p: float
    profile: dict[str, dict[str, float]]
    agreement: dict[str, float]
    claims: dict[str, Claim]

    @classmethod
    def from_row(
        cls, row: Row, configuration: Mapping[str, Any], claims: dict[str, Claim]
    ) -> CausalTests:
        """Read the tests from a row of a store.

        Parameters
        ----------
        row : Row
            Of kind ``validations``.
        configuration : mapping
            Of that kind.
        claims : dict of str to Claim
            About that neuron.

        Returns
        -------
        CausalTests
        """
        silent, kinds = bool(row["silent"]), configuration["controls"]
        ablations = {
            name: Ablation(
                _effect(row["necessity"][index], row["necessity_interval"][index]),
                _controls(kinds, row, row["necessity_level"][index], row["necessity_p"][index]),
            )
            for index, name in enumerate(configuration["ablations"])
        }
        doses = {
            name: Dose(
                float(row["dose"][index]),
                _effect(row["sufficiency"][index], row["sufficiency_interval"][index]),
                float(row["converted"][index]),
            )
            for index, name in enumerate(configuration["doses"])
        }
        profile = {
            name: dict(zip(configuration["classes"], map(float, row[name]), strict=True))
            for name in PROFILES
        }
        controls = _controls(kinds, row, row["sufficiency_level"], row["sufficiency_p"])
        return cls(
            unit="latent" if row["address"].startswith(LATENTS) else "neuron",
            data=f"{configuration['data']['name']} ({configuration['images']} images)",
            silent=silent,
            label=None if silent else configuration["classes"][int(row["class"])],
            images=int(row["images"]),
            neutral=int(row["neutral"]),
            removals={} if silent else ablations,
            doses={} if silent else doses,
            controls={} if silent else controls,
            response_p=float(row["response_p"]),
            picture_p=float(row["picture_p"]),
            mediation=float(row["mediation"]),
            mediation_control=float(row["mediation_control"]),
            mediation_p=float(row["mediation_p"]),
            profile={} if silent else profile,
            agreement=dict(zip(PAIRS, map(float, row["agreement"]), strict=True)),
            claims=claims,
        )

    @property
    def weaker_ablation(self) -> Effect:
        """The smaller effect of the ablations; of a neuron that is not silent."""
        effects = (ablation.effect for ablation in self.removals.values())
        return min(effects, key=lambda effect: effect.estimate)

    @property
    def effects(self) -> dict[str, Effect]:
        """The effect that each claim is about, by name of the claim; empty for silent units."""
        if self.silent:
            return {}
        return {
            "necessary": self.weaker_ablation,
            "sufficient": self.doses[TESTED_DOSE].effect,
            "pictured": self.doses[PICTURE_DOSE].effect,
        }


def _effect(estimate: float, interval: Any) -> Effect:
    return Effect(float(estimate), *map(float, interval))


def _controls(kinds: list[str], row: Row, levels: Any, p_values: Any) -> dict[str, ControlGroup]:
    return {
        kind: ControlGroup(int(count), float(level), _within(int(count)), float(p))
        for kind, count, level, p in zip(kinds, row["controls"], levels, p_values, strict=True)
        if not np.isnan(p)
    }


def _within(count: int) -> int:
    """Return how many of `count` controls the level bounds.

    Of `count` + 1 exchangeable effects, at most 5 % are above it.
    """
    return min(count, math.ceil(0.95 * (count + 1) - 1e-9))
