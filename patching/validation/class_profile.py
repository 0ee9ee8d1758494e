"""Class profile: a neuron's total, direct and induced effects on every class."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from featviz.store.columns import Row
from patching.effects.bootstrap import Floats, Indices
from patching.effects.metrics import margins
from patching.validation.candidate import MIN_NEUTRAL, Candidate

IMAGES_PER_CLASS, MAX_IMAGES = 4, 100
"""Maximum number of held-out images of a class, and of all classes; at least one of every class."""


def class_profile(candidate: Candidate, final_stream: Tensor) -> Row:
    """Measure the effects of a neuron on every class, and how much their rankings agree.

    Parameters
    ----------
    candidate : Candidate
        The neuron.
    final_stream : Tensor, shape (N, read_tokens, C)
        See `patching.validation.suffix_forward.Baseline`.

    Returns
    -------
    dict of str to Any
        Columns ``total``, margin lost by mean ablation; ``direct``, the part of it that reaches the
        head through the skip connections alone; ``induced``, margin gained by the highest dose;
        each of shape (classes,). ``agreement``, shape (3,): Spearman's correlations of total and
        induced, total and direct, induced and direct.
    """
    context, neuron, split = candidate.context, candidate.neuron, candidate.context.split
    classes = range(len(split.classes))
    count = images_per_class(len(classes))
    images = np.concatenate([split.tests_of(label)[:count] for label in classes])
    ablation = context.set_activation(neuron, images, neuron.mean)
    (effect,) = context.effects_of([ablation], neuron.direction)
    through_skips = _direct_change(candidate, final_stream, images, ablation.shift)
    labels, rows = split.labels[images], np.arange(len(images))
    total, direct = (
        np.array([-change[rows, labels][labels == label].mean() for label in classes])
        for change in (effect.change, through_skips)
    )
    induced = _induced(candidate)
    pairs = ((total, induced), (total, direct), (induced, direct))
    agreement = np.array([_spearman(*pair) for pair in pairs])
    return {"total": total, "direct": direct, "induced": induced, "agreement": agreement}


def images_per_class(classes: int) -> int:
    """Return the number of images of each class that are run, given the number of `classes`."""
    return max(1, min(IMAGES_PER_CLASS, MAX_IMAGES // classes))


def _direct_change(
    candidate: Candidate, final_stream: Tensor, images: Indices, shift: Tensor
) -> Floats:
    """Add a change of the activation to the final stream; return that of margins, (n, classes).

    The final norm is the model's own, not frozen as in
    `patching.attribution.direct_logit_attribution`.
    """
    context, read = candidate.context, final_stream.shape[1]
    chosen = final_stream[torch.from_numpy(images)]
    with torch.no_grad():
        changed = chosen + shift[:, :read, None] * candidate.neuron.direction
        logits = context.suffix.vit.finish(changed).double().cpu()
    after = margins(logits, context.split.logits).numpy()
    change: Floats = after - context.margins[images]
    return change


def _induced(candidate: Candidate) -> Floats:
    (effect,) = candidate.effects_for("sufficiency").effects
    if len(effect.images) < MIN_NEUTRAL:
        return np.full(len(candidate.context.split.classes), np.nan)
    mean: Floats = effect.change.mean(0)
    return mean


def _spearman(x: Floats, y: Floats) -> float:
    """Compute Spearman's rank correlation; NaN if one input is constant or not finite."""
    known = np.isfinite(x).all() and np.isfinite(y).all()
    if not known or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return float("nan")
    return float(spearmanr(x, y).statistic)
