"""All that is measured of one neuron, against its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from patching.stats import intervals
from patching.validation.controls import LEAST_NEUTRAL, Measured, measure_directions, tested
from patching.validation.resampling import (
    SHARE,
    Floats,
    above,
    level,
    positive,
    resampled_means,
)
from patching.validation.scene import QUANTILES, Effect, Neuron, Scene
from patching.validation.tail import margins

ABLATIONS = ("mean", "resample")
CONTROLS = ("neurons", "directions")
DOSES = (*map(str, QUANTILES), "picture", "other")
PROFILE = 8
"""Test images of each class that the effects on all classes are measured on, at most."""

Row = dict[str, Any]


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


@dataclass(frozen=True)
class Company:
    """What stands beside a neuron.

    Attributes
    ----------
    controls : sequence of Measured
        Other neurons.
    neurons : sequence of Neuron
        The same, as they are.
    places : list of int
        Their numbers among the MLP's neurons.
    picture, other : Picture
        The neuron's own, and another neuron's; None where there is no other.
    ends : Tensor, shape (N, T, C)
        The final stream of the unpatched runs, at the tokens that are read.
    """

    controls: Sequence[Measured]
    neurons: Sequence[Neuron]
    places: list[int]
    picture: Picture
    other: Picture | None
    ends: Tensor


def validate(
    scene: Scene,
    number: int,
    neuron: Neuron,
    measured: Measured,
    company: Company,
    weights: Floats,
    generator: torch.Generator,
) -> Row:
    """Measure all columns of a row of the kind ``validations``, but address and level.

    Parameters
    ----------
    number : int
        Of the neuron in its MLP.
    measured : Measured
        The neuron's own effects on its class.
    """
    row = _against_controls(scene, neuron, measured, company, weights, generator)
    row |= _doses(scene, number, neuron, measured, company, weights)
    row |= _mediation(scene, number, neuron, measured, company)
    row |= _profiles(scene, neuron, measured, company)
    return row


def silent_row(classes: int) -> Row:
    """Make the row of a neuron that does not vary: nothing is measured."""
    nan, a, z, o = np.nan, len(ABLATIONS), len(CONTROLS), len(DOSES)
    shapes = {
        "necessity": (a,), "necessity_interval": (a, 2), "necessity_level": (a, z),
        "necessity_p": (a, z), "dose": (o,), "sufficiency": (o,), "sufficiency_interval": (o, 2),
        "converted": (o,), "sufficiency_level": (z,), "sufficiency_p": (z,), "response_p": (),
        "picture_p": (), "mediation": (), "mediation_control": (), "mediation_p": (),
        "total": (classes,), "direct": (classes,), "induced": (classes,), "agreement": (3,),
    }  # fmt: skip
    empty = {name: np.full(shape, nan) for name, shape in shapes.items()}
    counts = {"images": 0, "neutral": 0, "controls": np.zeros(z, np.int64)}
    return {"silent": 1, "class": -1} | counts | empty


def _against_controls(
    scene: Scene,
    neuron: Neuron,
    measured: Measured,
    company: Company,
    weights: Floats,
    generator: torch.Generator,
) -> Row:
    """Compare with neurons, and where these leave a claim possible, with random directions."""
    count = len(measured.estimate)
    levels, ps = np.full((2, count, len(CONTROLS)), np.nan)
    levels[:, 0], ps[:, 0] = _compare(measured, company.controls)
    necessary, sufficient = (ps[:-1, 0] <= SHARE).all(), ps[-1, 0] <= SHARE
    directions: Sequence[Measured] = ()
    if necessary or sufficient:
        directions = measure_directions(scene, neuron, weights, generator)
        levels[:, 1], ps[:, 1] = _compare(measured, directions)
    values = -np.stack([each.change[:, measured.place] for each in measured.effects[:-1]], 1)
    found = intervals(values)
    return {
        "silent": 0,
        "class": measured.place,
        "images": len(values),
        "neutral": len(measured.effects[-1].images),
        "controls": np.array([len(company.controls), len(directions)]),
        "necessity": measured.estimate[:-1],
        "necessity_interval": np.stack([found.low, found.high], -1),
        "necessity_level": levels[:-1],
        "necessity_p": ps[:-1],
        "sufficiency_level": levels[-1],
        "sufficiency_p": ps[-1],
    }


def _compare(measured: Measured, controls: Sequence[Measured]) -> tuple[Floats, list[float]]:
    """Find the level of controls and the p of every measure."""
    count = len(measured.estimate)
    if not controls:
        return np.full(count, np.nan), [float("nan")] * count
    levels = level(np.stack([each.estimate for each in controls]))
    rest = np.stack([each.resampled for each in controls])
    known = np.isfinite(measured.estimate) & np.isfinite(levels)
    ps = [
        above(measured.resampled[one], rest[:, one]) if known[one] else float("nan")
        for one in range(count)
    ]
    return levels, ps


def _doses(
    scene: Scene,
    number: int,
    neuron: Neuron,
    measured: Measured,
    company: Company,
    weights: Floats,
) -> Row:
    """Put the neuron's activation on other images, and on pictures, into neutral images."""
    images, place = measured.effects[-1].images, measured.place
    shape = (len(DOSES),)
    row: Row = {name: np.full(shape, np.nan) for name in ("dose", "sufficiency", "converted")}
    row |= {"sufficiency_interval": np.full((*shape, 2), np.nan)}
    row |= {"response_p": np.nan, "picture_p": np.nan}
    if len(images) < LEAST_NEUTRAL:
        return row
    maps = [scene.at_quantile(neuron, percent) for percent in QUANTILES]
    pictures = [one for one in (company.picture, company.other) if one is not None]
    maps += [one.activations[one.best, :, number] for one in pictures]
    highest, count = len(QUANTILES) - 1, len(maps)
    changes = [scene.put(neuron, images, each) for each in maps]
    # The highest was put in before, to be compared with controls.
    effects = scene.run(changes[:highest] + changes[highest + 1 :], neuron.direction)
    effects.insert(highest, measured.effects[-1])
    values = np.stack([each.change[:, place] for each in effects], 1)
    found = intervals(values)
    logit = scene.split.classes[place].logit
    kept = float(scene.tokens.sum())
    row["dose"][:count] = [float((each * scene.tokens).sum()) / kept for each in maps]
    row["sufficiency"][:count] = found.estimate
    row["sufficiency_interval"][:count] = np.stack([found.low, found.high], -1)
    row["converted"][:count] = [(each.top == logit).mean() for each in effects]
    drawn = [resampled_means(weights, tested(scene, images), each) for each in values.T]
    row["response_p"] = positive(drawn[highest] - drawn[0])
    if company.other is not None:
        row["picture_p"] = positive(drawn[-2] - drawn[-1])
    return row


