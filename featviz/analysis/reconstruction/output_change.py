"""Change of a model's output by an intervention, averaged over images batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.models.attention import NORMS
from featviz.models.hooks import Call, record
from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class OutputChange:
    """Means over images.

    Attributes
    ----------
    kl : float or None
        Kullback-Leibler divergence of the changed prediction from the clean one, in nats; None for
        a model without a classification head.
    same_top1 : float or None
        Share of the images whose highest logit stays the same; None likewise.
    cosine : float
        Cosine similarity of the changed output and the clean one: of the logits, or of the final
        class token or pooled features of a model without a head.
    """

    kl: float | None
    same_top1: float | None
    cosine: float


class OutputChanges:
    """Sums over images.

    Parameters
    ----------
    has_logits : bool
        Whether the outputs are logits.
    """

    def __init__(self, has_logits: bool) -> None:
        self._has_logits = has_logits
        self._images = 0
        self._sums = [0.0, 0.0, 0.0]

    def add(self, clean: Tensor, changed: Tensor) -> None:
        """Add a batch of outputs.

        Parameters
        ----------
        clean, changed : Tensor, shape (N, ...)
        """
        clean, changed = (each.flatten(1).double() for each in (clean, changed))
        log_p, log_q = clean.log_softmax(1), changed.log_softmax(1)
        batch = (
            F.kl_div(log_q, log_p, reduction="sum", log_target=True),
            (clean.argmax(1) == changed.argmax(1)).sum(),
            F.cosine_similarity(clean, changed).sum(),
        )
        self._sums = [old + float(new) for old, new in zip(self._sums, batch, strict=True)]
        self._images += len(clean)

    def mean(self) -> OutputChange:
        """Return the means; at least one batch must have been added."""
        kl, same, cosine = (each / self._images for each in self._sums)
        return (
            OutputChange(kl, same, cosine) if self._has_logits else OutputChange(None, None, cosine)
        )


def has_head(model: VisionModel, images: Tensor) -> bool:
    """Return whether the last layer of a model is not a normalization: it has outputs to classify.

    Parameters
    ----------
    model : VisionModel
        In `featviz.models.hooks.eval_mode`.
    images : Tensor, shape (N, 3, H, W)
        At least one image to run it on.
    """
    kinds = (*NORMS, nn.Linear, nn.Conv2d)
    module, last = model.module, [""]
    paths = [path for path, part in module.named_modules() if isinstance(part, kinds)]

    def take(call: Call) -> None:
        last[0] = call.path

    with torch.no_grad(), record(module, paths, take):
        model(images)
    return not isinstance(module.get_submodule(last[0]), NORMS)
