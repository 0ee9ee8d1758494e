"""Direct effects: contributions of heads and neurons to the logits, not through later layers.

The final residual stream is the sum of what the embedding, every head, every neuron and every bias
write to it. With the scale of the final norm fixed at the run's own value, the logits are an affine
map of that sum, and therefore a sum of contributions: direct logit attribution.

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
from patching.attribution.activation_path import Metric
from patching.attribution.fidelity import exact_effects
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import INSIDE, OUTPUTS, PatchTarget
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer

# Layers that write heads and neurons to the stream.
_WRITERS = {"z": "proj", "neurons": "fc2"}

# Maximum error of the sum of contributions, relative to the largest logit.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Contributions:
    """Contributions to the logits of N images, along D directions of logits.

    Attributes
    ----------
    start : Tensor, shape (N, D)
        Of the stream before the first block: patches, positions and learned tokens.
    heads : list of Tensor, one for each block, each of shape (N, D, heads)
    neurons : list of Tensor, one for each block, each of shape (N, D, neurons)
    attn_bias, mlp_bias : Tensor, shape (blocks, N, D)
        Of the biases that attention and MLP add when all heads or neurons are 0.
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
        """Sum of all contributions, (N, D): the logits along the directions."""
        units = sum(part.sum(-1) for part in (*self.heads, *self.neurons))
        biases = self.attn_bias.sum(0) + self.mlp_bias.sum(0)
        return self.start + units + biases + self.constant


