"""Outputs of single heads and MLPs, with a residual stream of its own for each of their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Call, eval_mode, record
from patching.circuits.graph import Input, inputs_of
from patching.vit.hook_points import Change, exposing, group_count, hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer

TOLERANCE = 1e-4
"""Relative to the largest entry; rounding in float32 is far smaller."""


@dataclass(frozen=True)
class Projection:
    """The projection of a normalized stream to the queries, keys or values of each head.

    Attributes
    ----------
    weight : Tensor, shape (H, D, C)
    bias : Tensor, shape (H, D), or None
    norm : nn.Module or None
        Of queries or keys.
    """

    weight: Tensor
    bias: Tensor | None
    norm: nn.Module | None

    def __call__(self, inputs: Tensor) -> Tensor:
        """Project an input for each head, (H, N, T, C), to (N, T, H, D)."""
        found = torch.einsum("hntc,hdc->nthd", inputs, self.weight)
        if self.bias is not None:
            found = found + self.bias
        if self.norm is not None:
            found = self.norm(found.transpose(1, 2)).transpose(1, 2)
        return found


@dataclass(frozen=True)
class Attention:
    """The heads of an attention as separate components.

    Attributes
    ----------
    sublayer : Sublayer
    projections : dict of str to Projection
        Of queries, keys and values, those that the attention computes from its input.
    output : Tensor, shape (H, C, D)
        The output projection of each head.
    constant : Tensor, shape (C,)
        What the attention adds to the stream in addition to its heads.
    """

    sublayer: Sublayer
    projections: dict[Input, Projection]
    output: Tensor
    constant: Tensor

    @property
    def inputs(self) -> int:
        """Number of inputs that read the stream."""
        return sum(len(each.weight) for each in self.projections.values())

    def __call__(self, streams: Tensor) -> Tensor:
        """Compute the output of each head.

        Parameters
        ----------
        streams : Tensor, shape (R, N, T, C)
            The residual stream that each input reads: queries of all heads, then keys, then values.
            Of shape (1, N, T, C) if all read the same.

        Returns
        -------
        Tensor, shape (H, N, T, C)
        """
        normed = self.sublayer.read(streams.flatten(0, 1)).view(streams.shape)
        changes, own_input = dict[str, Change](), normed[0]
        if len(streams) > 1:
            sizes = [len(each.weight) for each in self.projections.values()]
            parts = zip(self.projections.items(), torch.split(normed, sizes), strict=True)
            changes = {kind: partial(_replaced, own(part)) for (kind, own), part in parts}
            # All that is computed of it is replaced; else `attention_of` finds another sum.
            own_input = torch.zeros_like(own_input)
        found: list[Tensor] = []

        def keep(value: Tensor) -> Tensor:
            found.append(value)
            return value

        with hooked(self.sublayer, {**changes, "z": keep}):
            self.sublayer.core(own_input, **self.sublayer.context)
        heads = torch.einsum("nthd,hcd->hntc", found[0], self.output)
        return self.sublayer.write(heads.flatten(0, 1)).view(heads.shape)

    def branch(self, stream: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute what the attention adds to a stream, and keep the outputs of its projections.

        Parameters
        ----------
        stream : Tensor, shape (N, T, C)

        Returns
        -------
        output : Tensor, shape (N, T, C)
        projected : list of Tensor
            Queries, keys and values in one tensor, (N, T, 3 H D), or in one tensor each.
        """
        core, outputs = self.sublayer.core, dict[str, Tensor]()
        together = isinstance(getattr(core, "qkv", None), nn.Module)
        names = ["qkv"] if together else [f"{kind}_proj" for kind in self.projections]

        def keep(call: Call) -> None:
            outputs[call.path] = call.output

        with exposing(core, set(self.projections)), record(core, names, keep):
            output = self.sublayer.branch(stream)
        return output, [outputs[name] for name in names]

    def gradients(self, stream: Tensor, projected: list[Tensor]) -> Tensor:
        """Compute the gradient at what each input reads from the gradients at the projections.

        Parameters
        ----------
        stream : Tensor, shape (N, T, C)
            As given to `branch`.
        projected : list of Tensor
            Gradients at the tensors that `branch` returned.

        Returns
        -------
        Tensor, shape (R, N, T, C)
        """
        weights = [own for each in self.projections.values() for own in each.weight]
        parts = torch.split(torch.cat(projected, -1), [len(own) for own in weights], -1)
        with torch.inference_mode(False), torch.enable_grad():
            read = stream.detach().requires_grad_()
            normed = self.sublayer.read(read)
        return torch.stack(
            [
                torch.autograd.grad(normed, read, part @ own, retain_graph=True)[0]
                for part, own in zip(parts, weights, strict=True)
            ]
        )


def attention_of(vit: ResidualViT, sublayer: Sublayer, stream: Tensor) -> Attention:
    """Split an attention into heads, and check that their outputs add up to its own.

    Parameters
    ----------
    vit : ResidualViT
    sublayer : Sublayer
        An attention of it.
    stream : Tensor, shape (N, T, C)
        The residual stream before it, of any images.

    Returns
    -------
    Attention

    Raises
    ------
    FeatvizError
        If the outputs of the heads do not add up, as in post-norm blocks.
    """
    core: Any = sublayer.core
    last = sublayer.last
    reason = f"{sublayer.path} of {vit.model.name} is not a sum of heads"
    if not isinstance(last, nn.Linear) or not sublayer.norm_first:
        raise FeatvizError(f"{reason}: its output projection is not the last layer")
    projections: dict[Input, Projection] = {}
    for kind in inputs_of(sublayer):
        weight, bias = _weights(core, kind)
        count, norm = group_count(sublayer, kind), getattr(core, f"{kind}_norm", None)
        projections[kind] = Projection(
            weight.view(count, -1, weight.shape[1]),
            None if bias is None else bias.view(count, -1),
            norm if isinstance(norm, nn.Module) else None,
        )
    width, heads = last.out_features, group_count(sublayer, "q")
    output = last.weight.view(width, heads, -1).transpose(0, 1)
    zero = torch.zeros_like(stream[:1, :1])
    constant = zero if last.bias is None else sublayer.write(zero + last.bias)
    found = Attention(sublayer, projections, output, constant[0, 0])
    with eval_mode(vit.model.module), torch.no_grad():
        own = sublayer.branch(stream)
        outputs = found(stream.expand(found.inputs, *stream.shape))
    if (outputs.sum(0) + found.constant - own).abs().max() > TOLERANCE * own.abs().max():
        raise FeatvizError(f"{reason} of its queries, keys and values")
    return found


def _weights(core: Any, kind: Input) -> tuple[Tensor, Tensor | None]:
    """Return the weight (H D, C) and bias (H D,) of a projection."""
    separate = getattr(core, f"{kind}_proj", None)
    if isinstance(separate, nn.Linear):
        return separate.weight, separate.bias
    third = "qkv".index(kind)
    bias = getattr(core, f"{kind}_bias", None)
    if bias is None and core.qkv.bias is not None:
        bias = core.qkv.bias.chunk(3)[third]
    return core.qkv.weight.chunk(3)[third], bias


def _replaced(value: Tensor, _own: Tensor) -> Tensor:
    return value
