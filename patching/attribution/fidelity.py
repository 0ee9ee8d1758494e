"""Estimated effects of patches beside exact ones: whether ranks and signs agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import rankdata
from torch import Tensor

from patching.attribution.attribution_patching import Attribution, Metric
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import ActivationCache
from patching.interventions.targets import PatchTarget
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class Agreement:
    """Estimated and exact effects of P targets on N images.

    Attributes
    ----------
    targets : list of PatchTarget
    exact, estimated : Tensor, shape (P, N)
        How much the metric rises when the target is replaced.
    """

    targets: list[PatchTarget]
    exact: Tensor
    estimated: Tensor

    @property
    def rank(self) -> float:
        """Spearman's rank correlation of the targets' mean effects over images.

        NaN if one of the two is the same for all targets.
        """
        ranks = torch.tensor(rankdata(self._means.cpu().numpy(), axis=1))
        return _correlation(*ranks)

    @property
    def linear(self) -> float:
        """Pearson's correlation of the targets' mean effects over images; NaN as for `rank`."""
        return _correlation(*self._means)

    @property
    def sign(self) -> float:
        """Share of targets whose mean effects have one sign; NaN if no exact effect is other than 0.

        Spots whose exact effect is 0 are left out.
        """
        exact, estimated = self._means
        some = exact != 0
        return float((exact[some].sign() == estimated[some].sign()).double().mean())

    def worst(self, count: int) -> list[tuple[PatchTarget, float, float]]:
        """Return the targets that are most wrong: each with its exact and its estimated mean effect.

        From the largest absolute difference down.
        """
        exact, estimated = self._means
        order = (exact - estimated).abs().argsort(descending=True, stable=True)[:count].tolist()
        return [(self.targets[i], exact[i].item(), estimated[i].item()) for i in order]

    @property
    def _means(self) -> Tensor:
        return torch.stack([self.exact, self.estimated]).double().mean(-1)


def agreement(attribution: Attribution, targets: Sequence[PatchTarget], exact: Tensor) -> Agreement:
    """Put an attribution's estimates beside exact effects.

    Parameters
    ----------
    attribution : Attribution
        Of these targets' kinds and layers, and others as may be.
    targets : sequence of PatchTarget
    exact : Tensor, shape (P, N)
        From `exact_effects`, with the metric, the images and the donor of the attribution.
    """
    estimated = torch.stack([attribution.effect(target) for target in targets])
    return Agreement(list(targets), exact, estimated)


def exact_effects(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> Tensor:
    """Patch each target by itself, and say how much the metric rises, (P, N).

    Parameters
    ----------
    base, donor : ActivationCache
        Of N images, with the activations of all targets.
    metric : callable
        From logits (N, classes) and labels (N,) to (N,).
    """
    with torch.no_grad():
        logits = patched_logits(vit, base, donor, [(target,) for target in targets])
        before = metric(base.logits, labels)
        return torch.stack([metric(each, labels) - before for each in logits])


def sampled(targets: Sequence[PatchTarget], count: int, seed: int = 0) -> list[PatchTarget]:
    """Draw up to `count` different targets, all equally likely; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return [targets[i] for i in torch.randperm(len(targets), generator=generator)[:count].tolist()]


def _correlation(x: Tensor, y: Tensor) -> float:
    x, y = (each.double() - each.double().mean() for each in (x, y))
    return float(x @ y / (x.norm() * y.norm()))