def _mediation(
    scene: Scene, number: int, neuron: Neuron, measured: Measured, company: Company
) -> Row:
    """Run the pictures with the neuron frozen at its mean, and with each control frozen instead."""
    place, images = measured.place, measured.effects[-1].images
    row = dict.fromkeys(("mediation", "mediation_control", "mediation_p"), np.nan)
    if len(images) < LEAST_NEUTRAL:
        return row
    picture, logit = company.picture, scene.split.classes[place].logit
    samples, frozen = len(picture.behind), [neuron, *company.neurons]
    shifts = [
        (one.mean - picture.activations[:, :, where]) * scene.tokens
        for one, where in zip(frozen, [number, *company.places], strict=True)
    ]
    runs = torch.cat([torch.zeros_like(shifts[0]), *shifts])
    directions = torch.stack([neuron.direction, *(one.direction for one in frozen)])
    logits = scene.tail.logits(
        picture.behind,
        torch.arange(samples).repeat(1 + len(frozen)),
        runs,
        directions.repeat_interleave(samples, 0),
    )
    resting = scene.margins[images, place].mean()
    whole, *left = (margins(logits, [logit]).view(-1, samples).mean(1).numpy() - resting).tolist()
    if whole <= 0:
        return row
    share, *others = (1 - one / whole for one in left)
    row["mediation"] = share
    if others:
        rank = 1 + sum(one >= share for one in others)
        row |= {"mediation_control": np.median(others), "mediation_p": rank / (1 + len(others))}
    return row


def _profiles(scene: Scene, neuron: Neuron, measured: Measured, company: Company) -> Row:
    """Compare what mean ablation does to each class, in all and straight to the head."""
    split = scene.split
    images = np.concatenate(
        [scene.tests_of(place)[:PROFILE] for place in range(len(split.classes))]
    )
    change = scene.put(neuron, images, neuron.mean)
    (effect,) = scene.run([change], neuron.direction)
    direct = _direct(scene, neuron, company.ends, images, change[1])
    own = split.place[images]
    rows = np.arange(len(images))
    total, straight = (
        np.array([-each[rows, own][own == place].mean() for place in range(len(split.classes))])
        for each in (effect.change, direct)
    )
    induced = _induced(scene, measured)
    pairs = ((total, induced), (total, straight), (induced, straight))
    agreement = np.array([_spearman(*pair) for pair in pairs])
    return {"total": total, "direct": straight, "induced": induced, "agreement": agreement}


def _direct(
    scene: Scene, neuron: Neuron, ends: Tensor, images: np.ndarray[Any, Any], shift: Tensor
) -> Floats:
    """Add a change of the stream to its end, and compute the change of margins, (n, C)."""
    kept = ends.shape[1]
    chosen = ends[torch.from_numpy(images)]
    with torch.no_grad():
        moved = chosen + shift[:, :kept, None] * neuron.direction
        logits = scene.tail.trunk.finish(moved).double().cpu()
    after = margins(logits, [each.logit for each in scene.split.classes]).numpy()
    changed: Floats = after - scene.margins[images]
    return changed


def _induced(scene: Scene, measured: Measured) -> Floats:
    effect: Effect = measured.effects[-1]
    if len(effect.images) < LEAST_NEUTRAL:
        return np.full(len(scene.split.classes), np.nan)
    mean: Floats = effect.change.mean(0)
    return mean


def _spearman(one: Floats, other: Floats) -> float:
    """Correlate ranks; NaN where one of the two is the same everywhere, or unknown."""
    known = np.isfinite(one).all() and np.isfinite(other).all()
    if not known or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return float("nan")
    return float(spearmanr(one, other).statistic)
