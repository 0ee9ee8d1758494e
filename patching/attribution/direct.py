"""Direct effects: what each head and neuron adds to the logits by itself, not through later layers.

The final stream is a sum of what the embedding, every head, every neuron and every bias wrote to
it. With the scale of the final norm held at the run's own value, the logits are an affine map of
that sum, so that they are a sum of contributions too: direct logit attribution.

Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; TransformerLens,
``ActivationCache.logit_attrs``. Direct effects of patches: Wang et al., "Interpretability in the
Wild", ICLR 2023 (path patching to the logits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.attribution.attribution_patching import Metric
from patching.attribution.fidelity import exact_effects
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.targets import INSIDE, OUTPUTS, PatchTarget
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.stream_norms import frozen_norms
from patching.vit.sublayers import Sublayer

# What writes heads and neurons to the stream.
_WRITERS = {"z": "proj", "neurons": "fc2"}

# Of the largest logit: contributions that miss the logits by more are none.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Contributions:
    """What N images' logits are made of, along D directions of logits.

    Attributes
    ----------
    start : Tensor, shape (N, D)
        Of the stream before the first block: patches, positions, and learned tokens.
    heads : list of Tensor, one a block, each of shape (N, D, heads)
    neurons : list of Tensor, one a block, each of shape (N, D, neurons)
    attn_bias, mlp_bias : Tensor, shape (blocks, N, D)
        Of what attention and MLP add though all heads or neurons are 0.
    constant : Tensor, shape (N, D)
        Of the biases of the final norm and the head.
    """

    start: Tensor
    heads: list[Tensor]
    neurons: list[Tensor]
    attn_bias: Tensor
    mlp_bias: Tensor
    constant: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of all, (N, D): the logits, along the directions."""
        units = sum(part.sum(-1) for part in (*self.heads, *self.neurons))
        biases = self.attn_bias.sum(0) + self.mlp_bias.sum(0)
        return self.start + units + biases + self.constant


