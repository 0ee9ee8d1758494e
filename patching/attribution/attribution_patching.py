"""Attribution patching: first-order estimates of all patching effects, from one gradient.

To first order, replacing an activation by a donor's changes the metric by the difference of the two
activations times the gradient of the metric. One backward pass gives this for every token, head and
neuron of every layer. Queries and keys act through a softmax, which is not linearized; see
`patching.attribution.softmax_correction`.

Source: Nanda, "Attribution Patching: Activation Patching At Industrial Scale", 2023; Syed et al.,
"Attribution Patching Outperforms Automated Circuit Discovery", 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from patching.attribution.activation_path import Metric, average_gradient
from patching.attribution.diagnostics import diagnostics
from patching.attribution.softmax_correction import (
    CORRECTED,
    base_pattern,
    key_effects,
    patched_pattern,
)
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import INSIDE, OUTPUTS, ActivationKey, PatchTarget
from patching.vit.residual_vit import ResidualViT

Tokens = tuple[int, ...] | None


@dataclass(frozen=True)
class Attribution:
    """First-order estimates of the effects of replacing activations.

    Attributes
    ----------
    effects : dict of (kind, layer) to Tensor, each of shape (N, T, G)
        For every image, token, and head, neuron or latent: the estimated increase of the metric
        when the donor's activation replaces that of the base run there. Streams and outputs have
        one group. Without keys.
    key_effects : dict of int to dict of tokens to Tensor, each of shape (N, G)
        Those of keys, by layer and by the tokens of the targets.
    """

    effects: dict[ActivationKey, Tensor]
    key_effects: dict[int, dict[Tokens, Tensor]]
    _diagnose: Callable[[], list[str]] = field(repr=False)

    @cached_property
    def diagnostics(self) -> list[str]:
        """Reasons to distrust these estimates; see `patching.attribution.diagnostics`."""
        return self._diagnose()

    def effect(self, target: PatchTarget) -> Tensor:
        """Sum the effects over a target's tokens and groups.

        Effects of targets in different layers must not be summed, even to first order: the change
        made by one target passes through the other, where patching would overwrite it.

        Parameters
        ----------
        target : PatchTarget
            Keys have to be among the targets that were attributed, with these tokens.

        Returns
        -------
        Tensor, shape (N,)
        """
        return self.effects_of([target])[0]

    def effects_of(self, targets: Sequence[PatchTarget]) -> Tensor:
        """Sum the effects over the tokens and groups of each of P targets, (P, N).

        Parameters
        ----------
        targets : sequence of PatchTarget
            See `effect`.
        """
        by_group: dict[tuple[ActivationKey, Tokens], Tensor] = {}
        found = []
        for target in targets:
            place = target.key, target.tokens
            if place not in by_group:
                by_group[place] = self._by_group(target)
            effects = by_group[place]
            groups = target.groups
            chosen = effects if groups is None else effects[:, list(dict.fromkeys(groups))]
            found.append(chosen.sum(1))
        return torch.stack(found)

    def _by_group(self, target: PatchTarget) -> Tensor:
        """Sum the effects over a target's tokens, (N, G)."""
        if target.kind == "k":
            return self.key_effects[target.layer][target.tokens]
        effects = self.effects[target.key]
        if target.tokens is not None:
            effects = effects[:, list(dict.fromkeys(target.tokens))]
        return effects.sum(1)


