"""Estimated effects of patches beside exact ones: whether ranks and signs agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import rankdata
from torch import Tensor

from patching.attribution.attribution_patching import Attribution, Metric
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import Run
from patching.interventions.targets import Spot
from patching.vit.residual_vit import Trunk


@dataclass(frozen=True)
class Agreement:
    """Estimated and exact effects of P spots on N images.

    Attributes
    ----------
    spots : list of Spot
    exact, estimated : Tensor, shape (P, N)
        How much the metric rises when the spot is replaced.
    """

    spots: list[Spot]
    exact: Tensor
    estimated: Tensor

    @property
    def rank(self) -> float:
        """Spearman's rank correlation of the spots' mean effects over images.

        NaN if one of the two is the same for all spots.
        """
        ranks = torch.tensor(rankdata(self._means.cpu().numpy(), axis=1))
        return _correlation(*ranks)

    @property
    def linear(self) -> float:
        """Pearson's correlation of the spots' mean effects over images; NaN as for `rank`."""
        return _correlation(*self._means)

    @property
    def sign(self) -> float:
        """Share of spots whose mean effects have one sign; NaN if no exact effect is other than 0.

        Spots whose exact effect is 0 are left out.
        """
        exact, estimated = self._means
        some = exact != 0
        return float((exact[some].sign() == estimated[some].sign()).double().mean())

    def worst(self, count: int) -> list[tuple[Spot, float, float]]:
        """Return the spots that are most wrong: each with its exact and its estimated mean effect.

        From the largest absolute difference down.
        """
        exact, estimated = self._means
        order = (exact - estimated).abs().argsort(descending=True, stable=True)[:count].tolist()
        return [(self.spots[i], exact[i].item(), estimated[i].item()) for i in order]

    @property
    def _means(self) -> Tensor:
        return torch.stack([self.exact, self.estimated]).double().mean(-1)


def agreement(attribution: Attribution, spots: Sequence[Spot], exact: Tensor) -> Agreement:
    """Put an attribution's estimates beside exact effects.

    Parameters
    ----------
    attribution : Attribution
        Of these spots' kinds and layers, and others as may be.
    spots : sequence of Spot
    exact : Tensor, shape (P, N)
        From `exact_effects`, with the metric, the images and the donor of the attribution.
    """
    estimated = torch.stack([attribution.effect(spot) for spot in spots])
    return Agreement(list(spots), exact, estimated)


def exact_effects(
    trunk: Trunk, base: Run, donor: Run, spots: Sequence[Spot], metric: Metric, labels: Tensor
) -> Tensor:
    """Patch each spot by itself, and say how much the metric rises, (P, N).

    Parameters
    ----------
    base, donor : Run
        Of N images, with the activations of all spots.
    metric : callable
        From logits (N, classes) and labels (N,) to (N,).
    """
    with torch.no_grad():
        logits = patched_logits(trunk, base, donor, [(spot,) for spot in spots])
        before = metric(base.logits, labels)
        return torch.stack([metric(each, labels) - before for each in logits])


def sampled(spots: Sequence[Spot], count: int, seed: int = 0) -> list[Spot]:
    """Draw up to `count` different spots, all equally likely; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return [spots[i] for i in torch.randperm(len(spots), generator=generator)[:count].tolist()]


def _correlation(x: Tensor, y: Tensor) -> float:
    x, y = (each.double() - each.double().mean() for each in (x, y))
    return float(x @ y / (x.norm() * y.norm()))
