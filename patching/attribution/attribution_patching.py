"""Attribution patching: the effect of every target at once, from one gradient.

Replacing an activation by a donor's changes the metric, to first order, by the difference of the
activations times the metric's gradient there. One backward pass gives that for every token, head
and neuron of every layer.

Source: Nanda, "Attribution Patching: Activation Patching At Industrial Scale", 2023; Syed et al.,
"Attribution Patching Outperforms Automated Circuit Discovery", 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from patching.attribution.diagnostics import Place, doubts
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.targets import INSIDE, OUTPUTS, PatchTarget
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT

Metric = Callable[[Tensor, Tensor], Tensor]
"""From logits (N, classes) and labels (N,) to one number an image, (N,)."""


@dataclass(frozen=True)
class Attribution:
    """First-order effects of replacing parts of activations.

    Attributes
    ----------
    effects : dict of (kind, layer) to Tensor, each of shape (N, T, G)
        For every image, token, and head or neuron, an estimate of how much the metric rises when
        the donor's activation replaces the base run's there. Streams and outputs have one group.
    base : ActivationCache
        The base run, with the activations of all targets.
    doubts : list of str
        Sentences on why these estimates may be wrong; see `patching.attribution.diagnostics`.
    """

    effects: dict[Place, Tensor]
    base: ActivationCache
    doubts: list[str]

    def effect(self, target: PatchTarget) -> Tensor:
        """Add up the effects of a target's tokens and groups, (N,).

        Spots of different layers do not add up, not even to first order: the change that one
        makes runs through the other, where it would be overwritten.
        """
        effects = self.effects[target.kind, target.layer]
        if target.tokens is not None:
            effects = effects[:, list(dict.fromkeys(target.tokens))]
        if target.groups is not None:
            effects = effects[:, :, list(dict.fromkeys(target.groups))]
        return effects.sum((1, 2))


def attribute(
    vit: ResidualViT,
    start: Tensor,
    donor: ActivationCache,
    targets: Iterable[PatchTarget],
    metric: Metric,
    labels: Tensor,
    steps: int = 0,
) -> Attribution:
    """Estimate what replacing each part of the activations at targets does to a metric.

    Costs one forward and one backward pass for all. With `steps`, each kind and layer costs as many
    more of both, from that layer on. The activations of all targets and all that the backward pass
    reads are held at once, so that memory grows with the images.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The base run's stream before the first block.
    donor : ActivationCache
        Of as many images, with the activations of all targets.
    targets : iterable of PatchTarget
        Their kinds and layers say what is attributed: all tokens and groups of these are.
    metric : callable
        Differentiable; each image's value must depend on that image alone.
    labels : Tensor, shape (N,)
    steps : int
        0 takes the gradient at the base run. Above, it is the average over that many runs in which
        the whole activation of the kind and layer lies between the base's and the donor's, in the
        middles of equal steps. The effects at all its tokens and groups then add up to that of
        replacing the whole, ever better with more steps.

    Raises
    ------
    FeatvizError
        If the model never shows a kind of activation.
    ValueError
        If `steps` is below 0.

    Source of the average: Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML
    2017; along a path of activations, Hanna et al., "Have Faith in Faithfulness", 2024, and Marks
    et al., "Sparse Feature Circuits", 2024. The path of inputs that Hanna et al. prefer for edges
    leaves the base run, from which a single target does not lead far: on cueworld/vit it ranks heads
    and neurons worse than one gradient at the base.
    """
    if steps < 0:
        raise ValueError(f"steps is 0 or more, not {steps}")
    places = list(dict.fromkeys((target.kind, target.layer) for target in targets))
    with torch.inference_mode(False):
        # Clones, since what was made in inference mode cannot enter a backward pass.
        start = start.detach().clone()
        base, slopes, at_start = _gradients(vit, start, places, metric, labels)
        ways = {place: _way(base, donor, place) for place in places}
        if steps:
            slopes = {
                place: _average(vit, base, place, ways[place], steps, metric, labels)
                for place in places
            }
        effects = {place: (ways[place] * slopes[place]).sum(-1) for place in places}
        rise = metric(donor.logits, labels) - metric(base.logits, labels)
        first_order = ((donor.streams[0] - start) * at_start).sum((1, 2))
        total = rise.mean().item(), first_order.mean().item()
        return Attribution(effects, base, doubts(vit, base, donor, places, total, steps))


def _way(base: ActivationCache, donor: ActivationCache, place: Place) -> Tensor:
    target = PatchTarget(*place)
    return (donor.value(target) - base.value(target)).detach().clone()


def _whole(places: Iterable[Place]) -> list[tuple[PatchTarget]]:
    return [(PatchTarget(kind, layer),) for kind, layer in places]


def _gradients(
    vit: ResidualViT, start: Tensor, places: list[Place], metric: Metric, labels: Tensor
) -> tuple[ActivationCache, dict[Place, Tensor], Tensor]:
    """Run from a stream, and differentiate the metric by activations, and by that stream."""
    with torch.enable_grad():
        found = run_with_cache(vit, start.detach().requires_grad_(), _whole(places))
        value = metric(found.logits, labels).sum()
        slots = [_slot(found, place) for place in places]
        *gradients, at_start = torch.autograd.grad(value, [*slots, found.streams[0]])
    slopes = {
        (kind, layer): gradient if kind in INSIDE else gradient[:, :, None]
        for (kind, layer), gradient in zip(places, gradients, strict=True)
    }
    return _detached(found), slopes, at_start


def _slot(found: ActivationCache, place: Place) -> Tensor:
    """Return the tensor of a run's graph whose gradient is that of an activation.

    What is added to the stream has the gradient of the sum.
    """
    kind, layer = place
    target = PatchTarget(kind, layer)
    if kind in INSIDE:
        return found.values[place]
    return found.streams[target.sublayer + 1 if kind in OUTPUTS else target.sublayer]


def _detached(found: ActivationCache) -> ActivationCache:
    return ActivationCache(
        [stream.detach() for stream in found.streams],
        {place: value.detach() for place, value in found.values.items()},
        found.logits.detach(),
    )


def _average(
    vit: ResidualViT,
    base: ActivationCache,
    place: Place,
    way: Tensor,
    steps: int,
    metric: Metric,
    labels: Tensor,
) -> Tensor:
    """Average the gradient by an activation on its way to the donor's, (N, T, G, D)."""
    own, total = base.value(PatchTarget(*place)), torch.zeros_like(way)
    for step in range(steps):
        with torch.enable_grad():
            value = (own + way * ((step + 0.5) / steps)).requires_grad_()
            logits = _resumed(vit, base, place, value)
            total += torch.autograd.grad(metric(logits, labels).sum(), value)[0]
    return total / steps


def _resumed(vit: ResidualViT, base: ActivationCache, place: Place, value: Tensor) -> Tensor:
    """Run the base from where an activation is another, to the logits."""
    target = PatchTarget(*place)
    stream = base.streams[target.sublayer]
    if target.kind in INSIDE:
        sublayer = vit.sublayers[target.sublayer]
        with hooked(sublayer, {target.kind: lambda _own: value}):
            after = stream + sublayer.branch(stream)
    elif target.kind in OUTPUTS:
        after = stream + value[:, :, 0]
    else:
        after = stream + (value - base.value(target))[:, :, 0]
    inside = target.kind in INSIDE or target.kind in OUTPUTS
    return vit.finish(vit.run(after, target.sublayer + inside))