def contributions(
    vit: ResidualViT, start: Tensor, directions: Tensor | None = None
) -> Contributions:
    """Decompose logits into direct contributions of embedding, heads, neurons and biases.

    The final norm keeps the scale of the run. The head pools as in the model: by the class token,
    by the average of tokens, or by the two averaged heads of distilled models. With max pooling,
    contributions pass through the tokens that were chosen.

    Parameters
    ----------
    vit : ResidualViT
    start : Tensor, shape (N, T, C)
        Residual stream before the first block.
    directions : Tensor, optional, shape (D, classes) or (N, D, classes)
        Weights of logits, such as 1 for a label and -1 for another class; by default one direction
        for each logit. Time grows with D.

    Returns
    -------
    Contributions

    Raises
    ------
    FeatvizError
        If the logits are no such sum, as with attention pooling, or the model has no heads or
        neurons.
    """
    kinds = ("z", "neurons")
    targets = [PatchTarget(kinds[index % 2], index // 2) for index in range(len(vit.sublayers))]
    with torch.no_grad():
        base = run_with_cache(vit, start.detach(), [(target,) for target in targets])
    classes = base.logits.shape[-1]
    chosen = torch.eye(classes).to(base.logits) if directions is None else directions
    chosen = chosen.to(base.logits).expand(len(start), -1, -1)
    with frozen_norms(vit, base):
        reads, constant = _reads(vit, base, chosen)
        units, biases = [], []
        for sublayer, target in zip(vit.sublayers, targets, strict=True):
            unit, bias = _of_sublayer(sublayer, target.kind, base.value(target), reads)
            units.append(unit)
            biases.append(bias)
    from_start = (reads * base.streams[0]).sum((-1, -2)).T
    return Contributions(
        from_start,
        units[::2],
        units[1::2],
        torch.stack(biases[::2]),
        torch.stack(biases[1::2]),
        constant,
    )


def _reads(vit: ResidualViT, base: ActivationCache, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the affine map of the frozen head: weights (D, N, T, C) and constant (N, D)."""
    end = base.streams[-1].detach().clone().requires_grad_()
    along = directions.transpose(0, 1)
    with torch.enable_grad():
        logits = vit.finish(end)
        weights = [torch.autograd.grad(logits, end, each, retain_graph=True)[0] for each in along]
    reads = torch.stack(weights)
    with torch.no_grad():
        at_zero = vit.finish(torch.zeros_like(end))
        constant = torch.einsum("nk,ndk->nd", at_zero, directions)
        expected = torch.einsum("nk,ndk->nd", base.logits, directions)
        found = (reads * end).sum((-1, -2)).T + constant
        scale = base.logits.abs().max() * directions.abs().sum(-1).amax()
    if not bool(((found - expected).abs() <= _TOLERANCE * scale).all()):
        raise FeatvizError(
            f"the logits of {vit.model.name} are no weighted sum of its final tokens (it may use "
            "attention pooling), so direct contributions are undefined"
        )
    return reads, constant


def _of_sublayer(
    sublayer: Sublayer, kind: str, value: Tensor, reads: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the contributions of heads or neurons, (N, D, G), and of the bias, (N, D)."""
    if sublayer.norm_first:
        # Skip tokens that the head does not read; a norm after the core needs all tokens.
        tokens = reads.abs().amax((0, 1, 3)).nonzero()[:, 0]
        value, reads = value[:, tokens], reads[:, :, tokens]
    value = value.detach().clone().requires_grad_()
    layer: Any = sublayer.core.get_submodule(_WRITERS[kind])
    with torch.enable_grad():
        added = sublayer.write(layer(value.flatten(2)))
        slopes = [torch.autograd.grad(added, value, read, retain_graph=True)[0] for read in reads]
    with torch.no_grad():
        units = torch.stack([(slope * value).sum((1, 3)) for slope in slopes], 1)
        bias = sublayer.write(layer(torch.zeros_like(value).flatten(2)))
        return units, (reads * bias).sum((-1, -2)).T


@dataclass(frozen=True)
class PathEffects:
    """Direct and total effects of P patches on N images.

    Attributes
    ----------
    targets : list of PatchTarget
    direct : Tensor, shape (P, N)
        Increase of the metric when the target is replaced and every later layer adds to the stream
        what it added in the base run.
    total : Tensor, shape (P, N)
        Increase of the metric when later layers are recomputed.
    """

    targets: list[PatchTarget]
    direct: Tensor
    total: Tensor

    @property
    def indirect(self) -> Tensor:
        """Effects through later layers: total minus direct, (P, N)."""
        return self.total - self.direct

    def table(self) -> list[tuple[PatchTarget, float, float]]:
        """Return targets with their direct and total effects, averaged over images."""
        means = torch.stack([self.direct, self.total], -1).double().mean(1).tolist()
        return [(target, *both) for target, both in zip(self.targets, means, strict=True)]


def path_effects(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> PathEffects:
    """Patch targets, and separate direct effects from those through later layers.

    The final norm is not frozen, so that direct and total effects are equal in the last sublayer.

    Parameters
    ----------
    vit : ResidualViT
    base, donor : ActivationCache
        Of N images, with the activations of all targets.
    targets : sequence of PatchTarget
        Of any kind; a part of the residual stream reaches the head through the skip connections.
    metric : callable
        From logits (N, classes) and labels (N,) to (N,).
    labels : Tensor, shape (N,)

    Returns
    -------
    PathEffects
    """
    direct = direct_effects(vit, base, donor, targets, metric, labels)
    total = exact_effects(vit, base, donor, targets, metric, labels)
    return PathEffects(list(targets), direct, total)


def direct_effects(
    vit: ResidualViT,
    base: ActivationCache,
    donor: ActivationCache,
    targets: Sequence[PatchTarget],
    metric: Metric,
    labels: Tensor,
) -> Tensor:
    """Compute the direct effects of patches only.

    Parameters
    ----------
    vit, base, donor, targets, metric, labels
        See `path_effects`.

    Returns
    -------
    Tensor, shape (P, N)
        See `PathEffects.direct`.
    """
    with torch.no_grad():
        before = metric(base.logits, labels)
        ends = (base.streams[-1] + _change(vit, base, donor, target) for target in targets)
        return torch.stack([metric(vit.finish(end), labels) - before for end in ends])


def _change(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, target: PatchTarget
) -> Tensor:
    """Compute how a patch changes the stream right after its target, (N, T, C)."""
    if target.latents is not None:
        own = base.value(target.whole)
        new = target.replace_latents(own, base.value(target), donor.value(target))
        return (new - own)[:, :, 0]
    if target.kind not in (*OUTPUTS, *INSIDE):
        own = base.value(target)
        return (target.replace(own, donor.value(target)) - own)[:, :, 0]
    sublayer, stream = vit.sublayers[target.sublayer], base.streams[target.sublayer]
    branch = base.streams[target.sublayer + 1] - stream
    if target.kind in OUTPUTS:
        return target.replace(branch[:, :, None], donor.value(target))[:, :, 0] - branch
    with hooked(sublayer, {target.kind: lambda value: target.replace(value, donor.value(target))}):
        return sublayer.branch(stream) - branch
