"""What a neuron does to every class, in all and straight to the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from patching.effects.metrics import margins
from patching.validation.candidate import LEAST_NEUTRAL, Candidate
from patching.validation.control_test import Floats
from patching.validation.schema import Row

EACH, MOST = 4, 100
"""Test images of a class that effects on all classes are measured on, and in all, at most; of every
class at least one."""


def profiles(own: Candidate, ends: Tensor) -> Row:
    """Compare what mean ablation does to each class, in all and straight to the head.

    Parameters
    ----------
    ends : Tensor, shape (N, T, C)
        The final stream of the unpatched runs, at the tokens that are read.
    """
    context, neuron, split = own.context, own.neuron, own.context.split
    classes = range(len(split.classes))
    each = images_of_each(len(classes))
    images = np.concatenate([context.tests_of(place)[:each] for place in classes])
    change = context.put(neuron, images, neuron.mean)
    (effect,) = context.run([change], neuron.direction)
    direct = _direct(own, ends, images, change[1])
    places, rows = split.place[images], np.arange(len(images))
    total, straight = (
        np.array([-some[rows, places][places == place].mean() for place in classes])
        for some in (effect.change, direct)
    )
    induced = _induced(own)
    pairs = ((total, induced), (total, straight), (induced, straight))
    agreement = np.array([_spearman(*pair) for pair in pairs])
    return {"total": total, "direct": straight, "induced": induced, "agreement": agreement}


def images_of_each(classes: int) -> int:
    """Tell how many images of each class are run, of so many classes."""
    return max(1, min(EACH, MOST // classes))


def _direct(own: Candidate, ends: Tensor, images: np.ndarray[Any, Any], shift: Tensor) -> Floats:
    """Add a change of the stream to its end, and compute the change of margins, (n, C)."""
    context, kept = own.context, ends.shape[1]
    chosen = ends[torch.from_numpy(images)]
    with torch.no_grad():
        moved = chosen + shift[:, :kept, None] * own.neuron.direction
        logits = context.suffix.vit.finish(moved).double().cpu()
    after = margins(logits, [each.logit for each in context.split.classes]).numpy()
    changed: Floats = after - context.margins[images]
    return changed


def _induced(own: Candidate) -> Floats:
    (effect,) = own.measured("sufficiency").effects
    if len(effect.images) < LEAST_NEUTRAL:
        return np.full(len(own.context.split.classes), np.nan)
    mean: Floats = effect.change.mean(0)
    return mean


def _spearman(one: Floats, other: Floats) -> float:
    """Correlate ranks; NaN where one of the two is the same everywhere, or unknown."""
    known = np.isfinite(one).all() and np.isfinite(other).all()
    if not known or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return float("nan")
    return float(spearmanr(one, other).statistic)
