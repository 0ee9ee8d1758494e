"""Metrics of a run: one number for each image, from its logits and label, or its embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.addressing.directions import Direction, read_directions
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.vision_model import VisionModel
from patching.effects.labels import count_outputs
from patching.settings import EMBEDDING_METRICS, METRICS


@dataclass(frozen=True)
class Reference:
    """Labels and unpatched runs of N images, which metrics refer to.

    Attributes
    ----------
    labels : Tensor, shape (N,), int64, or None
        Indices of logits; None if the output is an embedding.
    clean : Tensor, shape (N, C)
        Logits, or embeddings, of the clean run, whichever run is patched.
    corrupted : Tensor, shape (N, C)
        Those of the corrupted run.
    direction : Direction or None
        For ``projection``.

    Raises
    ------
    FeatvizError
        If a label is no index of a logit.
    """

    labels: Tensor | None
    clean: Tensor
    corrupted: Tensor
    direction: Direction | None = None

    def __post_init__(self) -> None:
        if self.labels is not None:
            check_labels(self.labels.tolist(), self.clean.shape[1])

    @property
    def right(self) -> Tensor:
        """Whether the clean run classifies each image correctly, bool, (N,).

        An embedding is never wrong.
        """
        predicted = self.clean.argmax(1)
        return predicted == (predicted if self.labels is None else self.labels)

    @property
    def rivals(self) -> Tensor:
        """The class with the largest logit in the corrupted run except the label, (N,)."""
        assert self.labels is not None
        others = self.corrupted.scatter(1, self.labels[:, None], -torch.inf)
        return others.argmax(1)


def check_labels(labels: Sequence[int], count: int) -> None:
    """Raise if a label is not the index of a logit.

    Parameters
    ----------
    labels : sequence of int
    count : int
        Number of logits.

    Raises
    ------
    FeatvizError
        If a label is below 0, or not below `count`.
    """
    wrong = [label for label in labels if not 0 <= label < count]
    if wrong:
        what = "an image has no label" if wrong[0] < 0 else f"an image is of class {wrong[0]}"
        raise FeatvizError(f"{what}; the classes of the model are 0 to {count - 1}")


def measure(
    logits: Tensor, reference: Reference, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Compute metrics of every run; gradients pass through.

    ====================  ==========================================================================
    ``probability``       probability of the label: softmax over all classes
    ``logit``             logit of the label
    ``logit_difference``  logit of the label minus that of its rival: the best other class in the
                          corrupted run. The rival is the same for every run of an image, so that
                          the metric is linear in the logits
    ``kl``                Kullback-Leibler divergence KL(clean || run) of the probabilities, in
                          nats; 0 for the clean run
    ``cosine``            cosine similarity of the embedding with that of the clean run; 1 for the
                          clean run
    ``projection``        length of the embedding along the direction of the reference
    ====================  ==========================================================================

    The last two take the output of the model for an embedding. All metrics of labels except ``kl``
    fall when the cue of a label is lost. ``kl`` rises, and its effects
    have the opposite sign. Shares of the total effect have the same sign for all.

    Parameters
    ----------
    logits : Tensor, shape (P, N, C) or (N, C)
        Of P runs, or of one run, of the N images of the reference.
    reference : Reference
    names : sequence of str, optional
        Names of metrics; by default those of labels, `patching.settings.METRICS`.

    Returns
    -------
    dict of str to Tensor, each of shape (P, N) or (N,)
        float64, in the order of the names.

    Raises
    ------
    FeatvizError
        If a metric is unknown.
    """
    chosen = METRICS if names is None else names
    wrong = [name for name in chosen if name not in _METRICS]
    if wrong:
        hint = did_you_mean(wrong[0], _METRICS) or f"; choose from {', '.join(_METRICS)}"
        raise FeatvizError(f"unknown metric {wrong[0]!r}{hint}")
    return {name: _METRICS[name](logits.double(), reference) for name in chosen}


