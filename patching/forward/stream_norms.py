"""Normalizations of the residual stream, and freezing their scale to that of a run.

A LayerNorm subtracts the mean of each token, which is linear, and divides by its standard
deviation, which is not. With a fixed scale it is an affine map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.attention import NORMS
from featviz.models.hooks import Call, record, replace
from patching.forward.cache import ActivationCache
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class StreamNorm:
    """A normalization between the residual stream and a sublayer, or before the head.

    Attributes
    ----------
    path : str
        Path in the model, such as ``blocks.3.norm1`` or ``norm``.
    module : nn.Module
        A LayerNorm or an RMSNorm.
    start : int
        Index of the sublayer that it belongs to; for the norms of the head, the number of
        sublayers.
    """

    path: str
    module: nn.Module
    start: int

    def reads_stream(self, vit: ResidualViT) -> bool:
        """Whether it reads the residual stream of `vit`, not a branch as in post-norm blocks."""
        if self.start == len(vit.sublayers):
            return self.path == "norm"
        return vit.sublayers[self.start].norm_first

    def centered(self, tokens: Tensor) -> Tensor:
        """Subtract the mean of each token of `tokens`, (..., C), if the norm does.

        Returns
        -------
        Tensor, shape (..., C)
        """
        if isinstance(self.module, nn.LayerNorm):
            return tokens - tokens.mean(-1, keepdim=True)
        return tokens

    def scale(self, tokens: Tensor) -> Tensor:
        """Compute the factor by which the norm multiplies each token of `tokens`, (..., C).

        Returns
        -------
        Tensor, shape (..., 1)
            The inverse standard deviation, or root mean square.
        """
        module: Any = self.module
        eps = torch.finfo(tokens.dtype).eps if module.eps is None else module.eps
        return (self.centered(tokens).square().mean(-1, keepdim=True) + eps).rsqrt()

    def apply(self, tokens: Tensor, scale: Tensor) -> Tensor:
        """Normalize with a given scale, which is affine in the tokens.

        Parameters
        ----------
        tokens : Tensor, shape (..., C)
        scale : Tensor, shape (..., 1) or ()

        Returns
        -------
        Tensor, shape (..., C)
        """
        module: Any = self.module
        output = self.centered(tokens) * scale
        if getattr(module, "weight", None) is not None:
            output = output * module.weight
        return output if getattr(module, "bias", None) is None else output + module.bias


def norms_of(vit: ResidualViT) -> list[StreamNorm]:
    """List the normalizations of a model's stream: two for each block, and those of the head.

    Identities are left out, and so are normalizations inside attention, MLP and attention pooling,
    such as those of queries and keys.

    Parameters
    ----------
    vit : ResidualViT

    Returns
    -------
    list of StreamNorm
        In the order of the forward pass.

    Raises
    ------
    FeatvizError
        If one is neither a LayerNorm nor an RMSNorm over the channels.
    """
    module: Any = vit.model.module
    paths = {part: path for path, part in module.named_modules()}
    placed = [(sublayer.norm, index) for index, sublayer in enumerate(vit.sublayers)]
    final = (getattr(module, name, None) for name in ("norm", "fc_norm"))
    placed += [(norm, len(vit.sublayers)) for norm in final if isinstance(norm, nn.Module)]
    norms = [
        StreamNorm(paths[norm], norm, index)
        for norm, index in placed
        if not isinstance(norm, nn.Identity)
    ]
    for norm in norms:
        shape = getattr(norm.module, "normalized_shape", ())
        if not isinstance(norm.module, NORMS) or len(shape) != 1:
            kind = type(norm.module).__name__
            raise FeatvizError(
                f"{norm.path} of {vit.model.name} is a {kind}; only the scale of LayerNorm and "
                "RMSNorm over channels can be frozen"
            )
    return norms


@contextmanager
def frozen_norms(vit: ResidualViT, base: ActivationCache) -> Iterator[None]:
    """Fix the scale of every norm of the stream to that of the base run.

    The norms of `norms_of` still subtract the mean of their input, but multiply each token by the
    factor of the base run. Then every sublayer and the head read the stream through an affine map.
    Effects of replacements in the last sublayer add up in the logits, if the head pools linearly;
    those of an earlier sublayer add up as far as the next softmax or nonlinearity.

    Inside the ``with`` block, every batch must hold the N images of the base run, in order, any
    number of times, with all tokens or the leading ones, as in
    `patching.forward.batched_patching.patched_logits`. Hooks are removed on exit, also after an
    exception.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        Of N images.

    Raises
    ------
    FeatvizError
        See `norms_of`.
    ValueError
        When a batch is run whose size is not a multiple of N, or that has more tokens.

    Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021;
    TransformerLens, ``ActivationCache.apply_ln_to_stack``, freezes a final norm in the same way.
    """
    inputs = norm_inputs(vit, base)
    with ExitStack() as stack:
        for norm in norms_of(vit):
            scale = norm.scale(inputs[norm.path]).detach()
            stack.enter_context(rescaled(norm, partial(_repeated_scale, norm.path, scale)))
        yield


@contextmanager
def rescaled(norm: StreamNorm, scale: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the scale of a norm while the ``with`` block runs.

    Parameters
    ----------
    norm : StreamNorm
    scale : callable
        From the input of the norm, (..., C), to the scale, (..., 1) or ().
    """

    def apply(call: Call) -> Tensor:
        return norm.apply(call.inputs[0], scale(call.inputs[0]))

    with replace(norm.module, apply):
        yield


def norm_inputs(vit: ResidualViT, base: ActivationCache) -> dict[str, Tensor]:
    """Return the input of each norm in a run.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        The run, of N images.

    Returns
    -------
    dict of str to Tensor
        By the path of the norm: (N, T, C), or (N, C) after pooling.
    """
    inputs: dict[str, Tensor] = {}

    def keep(call: Call) -> None:
        inputs[call.path] = call.inputs[0].detach()

    paths = [norm.path for norm in norms_of(vit)]
    with record(vit.model.module, paths, keep, side="input"), torch.no_grad():
        for sublayer, stream in zip(vit.sublayers, base.streams[:-1], strict=True):
            _ = sublayer.read(stream) if sublayer.norm_first else sublayer.branch(stream)
        vit.finish(base.streams[-1])
    return inputs


def _repeated_scale(path: str, scale: Tensor, tokens: Tensor) -> Tensor:
    """Repeat the scales of N images for a batch that holds these images several times."""
    times, rest = divmod(len(tokens), len(scale))
    if tokens.ndim == 3:
        scale = scale[:, : tokens.shape[1]]
    if rest or tokens.shape[1:-1] != scale.shape[1:-1]:
        raise ValueError(
            f"{path} is frozen for {len(scale)} images of {scale[0].numel()} tokens, which does "
            f"not fit {len(tokens)} images of {tokens[0, ..., 0].numel()} tokens"
        )
    return scale.repeat(times, *[1] * (scale.ndim - 1))