def contributions(
    vit: ResidualViT, start: Tensor, directions: Tensor | None = None
) -> Contributions:
    """Take logits apart into what embedding, heads, neurons and biases contribute directly.

    The final norm's scale is the run's own. Pooling is the model's: by the class token, the average
    of tokens, or the two averaged heads of distilled models; where tokens are pooled by their
    maximum, each contributes through the tokens that were chosen.

    Parameters
    ----------
    start : Tensor, shape (N, T, C)
        The stream before the first block.
    directions : Tensor, optional, shape (D, classes) or (N, D, classes)
        Weights of logits, such as 1 for a label and -1 for another class; each logit by default.
        Time grows with D.

    Raises
    ------
    FeatvizError
        If the model pools by attention, or otherwise not so that the logits are such a sum, or has
        no heads or neurons to read.
    """
    kinds = ("z", "neurons")
    places = [PatchTarget(kinds[number % 2], number // 2) for number in range(len(vit.sublayers))]
    with torch.no_grad():
        base = run_with_cache(vit, start.detach(), [(target,) for target in places])
    classes = base.logits.shape[-1]
    chosen = torch.eye(classes).to(base.logits) if directions is None else directions
    chosen = chosen.to(base.logits).expand(len(start), -1, -1)
    with frozen_norms(vit, base):
        reads, constant = _reads(vit, base, chosen)
        units, biases = [], []
        for sublayer, target in zip(vit.sublayers, places, strict=True):
            unit, bias = _of_sublayer(sublayer, target.kind, base.value(target), reads)
            units.append(unit)
            biases.append(bias)
    at_start = (reads * base.streams[0]).sum((-1, -2)).T
    return Contributions(
        at_start,
        units[::2],
        units[1::2],
        torch.stack(biases[::2]),
        torch.stack(biases[1::2]),
        constant,
    )


def _reads(vit: ResidualViT, base: ActivationCache, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Find how the frozen head reads the final stream: weights (D, N, T, C), constant (N, D)."""
    end = base.streams[-1].detach().clone().requires_grad_()
    along = directions.transpose(0, 1)
    with torch.enable_grad():
        logits = vit.finish(end)
        weights = [torch.autograd.grad(logits, end, way, retain_graph=True)[0] for way in along]
    reads = torch.stack(weights)
    with torch.no_grad():
        nothing = vit.finish(torch.zeros_like(end))
        constant = torch.einsum("nk,ndk->nd", nothing, directions)
        right = torch.einsum("nk,ndk->nd", base.logits, directions)
        found = (reads * end).sum((-1, -2)).T + constant
        scale = base.logits.abs().max() * directions.abs().sum(-1).amax()
    if not bool(((found - right).abs() <= _TOLERANCE * scale).all()):
        raise FeatvizError(
            f"the head of {vit.model.name} does not read a weighted sum of its final tokens (it "
            "may pool by attention), so that its logits have no direct contributions"
        )
    return reads, constant


def _of_sublayer(
    sublayer: Sublayer, kind: str, value: Tensor, reads: Tensor
) -> tuple[Tensor, Tensor]:
    """Contributions of heads or neurons (N, D, G), and of the bias behind them (N, D)."""
    if sublayer.norm_first:
        # Most tokens are not read where the class token is; a norm behind would want them all.
        tokens = reads.abs().amax((0, 1, 3)).nonzero()[:, 0]
        value, reads = value[:, tokens], reads[:, :, tokens]
    value = value.detach().clone().requires_grad_()
    layer: Any = sublayer.core.get_submodule(_WRITERS[kind])
    with torch.enable_grad():
        added = sublayer.behind(layer(value.flatten(2)))
        slopes = [torch.autograd.grad(added, value, read, retain_graph=True)[0] for read in reads]
    with torch.no_grad():
        units = torch.stack([(slope * value).sum((1, 3)) for slope in slopes], 1)
        bias = sublayer.behind(layer(torch.zeros_like(value).flatten(2)))
        return units, (reads * bias).sum((-1, -2)).T


@dataclass(frozen=True)
class Paths:
    """Direct and total effects of P patches on N images.

    Attributes
    ----------
    targets : list of PatchTarget
    direct : Tensor, shape (P, N)
        How much the metric rises when the target is replaced and every later layer adds to the
        stream what it added in the base run.
    total : Tensor, shape (P, N)
        How much it rises when the later layers react.
    """

    targets: list[PatchTarget]
    direct: Tensor
    total: Tensor

    @property
    def indirect(self) -> Tensor:
        """What comes through later layers: total less direct, (P, N)."""
        return self.total - self.direct

    def table(self) -> list[tuple[PatchTarget, float, float]]:
        """List each target with its direct and its total effect, averaged over images."""
        means = torch.stack([self.direct, self.total], -1).double().mean(1).tolist()
        return [(target, *both) for target, both in zip(self.targets, means, strict=True)]


def paths(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> Paths:
    """Patch targets, and tell what reaches the logits directly from what later layers make of it.

    In both, the final norm is the model's own, not frozen; so the two are equal in the last sublayer.

    Parameters
    ----------
    base, donor : ActivationCache
        With the activations of all targets.
    targets : sequence of PatchTarget
        Of any kind; a part of the residual stream reaches the end through the skip connections.
    metric : callable
        From logits (N, classes) and labels (N,) to (N,).
    """
    with torch.no_grad():
        before = metric(base.logits, labels)
        direct = []
        for target in targets:
            end = base.streams[-1] + _change(vit, base, donor, target)
            direct.append(metric(vit.finish(end), labels) - before)
    total = exact_effects(vit, base, donor, targets, metric, labels)
    return Paths(list(targets), torch.stack(direct), total)


def _change(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, target: PatchTarget
) -> Tensor:
    """Find what a patch changes in the stream where it happens, (N, T, C)."""
    if target.kind not in (*OUTPUTS, *INSIDE):
        own = base.value(target)
        return (target.replace(own, donor.value(target)) - own)[:, :, 0]
    sublayer, stream = vit.sublayers[target.sublayer], base.streams[target.sublayer]
    branch = base.streams[target.sublayer + 1] - stream
    if target.kind in OUTPUTS:
        return target.replace(branch[:, :, None], donor.value(target))[:, :, 0] - branch
    with hooked(sublayer, {target.kind: lambda value: target.replace(value, donor.value(target))}):
        return sublayer.branch(stream) - branch
