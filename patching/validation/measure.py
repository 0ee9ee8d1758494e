"""All that is measured of one neuron, against its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from patching.effects.bootstrap import intervals
from patching.validation.candidate import CLAIMS, Candidate
from patching.validation.control_test import SHARE
from patching.validation.controls import random_directions, strongest_first, written_directions
from patching.validation.doses import Picture, doses, mediation
from patching.validation.profiles import profiles
from patching.validation.schema import ABLATIONS, CONTROLS, Row


@dataclass(frozen=True)
class ComparisonSet:
    """What stands beside a neuron.

    Attributes
    ----------
    controls : sequence of Candidate
        Other neurons.
    numbers : list of int
        Theirs in the MLP.
    picture, other : Picture
        The neuron's own, and another neuron's; None where there is no other.
    ends : Tensor, shape (N, T, C)
        The final stream of the unpatched runs, at the tokens that are read.
    """

    controls: Sequence[Candidate]
    numbers: list[int]
    picture: Picture
    other: Picture | None
    ends: Tensor


def validate(
    own: Candidate, number: int, comparison: ComparisonSet, generator: torch.Generator
) -> Row:
    """Measure all columns of a row of the kind ``validations``, but address and level.

    Parameters
    ----------
    own : Candidate
        The neuron.
    number : int
        Its number in its MLP.
    """
    row = _against_controls(own, comparison.controls, generator)
    row |= doses(own, number, comparison.picture, comparison.other)
    neurons = [control.neuron for control in comparison.controls]
    row |= mediation(own, number, comparison.picture, neurons, comparison.numbers)
    row |= profiles(own, comparison.ends)
    return row


def _against_controls(
    own: Candidate, neurons: Sequence[Candidate], generator: torch.Generator
) -> Row:
    """Compare with neurons, and where these leave a claim possible, with random directions."""
    ablations, dose = (own.measured(claim) for claim in CLAIMS)
    levels, ps = np.full((2, len(ABLATIONS) + 1, len(CONTROLS)), np.nan)
    directions: list[Candidate] = []
    for claim, rows in zip(CLAIMS, (slice(0, -1), slice(-1, None)), strict=True):
        compared = own.beside(strongest_first(list(neurons)), claim)
        levels[rows, 0], ps[rows, 0] = compared.level, compared.p
        if (compared.p <= SHARE).all():
            directions = directions or strongest_first(
                written_directions(own, random_directions(own.neuron.direction, generator))
            )
            compared = own.beside(directions, claim)
            levels[rows, 1], ps[rows, 1] = compared.level, compared.p
    values = -np.stack([each.change[:, own.place] for each in ablations.effects], 1)
    found = intervals(values)
    return {
        "silent": 0,
        "class": own.place,
        "images": len(values),
        "neutral": len(dose.effects[0].images),
        "controls": np.array([len(neurons), len(directions)]),
        "necessity": ablations.estimate,
        "necessity_interval": np.stack([found.low, found.high], -1),
        "necessity_level": levels[:-1],
        "necessity_p": ps[:-1],
        "sufficiency_level": levels[-1],
        "sufficiency_p": ps[-1],
    }
