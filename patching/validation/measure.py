"""All columns of a validation's row: one neuron, compared with its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from featviz.store.columns import Row
from patching.effects.bootstrap import intervals
from patching.validation.candidate import CLAIMS, Candidate
from patching.validation.class_profile import class_profile
from patching.validation.control_test import ALPHA
from patching.validation.controls import (
    CONTROLS,
    direction_controls,
    random_directions,
    strongest_first,
)
from patching.validation.doses import DOSES, RenderRun, dose_response, mediation
from patching.validation.layer_context import ABLATIONS


@dataclass(frozen=True)
class ComparisonSet:
    """What a neuron is compared with, and the runs that its measurement needs.

    Attributes
    ----------
    controls : sequence of Candidate
        Other neurons.
    renders : RenderRun
        Of the neuron's own renders.
    other_renders : RenderRun or None
        Of another neuron's renders, if there are any.
    final_stream : Tensor, shape (N, read_tokens, C)
        See `patching.validation.suffix_forward.Baseline`.
    """

    controls: Sequence[Candidate]
    renders: RenderRun
    other_renders: RenderRun | None
    final_stream: Tensor


def measure_neuron(
    candidate: Candidate, comparison: ComparisonSet, generator: torch.Generator
) -> Row:
    """Measure all columns of a row of kind ``validations`` except ``address`` and ``level``.

    Parameters
    ----------
    candidate : Candidate
        The neuron.
    comparison : ComparisonSet
    generator : torch.Generator
        For random directions.

    Returns
    -------
    dict of str to Any
    """
    row = _compare_with_controls(candidate, comparison.controls, generator)
    row |= dose_response(candidate, comparison.renders, comparison.other_renders)
    neurons = [control.neuron for control in comparison.controls]
    row |= mediation(candidate, comparison.renders, neurons)
    row |= class_profile(candidate, comparison.final_stream)
    return row


def silent_row(classes: int) -> Row:
    """Return the row of a silent neuron, without ``address`` and ``level``: nothing is measured.

    Parameters
    ----------
    classes : int
        Number of classes.

    Returns
    -------
    dict of str to Any
    """
    a, z, o = len(ABLATIONS), len(CONTROLS), len(DOSES)
    shapes = {
        "necessity": (a,), "necessity_interval": (a, 2), "necessity_level": (a, z),
        "necessity_p": (a, z), "dose": (o,), "sufficiency": (o,), "sufficiency_interval": (o, 2),
        "converted": (o,), "sufficiency_level": (z,), "sufficiency_p": (z,), "response_p": (),
        "picture_p": (), "mediation": (), "mediation_control": (), "mediation_p": (),
        "total": (classes,), "direct": (classes,), "induced": (classes,), "agreement": (3,),
    }  # fmt: skip
    unknown = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    counts = {"images": 0, "neutral": 0, "controls": np.zeros(z, np.int64)}
    return {"silent": 1, "class": -1} | counts | unknown


def _compare_with_controls(
    candidate: Candidate, neurons: Sequence[Candidate], generator: torch.Generator
) -> Row:
    """Compare with neurons and, where the claim is still possible, with random directions."""
    ablations, dose = (candidate.effects_for(claim) for claim in CLAIMS)
    critical, p = np.full((2, len(ABLATIONS) + 1, len(CONTROLS)), np.nan)
    directions: list[Candidate] = []
    for claim, rows in zip(CLAIMS, (slice(0, -1), slice(-1, None)), strict=True):
        compared = candidate.compare_with(strongest_first(list(neurons)), claim)
        critical[rows, 0], p[rows, 0] = compared.critical_value, compared.p
        if (compared.p <= ALPHA).all():
            if not directions:
                drawn = random_directions(candidate.neuron.direction, generator)
                directions = strongest_first(direction_controls(candidate, drawn))
            compared = candidate.compare_with(directions, claim)
            critical[rows, 1], p[rows, 1] = compared.critical_value, compared.p
    losses = -np.stack([effect.change[:, candidate.label] for effect in ablations.effects], 1)
    found = intervals(losses)
    return {
        "silent": 0,
        "class": candidate.label,
        "images": len(losses),
        "neutral": len(dose.effects[0].images),
        "controls": np.array([len(neurons), len(directions)]),
        "necessity": ablations.estimate,
        "necessity_interval": np.stack([found.low, found.high], -1),
        "necessity_level": critical[:-1],
        "necessity_p": p[:-1],
        "sufficiency_level": critical[-1],
        "sufficiency_p": p[-1],
    }
