"""Attribution patching in a sweep: estimates in place of patched runs, and exact runs of some."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.arguments import whole_number
from featviz.errors import FeatvizError
from patching.attribution.activation_path import Metric
from patching.attribution.attribution_patching import Attribution, attribute
from patching.attribution.direct_logit_attribution import direct_effects
from patching.attribution.fidelity import exact_effects
from patching.effects.metrics import Reference, measure
from patching.effects.table import Table, concatenate
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.memory import images_that_fit
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import PatchTarget
from patching.settings import FLAT_METRICS
from patching.sweeps.activation_patching import Experiment
from patching.vit.residual_vit import ResidualViT

CHECKED = 50
"""Default number of sites that are also patched exactly."""


@dataclass(frozen=True)
class Estimate:
    """Settings of attribution patching in a sweep.

    Attributes
    ----------
    steps : int
        See `patching.attribution.attribution_patching.attribute`.
    direct : bool
        Likewise.
    exact : int
        Maximum number of sites that are also patched exactly; 0 for none.
    """

    steps: int = 0
    direct: bool = False
    exact: int = CHECKED

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 0)
        whole_number("exact", self.exact, 0)


def estimated(experiment: Experiment, estimate: Estimate) -> EstimatedExperiment:
    """Estimate the effects of an experiment.

    Parameters
    ----------
    experiment : Experiment
    estimate : Estimate

    Returns
    -------
    EstimatedExperiment

    Raises
    ------
    FeatvizError
        If blocks are patched together, there are several metrics, or the gradient of the metric
        is 0 everywhere.
    """
    if any(len(patch) > 1 for patch in experiment.targets.patches):
        raise FeatvizError(
            "the effect of a window is not the sum of the effects of its blocks, and its own "
            "gradient takes longer than patching it; use `featviz trace --window`"
        )
    if len(experiment.metrics) != 1:
        metrics = ", ".join(experiment.metrics)
        raise FeatvizError(f"a gradient is of one metric, got {metrics}; choose one of them")
    [metric] = experiment.metrics
    if experiment.mode == "noising" and not estimate.steps and metric in FLAT_METRICS:
        raise FeatvizError(
            f"the gradient of {metric} is 0 at the clean run; steps (--steps) must be at least 1 "
            "for noising"
        )
    values = {each.name: getattr(experiment, each.name) for each in fields(experiment)}
    return EstimatedExperiment(**values, estimate=estimate)


@dataclass(frozen=True)
class EstimatedExperiment(Experiment):
    """An experiment whose patched runs are estimated from gradients.

    Attributes
    ----------
    estimate : Estimate
    """

    estimate: Estimate = field(default_factory=Estimate)

    def measure(
        self, clean: Tensor, corrupted: Tensor | None, labels: Tensor, indices: Sequence[int]
    ) -> Table:
        """See `Experiment.measure`; as many images at once as memory allows."""
        assert corrupted is not None
        size = self._images_at_once(clean)
        parts = [slice(start, start + size) for start in range(0, len(clean), size)]
        measured = super().measure
        return concatenate([measured(clean[p], corrupted[p], labels[p], indices[p]) for p in parts])

    def diagnostics(self, clean: Tensor, corrupted: Tensor | None, labels: Tensor) -> list[str]:
        """List reasons to distrust the estimates; see `patching.attribution.diagnostics`.

        Parameters
        ----------
        clean, corrupted, labels
            See `Experiment.measure`.

        Returns
        -------
        list of str
        """
        assert corrupted is not None
        size = self._images_at_once(clean)
        base, donor, reference = self._runs(clean[:size], corrupted[:size], labels[:size])
        return self._attribution(base, donor, reference).diagnostics

    def exact(
        self, clean: Tensor, corrupted: Tensor | None, labels: Tensor, sites: Sequence[int]
    ) -> NDArray[np.float64]:
        """Compute the effects at some sites by patching.

        Parameters
        ----------
        clean, corrupted, labels
            See `Experiment.measure`.
        sites : sequence of int
            Indices of K patches.

        Returns
        -------
        array, shape (K, N)
        """
        assert corrupted is not None
        targets = [self._targets[site] for site in sites]
        compute = direct_effects if self.estimate.direct else exact_effects
        found, size = [], self._images_at_once(clean)
        for start in range(0, len(clean), size):
            part = slice(start, start + size)
            base, donor, reference = self._runs(clean[part], corrupted[part], labels[part])
            metric = self._metric(reference)
            with frozen_norms(self.vit, base) if self.frozen else nullcontext():
                effects = compute(self.vit, base, donor, targets, metric, labels[part])
            found.append(effects.double().cpu().numpy())
        return np.concatenate(found, 1)

    @property
    def _targets(self) -> list[PatchTarget]:
        return [target for (target,) in self.targets.patches]

    def _kept(self) -> list[tuple[PatchTarget]]:
        wholes = (replace(target, tokens=None, groups=None) for target in self._targets)
        return [(whole,) for whole in dict.fromkeys(wholes)]

    def _metric(self, reference: Reference) -> Metric:
        [name] = self.metrics
        return lambda logits, _labels: measure(logits, reference, [name])[name]

    def _attribution(
        self, base: ActivationCache, donor: ActivationCache, reference: Reference
    ) -> Attribution:
        return attribute(
            self.vit,
            base,
            donor,
            self._targets,
            self._metric(reference),
            base.logits,  # in place of labels, which the reference has
            self.estimate.steps,
            self.frozen,
            self.estimate.direct,
        )

    def _restored(
        self, base: ActivationCache, donor: ActivationCache, reference: Reference
    ) -> NDArray[np.float64]:
        found = self._attribution(base, donor, reference).effects_of(self._targets)
        before = self._metric(reference)(base.logits, base.logits)
        return (before + found.double()).cpu().numpy()[None]

    def _images_at_once(self, start: Tensor) -> int:
        """Estimate for how many images the tensors of a backward pass fit into memory."""
        one = run_with_cache(self.vit, start[:1], self._kept())
        values = sum(value.numel() for value in one.values.values())
        return images_that_fit(self.vit, start, _saved(self.vit, start) + COPIES * values)


COPIES = 6
"""Tensors of the size of an activation: of both runs, change, gradient, effects, a temporary."""


def _saved(vit: ResidualViT, start: Tensor) -> int:
    """Return an upper bound of the numbers that a backward pass keeps for each image."""
    tokens, width = start.shape[1:]
    found = 0
    for sublayer in vit.sublayers:
        heads = int(getattr(sublayer.core, "num_heads", 0))
        hidden = getattr(getattr(sublayer.core, "fc1", None), "out_features", 0)
        found += tokens * (8 * width + 3 * hidden) + 2 * heads * tokens**2
    return found
