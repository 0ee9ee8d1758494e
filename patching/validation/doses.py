"""Dose-response and mediation: activations set on neutral images, renders with a neuron frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from featviz.store.columns import Row
from patching.effects.bootstrap import intervals, resampled_means
from patching.effects.metrics import margins
from patching.validation.candidate import MIN_NEUTRAL, Candidate
from patching.validation.control_test import bootstrap_p
from patching.validation.layer_context import PERCENTILES, Neuron
from patching.vit.stream_units import UnitRun

DOSES = (*map(str, PERCENTILES), "picture", "other")
"""Names of the doses: percentiles, the neuron's own render, and the render of another neuron."""


@dataclass(frozen=True)
class RenderRun:
    """A run of a neuron's D renders through its layer.

    Attributes
    ----------
    run : UnitRun
    best : int
        Index of the render with the highest activation.
    """

    run: UnitRun
    best: int


def dose_response(candidate: Candidate, own: RenderRun, other: RenderRun | None) -> Row:
    """Measure the effects of doses: activations of other images, set on neutral images.

    Parameters
    ----------
    candidate : Candidate
        The neuron.
    own : RenderRun
        Of the neuron's renders.
    other : RenderRun or None
        Of another neuron's renders, if there are any.

    Returns
    -------
    dict of str to Any
        Columns ``dose``, ``sufficiency``, ``sufficiency_interval`` and ``converted``, with one
        entry for each of `DOSES`, and ``response_p`` and ``picture_p``. NaN where a dose is
        missing, and everywhere with fewer than `MIN_NEUTRAL` neutral images.
    """
    context, neuron, label = candidate.context, candidate.neuron, candidate.label
    (highest,) = candidate.effects_for("sufficiency").effects
    images = highest.images
    shape = (len(DOSES),)
    row: Row = {name: np.full(shape, np.nan) for name in ("dose", "sufficiency", "converted")}
    row |= {"sufficiency_interval": np.full((*shape, 2), np.nan)}
    row |= {"response_p": np.nan, "picture_p": np.nan}
    if len(images) < MIN_NEUTRAL:
        return row
    doses = [context.dose(neuron, percentile) for percentile in PERCENTILES]
    renders = [each for each in (own, other) if each is not None]
    doses += [each.run.activations[each.best, :, neuron.index] for each in renders]
    last, count = len(PERCENTILES) - 1, len(doses)
    planned = [context.set_activation(neuron, images, dose) for dose in doses]
    # The highest percentile was run before, for the comparison with controls.
    effects = context.effects_of(planned[:last] + planned[last + 1 :], neuron.direction)
    effects.insert(last, highest)
    values = np.stack([effect.change[:, label] for effect in effects], 1)
    found = intervals(values)
    logit = context.split.classes[label].logit
    tokens = float(context.token_mask.sum())
    row["dose"][:count] = [float((dose * context.token_mask).sum()) / tokens for dose in doses]
    row["sufficiency"][:count] = found.estimate
    row["sufficiency_interval"][:count] = np.stack([found.low, found.high], -1)
    row["converted"][:count] = [(effect.top == logit).mean() for effect in effects]
    positions = context.split.among_tests(images)
    resampled = [resampled_means(candidate.resamples, positions, each) for each in values.T]
    row["response_p"] = bootstrap_p(resampled[last] - resampled[0])
    if other is not None:
        row["picture_p"] = bootstrap_p(resampled[-2] - resampled[-1])
    return row


def mediation(candidate: Candidate, renders: RenderRun, controls: Sequence[Neuron]) -> Row:
    """Measure how much of the margin on a neuron's renders is lost when it is frozen at its mean.

    Parameters
    ----------
    candidate : Candidate
        The neuron.
    renders : RenderRun
        Of its renders.
    controls : sequence of Neuron
        Units of the layer that are frozen instead, for comparison.

    Returns
    -------
    dict of str to Any
        Columns ``mediation``, the lost share of the margin above that on neutral images;
        ``mediation_control``, its median over controls; and ``mediation_p``, the rank of the
        neuron among the controls and itself, relative to their number. NaN where the margin on
        renders is not above that on neutral images, or there are too few of these.
    """
    context, label = candidate.context, candidate.label
    images = candidate.effects_for("sufficiency").effects[0].images
    row = dict.fromkeys(("mediation", "mediation_control", "mediation_p"), np.nan)
    if len(images) < MIN_NEUTRAL:
        return row
    logit = context.split.classes[label].logit
    run, frozen = renders.run, [candidate.neuron, *controls]
    samples, scale = len(run.stream), run.scale[..., 0] * context.token_mask
    shifts = [(neuron.mean - run.activations[:, :, neuron.index]) * scale for neuron in frozen]
    directions = torch.stack([neuron.direction for neuron in (candidate.neuron, *frozen)])
    logits = context.suffix.logits(
        run.stream,
        torch.arange(samples).repeat(1 + len(frozen)),
        torch.cat([torch.zeros_like(shifts[0]), *shifts]),
        directions.repeat_interleave(samples, 0),
    )
    neutral = context.margins[images, label].mean()
    margin_gains = margins(logits, [logit]).view(-1, samples).mean(1).numpy() - neutral
    unfrozen, *remaining = margin_gains.tolist()
    if unfrozen <= 0:
        return row
    share, *others = (1 - one / unfrozen for one in remaining)
    row["mediation"] = share
    if others:
        rank = 1 + sum(one >= share for one in others)
        row |= {"mediation_control": np.median(others), "mediation_p": rank / (1 + len(others))}
    return row
