"""Fidelity of estimated effects: agreement of ranks and signs with exact patching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from featviz._util.arguments import whole_number
from patching.attribution.activation_path import Metric
from patching.attribution.attribution_patching import Attribution
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import ActivationCache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import ResidualViT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Estimated and exact effects of P targets on N images.

    Attributes
    ----------
    targets : list of PatchTarget
    exact, estimated : Tensor, shape (P, N)
        Increase of the metric when the target is replaced.
    """

    targets: list[PatchTarget]
    exact: Tensor
    estimated: Tensor

    @property
    def rank(self) -> float:
        """Spearman's rank correlation of the targets' mean effects over images.

        NaN if the exact or the estimated effects are equal for all targets.
        """
        return rank_correlation(*self._means.cpu().numpy())

    @property
    def linear(self) -> float:
        """Pearson's correlation of the targets' mean effects over images; NaN as for `rank`."""
        return _correlation(*self._means)

    @property
    def sign(self) -> float:
        """Fraction of targets whose two mean effects have the same sign.

        Targets whose exact effect is 0 are skipped; NaN if that is all of them.
        """
        return equal_signs(*self._means.cpu().numpy())

    def worst(self, count: int) -> list[tuple[PatchTarget, float, float]]:
        """List the targets with the largest absolute errors, in descending order.

        Parameters
        ----------
        count : int
            Maximum number of targets.

        Returns
        -------
        list of (PatchTarget, float, float)
            Targets with their exact and estimated mean effects.
        """
        exact, estimated = self._means
        order = (exact - estimated).abs().argsort(descending=True, stable=True)[:count].tolist()
        return [(self.targets[i], exact[i].item(), estimated[i].item()) for i in order]

    @property
    def _means(self) -> Tensor:
        return torch.stack([self.exact, self.estimated]).double().mean(-1)


def rank_correlation(exact: Floats, estimated: Floats) -> float:
    """Compute Spearman's rank correlation; ties share their mean rank.

    Parameters
    ----------
    exact, estimated : array, shape (P,)

    Returns
    -------
    float
        NaN if all values of one of them are equal.
    """
    return _correlation(torch.tensor(rankdata(exact)), torch.tensor(rankdata(estimated)))


def equal_signs(exact: Floats, estimated: Floats) -> float:
    """Compute the fraction of non-zero exact effects whose estimates have the same sign.

    Parameters
    ----------
    exact, estimated : array, shape (P,)

    Returns
    -------
    float
        NaN if all exact effects are 0.
    """
    some = exact != 0
    return float((np.sign(exact[some]) == np.sign(estimated[some])).mean()) if some.any() else nan


def agreement(attribution: Attribution, targets: Sequence[PatchTarget], exact: Tensor) -> Agreement:
    """Compare an attribution's estimates with exact effects.

    Parameters
    ----------
    attribution : Attribution
        Includes the kinds and layers of all targets.
    targets : sequence of PatchTarget
    exact : Tensor, shape (P, N)
        From `exact_effects`, with the metric, images and donor of the attribution.

    Returns
    -------
    Agreement
    """
    return Agreement(list(targets), exact, attribution.effects_of(targets))


def exact_effects(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> Tensor:
    """Compute the increase of a metric when each target is patched on its own.

    Parameters
    ----------
    vit : ResidualViT
    base, donor : ActivationCache
        Of N images, with the activations of all targets.
    targets : sequence of PatchTarget
    metric : callable
        From logits (N, classes) and labels (N,) to (N,).
    labels : Tensor, shape (N,)

    Returns
    -------
    Tensor, shape (P, N)
    """
    with torch.no_grad():
        logits = patched_logits(vit, base, donor, [(target,) for target in targets])
        before = metric(base.logits, labels)
        return torch.stack([metric(each, labels) - before for each in logits])


def sampled(targets: Sequence[PatchTarget], count: int, seed: int = 0) -> list[PatchTarget]:
    """Draw targets at random without replacement.

    Parameters
    ----------
    targets : sequence of PatchTarget
    count : int
        Maximum number of targets.
    seed : int
        Random seed.

    Returns
    -------
    list of PatchTarget
    """
    generator = torch.Generator().manual_seed(whole_number("seed", seed))
    return [targets[i] for i in torch.randperm(len(targets), generator=generator)[:count].tolist()]


def _correlation(x: Tensor, y: Tensor) -> float:
    x, y = (each.double() - each.double().mean() for each in (x, y))
    return float(x @ y / (x.norm() * y.norm()))