def attribute(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Iterable[PatchTarget],
    metric: Metric,
    labels: Tensor,
    steps: int = 0,
    frozen: bool = False,
    direct: bool = False,
) -> Attribution:
    """Estimate the effect of replacing each part of the activations of targets on a metric.

    Costs one forward and one backward pass in total. With `steps`, each kind and layer costs
    `steps` passes of both, from its layer on, and with `direct` passes of its own sublayer and the
    head. Queries and keys cost further runs of their attention: two, and one for each set of
    tokens of keys. All activations that the backward pass needs are in memory at once, so memory
    grows with the number of images.

    Parameters
    ----------
    vit : ResidualViT
        In evaluation mode; see `featviz.models.hooks.eval_mode`.
    base, donor : ActivationCache
        The run that is patched, and the run that activations are taken from. Of N images, with the
        activations of all targets.
    targets : iterable of PatchTarget
        Their kinds and layers are attributed, with all tokens and groups.
    metric : callable
        From logits (N, classes) and labels (N,) to (N,). Differentiable; the value of an image must
        depend on that image only.
    labels : Tensor, shape (N,)
    steps : int
        0 uses the gradient at the base run. A positive number averages the gradient over that many
        points between the base's activation and the donor's (midpoints of equal intervals), where
        the whole activation of the kind and layer moves at once. The effects of all its tokens and
        groups then sum to the effect of replacing the whole activation, more closely with more
        steps. For queries and keys, the pattern moves.
    frozen : bool
        Whether the norms of the stream keep the scale of the base run; see
        `patching.forward.stream_norms.frozen_norms`.
    direct : bool
        Whether to estimate direct effects: later sublayers add to the stream what they add in the
        base run.

    Returns
    -------
    Attribution

    Raises
    ------
    FeatvizError
        If the model does not expose a kind of activation.
    ValueError
        If `steps` is negative.

    Source of the averaged gradient: Sundararajan et al., "Axiomatic Attribution for Deep Networks",
    ICML 2017; along a path of activations, Hanna et al., "Have Faith in Faithfulness", 2024, and
    Marks et al., "Sparse Feature Circuits", 2024. The path of inputs, which Hanna et al. prefer for
    edges, moves away from the base run, while a single target changes it little: on cueworld/vit it
    ranks heads and neurons less accurately than one gradient at the base run.
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    wanted = list(targets)
    with torch.inference_mode(False):
        # Cloned, because tensors made in inference mode cannot take part in a backward pass.
        base, donor = _normal(base), _normal(donor)
        wholes = {target.key: replace(target, tokens=None, groups=None) for target in wanted}
        sites = {key: _site(vit, base, donor, whole) for key, whole in wholes.items()}
        with frozen_norms(vit, base) if frozen else nullcontext():
            logits = vit.finish(vit.run(donor.streams[0], 0)) if frozen else donor.logits
            total = [(metric(logits, labels) - metric(base.logits, labels)).mean().item()]
            if direct:
                start = PatchTarget("resid_post", vit.depth - 1)
            else:
                start = PatchTarget("resid_pre", 0)
            whole = _Site(start, start, base.value(start), donor.value(start) - base.value(start))
            every = [whole, *sites.values()]
            if steps or direct:
                found = [
                    average_gradient(
                        vit, base, site.place, site.own, site.change, n, metric, labels, direct
                    )
                    for site, n in zip(every, [0] + [steps] * len(sites), strict=True)
                ]
            else:
                found = _gradients(vit, base, [site.place for site in every], metric, labels)
            gradients = dict(zip(sites, found[1:], strict=True))
            total.append((whole.change * found[0]).sum((1, 2, 3)).mean().item())
            effects, of_keys = {}, {}
            for key, site in sites.items():
                if site.target.kind == "k":
                    own = [target for target in wanted if target.key == key]
                    of_keys[key[1]] = key_effects(vit, base, donor, own, site.own, gradients[key])
                else:
                    effects[key] = site.effects(base, donor, gradients[key])

        def diagnose() -> list[str]:
            both = total[0], total[1]
            return diagnostics(vit, base, donor, list(sites), both, steps, frozen, direct)

        return Attribution(effects, of_keys, diagnose)


@dataclass(frozen=True)
class _Site:
    """A whole activation, and the place of the network that is linearized when it is replaced.

    Attributes
    ----------
    target : PatchTarget
        The whole activation, or all latents.
    place : PatchTarget
        The activation at which the gradient is taken: for latents that which the autoencoder reads,
        for queries and keys the pattern.
    own, change : Tensor, shape (N, T, G, D)
        The value of `place` in the base run, and how much replacing `target` changes it.
    """

    target: PatchTarget
    place: PatchTarget
    own: Tensor
    change: Tensor

    def effects(self, base: ActivationCache, donor: ActivationCache, gradient: Tensor) -> Tensor:
        """Multiply changes by the gradient at `place`, (N, T, G, D); the result is (N, T, G)."""
        if self.target.latents is None:
            return (self.change * gradient).sum(-1)
        sae, change = self.target.latents.sae, donor.value(self.target) - base.value(self.target)
        slopes = gradient[:, :, 0].to(sae.decoder) @ sae.decoder.T
        return change[..., 0] * (slopes * sae.output_scale(self.own[:, :, 0])).to(change)


def _site(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, whole: PatchTarget
) -> _Site:
    if whole.kind in CORRECTED:
        own = base_pattern(vit, base, whole.layer)
        change = patched_pattern(vit, base, donor, whole) - own
        return _Site(whole, PatchTarget("pattern", whole.layer), own, change)
    own, change = base.value(whole.whole), donor.value(whole) - base.value(whole)
    if whole.latents is not None:
        sae = whole.latents.sae
        written = sae.decode_change(change[..., 0].to(sae.decoder), own[:, :, 0])
        change = written.to(own)[:, :, None]
    return _Site(whole, whole.whole, own, change)


def _gradients(
    vit: ResidualViT,
    base: ActivationCache,
    places: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> list[Tensor]:
    """Compute the gradients at all places in one pass, each (N, T, G, D)."""
    with torch.enable_grad():
        start = base.streams[0].clone().requires_grad_()
        found = run_with_cache(vit, start, [(place,) for place in places])
        value = metric(found.logits, labels).sum()
        tensors = [_graph_tensor(found, place) for place in places]
        gradients = torch.autograd.grad(value, tensors)
    return [
        gradient if place.kind in INSIDE else gradient[:, :, None]
        for place, gradient in zip(places, gradients, strict=True)
    ]


def _graph_tensor(found: ActivationCache, place: PatchTarget) -> Tensor:
    """Return a tensor of the autograd graph that has the gradient of an activation.

    What is added to the stream has the gradient of the sum.
    """
    if place.kind in INSIDE:
        return found.values[place.key]
    return found.streams[place.sublayer + (place.kind in OUTPUTS)]


def _normal(run: ActivationCache) -> ActivationCache:
    """Clone the tensors of a run that was made in inference mode."""
    if not run.logits.is_inference():
        return run
    return ActivationCache(
        [stream.clone() for stream in run.streams],
        {key: value.clone() for key, value in run.values.items()},
        run.logits.clone(),
    )
