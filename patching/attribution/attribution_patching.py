"""Attribution patching: the effect of every spot at once, from one gradient.

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
from patching.forward.cache import Run, run
from patching.interventions.targets import INSIDE, OUTPUTS, Spot
from patching.vit.hook_points import tapped
from patching.vit.residual_vit import Trunk

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
    base : Run
        The base run, with the activations of all spots.
    doubts : list of str
        Sentences on why these estimates may be wrong; see `patching.attribution.diagnostics`.
    """

    effects: dict[Place, Tensor]
    base: Run
    doubts: list[str]

    def effect(self, spot: Spot) -> Tensor:
        """Add up the effects of a spot's tokens and groups, (N,).

        Spots of different layers do not add up, not even to first order: the change that one
        makes runs through the other, where it would be overwritten.
        """
        effects = self.effects[spot.kind, spot.layer]
        if spot.tokens is not None:
            effects = effects[:, list(dict.fromkeys(spot.tokens))]
        if spot.groups is not None:
            effects = effects[:, :, list(dict.fromkeys(spot.groups))]
        return effects.sum((1, 2))


def attribute(
    trunk: Trunk,
    start: Tensor,
    donor: Run,
    spots: Iterable[Spot],
    metric: Metric,
    labels: Tensor,
    steps: int = 0,
) -> Attribution:
    """Estimate what replacing each part of the activations at spots does to a metric.

    Costs one forward and one backward pass for all. With `steps`, each kind and layer costs as many
    more of both, from that layer on. The activations of all spots and all that the backward pass
    reads are held at once, so that memory grows with the images.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The base run's stream before the first block.
    donor : Run
        Of as many images, with the activations of all spots.
    spots : iterable of Spot
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
    leaves the base run, from which a single spot does not lead far: on cueworld/vit it ranks heads
    and neurons worse than one gradient at the base.
    """
    if steps < 0:
        raise ValueError(f"steps is 0 or more, not {steps}")
    places = list(dict.fromkeys((spot.kind, spot.layer) for spot in spots))
    with torch.inference_mode(False):
        # Clones, since what was made in inference mode cannot enter a backward pass.
        start = start.detach().clone()
        base, slopes, at_start = _gradients(trunk, start, places, metric, labels)
        ways = {place: _way(base, donor, place) for place in places}
        if steps:
            slopes = {
                place: _average(trunk, base, place, ways[place], steps, metric, labels)
                for place in places
            }
        effects = {place: (ways[place] * slopes[place]).sum(-1) for place in places}
        rise = metric(donor.logits, labels) - metric(base.logits, labels)
        first_order = ((donor.streams[0] - start) * at_start).sum((1, 2))
        total = rise.mean().item(), first_order.mean().item()
        return Attribution(effects, base, doubts(trunk, base, donor, places, total, steps))


def _way(base: Run, donor: Run, place: Place) -> Tensor:
    spot = Spot(*place)
    return (donor.value(spot) - base.value(spot)).detach().clone()


def _whole(places: Iterable[Place]) -> list[tuple[Spot]]:
    return [(Spot(kind, layer),) for kind, layer in places]


def _gradients(
    trunk: Trunk, start: Tensor, places: list[Place], metric: Metric, labels: Tensor
) -> tuple[Run, dict[Place, Tensor], Tensor]:
    """Run from a stream, and differentiate the metric by activations, and by that stream."""
    with torch.enable_grad():
        found = run(trunk, start.detach().requires_grad_(), _whole(places))
        value = metric(found.logits, labels).sum()
        slots = [_slot(found, place) for place in places]
        *gradients, at_start = torch.autograd.grad(value, [*slots, found.streams[0]])
    slopes = {
        (kind, layer): gradient if kind in INSIDE else gradient[:, :, None]
        for (kind, layer), gradient in zip(places, gradients, strict=True)
    }
    return _detached(found), slopes, at_start


def _slot(found: Run, place: Place) -> Tensor:
    """Return the tensor of a run's graph whose gradient is that of an activation.

    What is added to the stream has the gradient of the sum.
    """
    kind, layer = place
    spot = Spot(kind, layer)
    if kind in INSIDE:
        return found.values[place]
    return found.streams[spot.half + 1 if kind in OUTPUTS else spot.half]


def _detached(found: Run) -> Run:
    return Run(
        [stream.detach() for stream in found.streams],
        {place: value.detach() for place, value in found.values.items()},
        found.logits.detach(),
    )


def _average(
    trunk: Trunk,
    base: Run,
    place: Place,
    way: Tensor,
    steps: int,
    metric: Metric,
    labels: Tensor,
) -> Tensor:
    """Average the gradient by an activation on its way to the donor's, (N, T, G, D)."""
    own, total = base.value(Spot(*place)), torch.zeros_like(way)
    for step in range(steps):
        with torch.enable_grad():
            value = (own + way * ((step + 0.5) / steps)).requires_grad_()
            logits = _resumed(trunk, base, place, value)
            total += torch.autograd.grad(metric(logits, labels).sum(), value)[0]
    return total / steps


def _resumed(trunk: Trunk, base: Run, place: Place, value: Tensor) -> Tensor:
    """Run the base from where an activation is another, to the logits."""
    spot = Spot(*place)
    stream = base.streams[spot.half]
    if spot.kind in INSIDE:
        half = trunk.halves[spot.half]
        with tapped(half, {spot.kind: lambda _own: value}):
            after = stream + half.branch(stream)
    elif spot.kind in OUTPUTS:
        after = stream + value[:, :, 0]
    else:
        after = stream + (value - base.value(spot))[:, :, 0]
    inside = spot.kind in INSIDE or spot.kind in OUTPUTS
    return trunk.finish(trunk.run(after, spot.half + inside))
