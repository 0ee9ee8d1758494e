"""What the causal tests of a neuron measured, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from featviz.analysis.evidence.claims import Claim
from featviz.store.columns import Row

PROFILES = ("total", "direct", "induced")
PAIRS = ("ablation and dose", "ablation and direct effect", "dose and direct effect")
"""Of mean ablation, of the dose at the 99th percentile, and of what goes straight to the head."""


@dataclass(frozen=True)
class Effect:
    """A mean over images, with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Control:
    """What an effect comes to among controls.

    Attributes
    ----------
    count : int
        How many controls there are.
    level : float
        `within` of them stay at or below it. Where `p` is above 0.05 comparing stopped when that
        was sure, and the others are at or above it: the true level is no lower.
    within : int
        As many as a neuron that is like its controls exceeds in at most 5 % of cases.
    p : float
        Of the test whether the neuron's effect is above the level, and above 0, whatever the
        images; above 0.05 a lower bound.
    """

    count: int
    level: float
    within: int
    p: float


@dataclass(frozen=True)
class Removal:
    """What taking the neuron's activation away does.

    Attributes
    ----------
    effect : Effect
        By how much it lowers the margin of the class on its images.
    controls : dict of str to Control
        By kind; only those that were tested, and where the other ablation failed first, none.
    """

    effect: Effect
    controls: dict[str, Control]


@dataclass(frozen=True)
class Dose:
    """What putting an activation into neutral images does.

    Attributes
    ----------
    activation : float
        What is put in, averaged over tokens.
    effect : Effect
        By how much it raises the margin of the class.
    converted : float
        Share of the images whose largest logit becomes that of the class.
    """

    activation: float
    effect: Effect
    converted: float


@dataclass(frozen=True)
class Verdict:
    """The causal tests of one neuron. What was not measured is NaN.

    Attributes
    ----------
    data : str
        The dataset, and how many of its images took part.
    silent : bool
        It does not vary over them: nothing was tested, and what follows is empty.
    label : str or None
        The class that it was tested for: the one that it supports most, on other images than those
        that the tests are made on.
    images, neutral : int
        Held-out images of that class, and neutral ones.
    removals : dict of str to Removal
        By ablation.
    doses : dict of str to Dose
        The activation on the image at some percentile, on the picture and on another's.
    controls : dict of str to Control
        Of the dose at the 99th percentile, by kind; only those that were tested.
    response_p, picture_p : float
        Of the tests whether the 99th percentile does more than the 50th, and its picture more than
        another's.
    mediation, mediation_control, mediation_p : float
        Share of the margin on its picture that is gone with it frozen, the median of that with one
        of its controls frozen, and the share of these and itself that reach it. With 39 controls
        that share is no test of many neurons, and no claim is made of it.
    profile : dict of str to dict of str to float
        By `PROFILES` and class: effect on each class of mean ablation, of that without the layers
        behind, and of the dose at the 99th percentile.
    agreement : dict of str to float
        Spearman's correlation between two profiles over the classes, by `PAIRS`.
    claims : dict of str to Claim
        See `featviz.analysis.evidence.claims`.
    """

    data: str
    silent: bool
    label: str | None
    images: int
    neutral: int
    removals: dict[str, Removal]
    doses: dict[str, Dose]
    controls: dict[str, Control]
    response_p: float
    picture_p: float
    mediation: float
    mediation_control: float
    mediation_p: float
    profile: dict[str, dict[str, float]]
    agreement: dict[str, float]
    claims: dict[str, Claim]


def verdict(row: Row, configuration: Mapping[str, Any], claims: dict[str, Claim]) -> Verdict:
    """Take a verdict from a row of kind ``validations``.

    Parameters
    ----------
    configuration : mapping
        Of that kind.
    claims : dict of str to Claim
        Of that neuron.
    """
    silent, names = bool(row["silent"]), configuration["controls"]
    removals = {
        name: Removal(
            _effect(row["necessity"][place], row["necessity_interval"][place]),
            _controls(names, row, row["necessity_level"][place], row["necessity_p"][place]),
        )
        for place, name in enumerate(configuration["ablations"])
    }
    doses = {
        name: Dose(
            float(row["dose"][place]),
            _effect(row["sufficiency"][place], row["sufficiency_interval"][place]),
            float(row["converted"][place]),
        )
        for place, name in enumerate(configuration["doses"])
    }
    profile = {
        name: dict(zip(configuration["classes"], map(float, row[name]), strict=True))
        for name in PROFILES
    }
    return Verdict(
        f"{configuration['data']['name']} ({configuration['images']} images)",
        silent,
        None if silent else configuration["classes"][int(row["class"])],
        int(row["images"]),
        int(row["neutral"]),
        {} if silent else removals,
        {} if silent else doses,
        {} if silent else _controls(names, row, row["sufficiency_level"], row["sufficiency_p"]),
        float(row["response_p"]),
        float(row["picture_p"]),
        float(row["mediation"]),
        float(row["mediation_control"]),
        float(row["mediation_p"]),
        {} if silent else profile,
        dict(zip(PAIRS, map(float, row["agreement"]), strict=True)),
        claims,
    )


def _effect(estimate: float, interval: Any) -> Effect:
    return Effect(float(estimate), *map(float, interval))


def _controls(names: list[str], row: Row, levels: Any, p_values: Any) -> dict[str, Control]:
    return {
        name: Control(int(count), float(level), _within(int(count)), float(p))
        for name, count, level, p in zip(names, row["controls"], levels, p_values, strict=True)
        if not np.isnan(p)
    }


def _within(count: int) -> int:
    """Tell how many controls the level holds: of `count` + 1 alike, at most 5 % are above it."""
    return min(count, math.ceil(0.95 * (count + 1) - 1e-9))