def _probability(logits: Tensor, reference: Reference) -> Tensor:
    return _select(logits.softmax(-1), reference.labels)


def _logit(logits: Tensor, reference: Reference) -> Tensor:
    return _select(logits, reference.labels)


def _logit_difference(logits: Tensor, reference: Reference) -> Tensor:
    return _select(logits, reference.labels) - _select(logits, reference.rivals)


def _kl(logits: Tensor, reference: Reference) -> Tensor:
    clean = reference.clean.double().log_softmax(-1)
    return (clean.exp() * (clean - logits.log_softmax(-1))).sum(-1)


def _cosine(embeddings: Tensor, reference: Reference) -> Tensor:
    return F.cosine_similarity(embeddings, reference.clean.double(), dim=-1)


def _projection(embeddings: Tensor, reference: Reference) -> Tensor:
    if reference.direction is None:
        raise FeatvizError("the metric projection needs a direction")
    vector = torch.from_numpy(reference.direction.vector).to(embeddings)
    lengths: Tensor = embeddings @ (vector / vector.norm())
    return lengths


def _select(values: Tensor, classes: Tensor | None) -> Tensor:
    """Select one class (N,) for each image from (..., N, C)."""
    assert classes is not None
    return values.gather(-1, classes.expand(values.shape[:-1])[..., None])[..., 0]


_METRICS: dict[str, Callable[[Tensor, Reference], Tensor]] = {
    "probability": _probability,
    "logit": _logit,
    "logit_difference": _logit_difference,
    "kl": _kl,
    "cosine": _cosine,
    "projection": _projection,
}


def metric_for(
    model: VisionModel, name: str | None, direction: str | None, default: str
) -> tuple[str, Direction | None]:
    """Choose a metric that a model can have.

    Parameters
    ----------
    model : VisionModel
    name : str or None
        Of a metric; None for ``projection`` with a direction, else ``cosine`` for a model without a
        classifier, else the default.
    direction : str or None
        File of a direction, ``FILE.npy`` or ``FILE.npy.ROW``, for ``projection``.
    default : str
        Metric of a classifier.

    Returns
    -------
    str
    Direction or None

    Raises
    ------
    FeatvizError
        If the metric needs labels and the model has no classifier, or a direction is missing, not
        needed, of another length, or not a single one.
    """
    head = getattr(model.module, "head", None)
    # The projection of CLIP is a linear layer without bias, to no classes.
    has_bias = getattr(head, "bias", None) is not None
    projects = isinstance(head, nn.Linear) and not has_bias and not model.classes
    headless = isinstance(head, nn.Identity) or projects
    if name is None:
        name = "cosine" if headless else default
        name = "projection" if direction is not None else name
    if headless and name not in EMBEDDING_METRICS:
        raise FeatvizError(
            f"{model.name} has no classifier, which the metric {name} needs; use the metric "
            "cosine, or class vectors with head (--head FILE.npz)"
        )
    if (name == "projection") != (direction is not None):
        needs = "needs a direction (--direction FILE.npy)"
        what = needs if direction is None else "takes no direction"
        raise FeatvizError(f"the metric {name} {what}")
    if direction is None:
        return name, None
    found = read_directions(direction, count_outputs(model), f"the output of {model.name}")
    if len(found) > 1:
        raise FeatvizError(f"{direction} has {len(found)} directions; write {direction}.0 for one")
    return name, found[0]


def margins(logits: Tensor, classes: list[int]) -> Tensor:
    """Compute the logits of some classes minus the mean of all other logits.

    Parameters
    ----------
    logits : Tensor, shape (N, K)
    classes : list of int, length C
        Indices of logits.

    Returns
    -------
    Tensor, shape (N, C)
    """
    count = logits.shape[-1]
    return (count * logits[:, classes] - logits.sum(-1, keepdim=True)) / (count - 1)
