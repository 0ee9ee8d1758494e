"""Normalizations of the residual stream, with the scale that a run gave them frozen.

A LayerNorm takes each token's mean away, which is linear, and divides by its standard deviation,
which is not. With that scale held fixed it is an affine map.
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
from patching.forward.cache import ActivationCache
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class StreamNorm:
    """A normalization on the residual stream's way to a sublayer, or to the logits.

    Attributes
    ----------
    path : str
        In the model, such as ``blocks.3.norm1`` or ``norm``.
    module : nn.Module
        A LayerNorm or an RMSNorm.
    start : int
        Number of the sublayer in whose course it comes; the number of sublayers for those of the head.
    """

    path: str
    module: nn.Module
    start: int

    def reads_stream(self, vit: ResidualViT) -> bool:
        """Whether it reads the residual stream itself: not a branch, as in post-norm blocks."""
        if self.start == len(vit.sublayers):
            return self.path == "norm"
        return vit.sublayers[self.start].norm_first

    def centered(self, tokens: Tensor) -> Tensor:
        """Take the mean of each token away, if the norm does."""
        if isinstance(self.module, nn.LayerNorm):
            return tokens - tokens.mean(-1, keepdim=True)
        return tokens

    def scale(self, tokens: Tensor) -> Tensor:
        """Compute what each token (..., C) is multiplied by, (..., 1)."""
        module: Any = self.module
        eps = torch.finfo(tokens.dtype).eps if module.eps is None else module.eps
        return (self.centered(tokens).square().mean(-1, keepdim=True) + eps).rsqrt()

    def apply(self, tokens: Tensor, scale: Tensor) -> Tensor:
        """Normalize tokens with a given scale: affine in the tokens."""
        module: Any = self.module
        output = self.centered(tokens) * scale
        if getattr(module, "weight", None) is not None:
            output = output * module.weight
        return output if getattr(module, "bias", None) is None else output + module.bias


def norms_of(vit: ResidualViT) -> list[StreamNorm]:
    """List the normalizations of a model's stream: two a block, and those before the head.

    Identities are left out, and so are normalizations inside attention, MLP and attention pooling,
    such as those of queries and keys.

    Raises
    ------
    FeatvizError
        If one is neither a LayerNorm nor an RMSNorm over the channels.
    """
    module: Any = vit.model.module
    paths = {part: path for path, part in module.named_modules()}
    placed = [(sublayer.norm, number) for number, sublayer in enumerate(vit.sublayers)]
    ends = (getattr(module, name, None) for name in ("norm", "fc_norm"))
    placed += [(end, len(vit.sublayers)) for end in ends if isinstance(end, nn.Module)]
    norms = [
        StreamNorm(paths[norm], norm, number)
        for norm, number in placed
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
    """Make every norm of the stream multiply by the base run's scale while this lasts.

    The norms of `norms_of` keep centring, but what they multiply a token by is what they did in
    the base run. Then a sublayer reads the stream through an affine map, and so does the head: what
    replacements within the last sublayer change adds up in the logits, if the head pools linearly. In
    an earlier sublayer it adds up as far as the next softmax or nonlinearity.

    The batches run meanwhile must be the base run's N images, in order, any number of times over,
    with all tokens or the first of them, as in `patching.forward.batched_patching.patched_logits`. Hooks are
    removed whatever happens.

    Raises
    ------
    FeatvizError
        See `norms_of`.
    ValueError
        On running a batch that is no multiple of N, or has more tokens.

    Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021;
    TransformerLens, ``ActivationCache.apply_ln_to_stack``, freezes a final norm likewise.
    """
    inputs = norm_inputs(vit, base)
    with ExitStack() as stack:
        for norm in norms_of(vit):
            scale = norm.scale(inputs[norm.path]).detach()
            stack.enter_context(rescaled(norm, partial(_as_often, norm.path, scale)))
        yield


@contextmanager
def rescaled(norm: StreamNorm, scale: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let a norm multiply by other scales than its own, given what it reads, while this lasts."""

    def apply(_module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
        return norm.apply(inputs[0], scale(inputs[0]))

    hook = norm.module.register_forward_hook(apply)
    try:
        yield
    finally:
        hook.remove()


def norm_inputs(vit: ResidualViT, base: ActivationCache) -> dict[str, Tensor]:
    """Return what each norm read in a run, by path: (N, T, C), or (N, C) behind pooling."""
    inputs: dict[str, Tensor] = {}

    def keep(path: str, _module: nn.Module, read: tuple[Tensor, ...]) -> None:
        inputs[path] = read[0].detach()

    norms = norms_of(vit)
    hooks = [n.module.register_forward_pre_hook(partial(keep, n.path)) for n in norms]
    try:
        with torch.no_grad():
            for sublayer, stream in zip(vit.sublayers, base.streams[:-1], strict=True):
                _ = sublayer.before(stream) if sublayer.norm_first else sublayer.branch(stream)
            vit.finish(base.streams[-1])
    finally:
        for hook in hooks:
            hook.remove()
    return inputs


def _as_often(path: str, scale: Tensor, tokens: Tensor) -> Tensor:
    """Repeat the scales of N images for a batch that holds them several times over."""
    times, rest = divmod(len(tokens), len(scale))
    if tokens.ndim == 3:
        scale = scale[:, : tokens.shape[1]]
    if rest or tokens.shape[1:-1] != scale.shape[1:-1]:
        raise ValueError(
            f"{path} is frozen for {len(scale)} images of {scale[0].numel()} tokens, and does not "
            f"fit {len(tokens)} of {tokens[0, ..., 0].numel()}"
        )
    return scale.repeat(times, *[1] * (scale.ndim - 1))
