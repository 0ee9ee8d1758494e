"""What a run says about the label of each image, in one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError, did_you_mean


@dataclass(frozen=True)
class Reference:
    """What the runs of N images are measured against.

    Attributes
    ----------
    labels : Tensor, shape (N,), int64
        Indices of logits.
    clean, corrupted : Tensor, shape (N, C)
        Logits of the unpatched runs. Whichever of them is patched, they keep their places.

    Raises
    ------
    FeatvizError
        If a label is no index of a logit.
    """

    labels: Tensor
    clean: Tensor
    corrupted: Tensor

    def __post_init__(self) -> None:
        count = self.clean.shape[1]
        wrong = self.labels[(self.labels < 0) | (self.labels >= count)].tolist()
        if wrong:
            what = "an image has no label" if wrong[0] < 0 else f"an image is of class {wrong[0]}"
            raise FeatvizError(f"{what}; the classes of the model are 0 to {count - 1}")

    @property
    def right(self) -> Tensor:
        """Whether the clean run's largest logit is the label's, (N,)."""
        return self.clean.argmax(1) == self.labels

    @property
    def rivals(self) -> Tensor:
        """The best class besides the label in the corrupted run, (N,): what is mistaken for it."""
        others = self.corrupted.scatter(1, self.labels[:, None], -torch.inf)
        return others.argmax(1)


def measure(
    logits: Tensor, reference: Reference, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Measure the metrics of every run; gradients pass through.

    ====================  ==========================================================================
    ``probability``       of the label, after the softmax over all classes
    ``logit``             of the label
    ``logit_difference``  the label's logit less that of its rival: the best other class of the
                          corrupted run, the same for every run of an image, so that the metric
                          is linear in the logits
    ``kl``                divergence of the run's probabilities from the clean run's, KL(clean ||
                          run) in nats; 0 for the clean run, and the larger the further away
    ====================  ==========================================================================

    All but ``kl`` fall where a label's cue is lost; ``kl`` rises, so that its effects have the
    other sign. Shares of the total effect have the same sign for all.

    Parameters
    ----------
    logits : Tensor, shape (P, N, C) or (N, C)
        Of P runs, or of one, of the reference's N images.
    names : sequence of str, optional
        Which metrics; all of `METRICS` if absent.

    Returns
    -------
    dict of str to Tensor of shape (P, N) or (N,)
        float64, in the order of the names.

    Raises
    ------
    FeatvizError
        If there is no metric of a name.
    """
    chosen = METRICS if names is None else names
    wrong = [name for name in chosen if name not in METRICS]
    if wrong:
        hint = did_you_mean(wrong[0], METRICS) or f"; there are {', '.join(METRICS)}"
        raise FeatvizError(f"there is no metric {wrong[0]!r}{hint}")
    return {name: _METRICS[name](logits.double(), reference) for name in chosen}


def _probability(logits: Tensor, reference: Reference) -> Tensor:
    return _of(logits.softmax(-1), reference.labels)


def _logit(logits: Tensor, reference: Reference) -> Tensor:
    return _of(logits, reference.labels)


def _logit_difference(logits: Tensor, reference: Reference) -> Tensor:
    return _of(logits, reference.labels) - _of(logits, reference.rivals)


def _kl(logits: Tensor, reference: Reference) -> Tensor:
    clean = reference.clean.double().log_softmax(-1)
    return (clean.exp() * (clean - logits.log_softmax(-1))).sum(-1)


def _of(values: Tensor, classes: Tensor) -> Tensor:
    return values.gather(-1, classes.expand(values.shape[:-1])[..., None])[..., 0]


_METRICS: dict[str, Callable[[Tensor, Reference], Tensor]] = {
    "probability": _probability,
    "logit": _logit,
    "logit_difference": _logit_difference,
    "kl": _kl,
}
METRICS = tuple(_METRICS)
"""Names of what is measured."""


def margins(logits: Tensor, classes: list[int]) -> Tensor:
    """Compute by how much the logits of classes exceed the mean of all others.

    Parameters
    ----------
    logits : Tensor, shape (N, K)
    classes : list of int
        C of the K logits.

    Returns
    -------
    Tensor, shape (N, C)
    """
    count = logits.shape[-1]
    return (count * logits[:, classes] - logits.sum(-1, keepdim=True)) / (count - 1)
