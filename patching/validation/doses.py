"""What a neuron's activations do where they are put in, and what its pictures lose without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from patching.effects.bootstrap import intervals
from patching.effects.metrics import margins
from patching.validation.candidate import LEAST_NEUTRAL, Candidate, among_tests
from patching.validation.control_test import positive, resampled_means
from patching.validation.layer_context import QUANTILES, Neuron
from patching.validation.schema import DOSES, Row


@dataclass(frozen=True)
class Picture:
    """A neuron's pictures, run through the model.

    Attributes
    ----------
    behind : Tensor, shape (D, T, C)
        The stream behind the MLP.
    activations : Tensor, shape (D, T, F)
        Of all neurons of the MLP, after the nonlinearity.
    best : int
        The sample with the highest value.
    """

    behind: Tensor
    activations: Tensor
    best: int


def doses(own: Candidate, number: int, picture: Picture, other: Picture | None) -> Row:
    """Put the neuron's activation on other images, and on pictures, into neutral images.

    Parameters
    ----------
    number : int
        Of the neuron in its MLP.
    picture, other : Picture
        The neuron's own, and another neuron's; None where there is no other.
    """
    context, neuron, place = own.context, own.neuron, own.place
    (highest,) = own.measured("sufficiency").effects
    images = highest.images
    shape = (len(DOSES),)
    row: Row = {name: np.full(shape, np.nan) for name in ("dose", "sufficiency", "converted")}
    row |= {"sufficiency_interval": np.full((*shape, 2), np.nan)}
    row |= {"response_p": np.nan, "picture_p": np.nan}
    if len(images) < LEAST_NEUTRAL:
        return row
    maps = [context.at_quantile(neuron, percent) for percent in QUANTILES]
    pictures = [one for one in (picture, other) if one is not None]
    maps += [one.activations[one.best, :, number] for one in pictures]
    known, count = len(QUANTILES) - 1, len(maps)
    changes = [context.put(neuron, images, each) for each in maps]
    # The highest was put in before, to be compared with controls.
    effects = context.run(changes[:known] + changes[known + 1 :], neuron.direction)
    effects.insert(known, highest)
    values = np.stack([each.change[:, place] for each in effects], 1)
    found = intervals(values)
    logit = context.split.classes[place].logit
    kept = float(context.tokens.sum())
    row["dose"][:count] = [float((each * context.tokens).sum()) / kept for each in maps]
    row["sufficiency"][:count] = found.estimate
    row["sufficiency_interval"][:count] = np.stack([found.low, found.high], -1)
    row["converted"][:count] = [(each.top == logit).mean() for each in effects]
    among = among_tests(context, images)
    drawn = [resampled_means(own.weights, among, each) for each in values.T]
    row["response_p"] = positive(drawn[known] - drawn[0])
    if other is not None:
        row["picture_p"] = positive(drawn[-2] - drawn[-1])
    return row


def mediation(
    own: Candidate,
    number: int,
    picture: Picture,
    controls: Sequence[Neuron],
    numbers: Sequence[int],
) -> Row:
    """Run the pictures with the neuron frozen at its mean, and with each control frozen instead.

    Parameters
    ----------
    number : int
        Of the neuron in its MLP.
    controls : sequence of Neuron
    numbers : sequence of int
        Theirs.
    """
    context, neuron, place = own.context, own.neuron, own.place
    images = own.measured("sufficiency").effects[0].images
    row = dict.fromkeys(("mediation", "mediation_control", "mediation_p"), np.nan)
    if len(images) < LEAST_NEUTRAL:
        return row
    logit = context.split.classes[place].logit
    samples, frozen = len(picture.behind), [neuron, *controls]
    shifts = [
        (one.mean - picture.activations[:, :, where]) * context.tokens
        for one, where in zip(frozen, [number, *numbers], strict=True)
    ]
    runs = torch.cat([torch.zeros_like(shifts[0]), *shifts])
    directions = torch.stack([neuron.direction, *(one.direction for one in frozen)])
    logits = context.suffix.logits(
        picture.behind,
        torch.arange(samples).repeat(1 + len(frozen)),
        runs,
        directions.repeat_interleave(samples, 0),
    )
    resting = context.margins[images, place].mean()
    whole, *left = (margins(logits, [logit]).view(-1, samples).mean(1).numpy() - resting).tolist()
    if whole <= 0:
        return row
    share, *others = (1 - one / whole for one in left)
    row["mediation"] = share
    if others:
        rank = 1 + sum(one >= share for one in others)
        row |= {"mediation_control": np.median(others), "mediation_p": rank / (1 + len(others))}
    return row
