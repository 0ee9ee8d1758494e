"""The queries and keys of an attention module, whose scaled products are its logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timm.layers.norm import RmsNorm
from torch import Tensor, nn

from featviz.models.hooks import Context

Norm = Callable[[Tensor], Tensor]

# Why the logit of these is not a scaled product of one query and one key among all tokens.
_OTHERWISE = {
    "WindowAttention": "it attends inside windows, with masks",
    "WindowMultiHeadAttention": "it attends inside windows, with masks",
    "WindowAttentionGlobal": "it attends inside windows",
    "LocallyGroupedAttn": "it attends inside windows",
    "PartitionAttentionCl": "it attends inside windows or grids",
    "PartitionAttention2d": "it attends inside windows or grids",
    "MaskUnitAttention": "it attends inside mask units",
    "HaloAttn": "it attends inside windows",
    "LinearSelfAttention": "its attention is linear and has no logits",
    "LiteMLA": "its attention is linear and has no logits",
    "EfficientAdditiveAttention": "its attention is linear and has no logits",
    "XCA": "it attends between channels and not between tokens",
    "CrossCovarianceAttn": "it attends between channels and not between tokens",
    "ChannelAttention": "it attends between channels and not between tokens",
    "ChannelAttentionV2": "it attends between channels and not between tokens",
    "FactorAttnConvRelPosEnc": "its attention is factorized and has no logits",
    "OutlookAttention": "its attention is not made of queries and keys",
    "TalkingHeadAttn": "its heads are mixed before the softmax",
    "DiffAttention": "it subtracts two attentions with a logit each",
    "ClassAttn": "only its class token asks",
    "GlobalSubSampleAttn": "its keys are fewer than its tokens",
}


@dataclass(frozen=True)
class Projection:
    """From tokens to the queries (or keys) of every head.

    Attributes
    ----------
    weight : Tensor, shape (heads, head_dim, channels)
    bias : Tensor or None, shape (heads, head_dim)
    norm : callable
        Normalizes along the last dimension; the identity in most models.
    """

    weight: Tensor
    bias: Tensor | None
    norm: Norm

    def of(self, tokens: Tensor, head: Tensor) -> Tensor:
        """Project the tokens (N, T, channels) of row n for head ``head[n]``: (N, T, head_dim)."""
        projected = torch.bmm(tokens, self.weight[head].to(tokens).mT)
        if self.bias is not None:
            projected = projected + self.bias[head, None].to(tokens)
        return self.norm(projected)


@dataclass(frozen=True)
class Heads:
    """The heads of one attention module.

    Attributes
    ----------
    query, key : Projection
        With as many heads each: grouped keys are repeated.
    scale : float
        The logit is ``scale * q.k``, plus a bias where the model has one.
    bilinear : bool
        Whether the logit is bilinear in query and key token: neither normalized nor rotated.
    """

    query: Projection
    key: Projection
    scale: float
    bilinear: bool
    _prefix: int
    _half: bool
    _bias: Callable[[Context], Tensor | None]

    @property
    def count(self) -> int:
        """Number of heads."""
        return len(self.query.weight)

    def bias(self, context: Context) -> Tensor | None:
        """Return what is added to the logits, shape (heads, T, T), if anything is."""
        return self._bias(context)

    def rotation(self, context: Context) -> Tensor | None:
        """Return the rotary embedding of every token, if there is one.

        Returns
        -------
        Tensor, shape (1 or heads, T, 2 * head_dim), or None
            Sines, then cosines; the prefix tokens, which are not turned, have zeros and ones.
        """
        rope = context.get("rope")
        if rope is None:
            return None
        table: Tensor = rope if rope.ndim == 3 else rope[None]
        still = table.new_zeros(len(table), self._prefix, table.shape[-1])
        still[..., table.shape[-1] // 2 :] = 1
        return torch.cat([still, table], 1)

    def rotate(self, vectors: Tensor, rotation: Tensor) -> Tensor:
        """Turn queries or keys (..., head_dim) by rotations (..., 2 * head_dim).

        Source: Su et al., "RoFormer", 2021; pairs of neighbors, or of halves, as in timm.
        """
        sine, cosine = rotation.to(vectors).chunk(2, -1)
        if self._half:
            first, second = vectors.chunk(2, -1)
            turned = torch.cat([-second, first], -1)
        else:
            turned = torch.stack([-vectors[..., 1::2], vectors[..., ::2]], -1).flatten(-2)
        return vectors * cosine + turned * sine


def heads_of(module: nn.Module) -> Heads | None:
    """Read the heads of an attention module; None if its logits are not scaled q.k.

    The attention of timm's ViT, DeiT, DINOv2, EVA, DINOv3, BEiT, relative-position ViT and VOLO,
    and of `torch.nn.MultiheadAttention`, are known.
    """
    forward = "forward" in vars(module)
    reader = _READERS.get(f"{type(module).__module__}.{type(module).__name__}")
    return None if reader is None or forward else reader(module)


def why_not(name: str) -> str:
    """Say why modules of a class, whose `heads_of` are None, have no QK units."""
    reason = _OTHERWISE.get(name, "it is no attention whose logit is known to be a scaled q.k")
    return f"{name}, and {reason}"


def _standard(module: Any, bias: Callable[[Context], Tensor | None] = lambda _: None) -> Heads:
    heads = int(module.num_heads)
    groups = int(getattr(module, "num_kv_groups", 1))
    if getattr(module, "qkv", None) is not None:
        weights = module.qkv.weight.detach().chunk(3)
        biases = _fused_biases(module)
    else:
        parts = (module.q_proj, module.k_proj)
        weights = tuple(part.weight.detach() for part in parts)
        query_bias, key_bias = (p.bias if p.bias is None else p.bias.detach() for p in parts)
        biases = query_bias, key_bias
    norms = [getattr(module, name, nn.Identity()) for name in ("q_norm", "k_norm")]
    query, key = (
        _projection(weights[i], biases[i], count, norms[i])
        for i, count in enumerate((heads, heads // groups))
    )
    if groups > 1:
        key = Projection(
            key.weight.repeat_interleave(groups, 0),
            None if key.bias is None else key.bias.repeat_interleave(groups, 0),
            key.norm,
        )
    rotary = type(module).__name__ in ("EvaAttention", "AttentionRope")
    return Heads(
        query,
        key,
        float(module.scale),
        not rotary and all(isinstance(norm, nn.Identity) for norm in norms),
        int(getattr(module, "num_prefix_tokens", 0)),
        bool(getattr(module, "rotate_half", False)),
        bias,
    )


def _fused_biases(module: Any) -> tuple[Tensor | None, Tensor | None]:
    if module.qkv.bias is not None:
        query, key, _ = module.qkv.bias.detach().chunk(3)
        return query, key
    if getattr(module, "q_bias", None) is not None:
        return module.q_bias.detach(), module.k_bias.detach()
    return None, None


def _projection(weight: Tensor, bias: Tensor | None, heads: int, norm: Norm) -> Projection:
    rows = weight.view(heads, -1, weight.shape[1])
    return Projection(rows, None if bias is None else bias.view(heads, -1), norm)


def _beit(module: Any) -> Heads:
    def bias(context: Context) -> Tensor | None:
        shared = context.get("shared_rel_pos_bias")
        if module.relative_position_bias_table is None:
            return None if shared is None else shared[0]
        own: Tensor = module._get_rel_pos_bias()[0].detach()
        return own if shared is None else own + shared[0]

    return _standard(module, bias)


def _relative(module: Any) -> Heads:
    def bias(context: Context) -> Tensor | None:
        shared = context.get("shared_rel_pos")
        if module.rel_pos is not None:
            own: Tensor = module.rel_pos.get_bias()[0]
            return own
        return None if shared is None else shared[0]

    return _standard(module, bias)


def _torch(module: Any) -> Heads | None:
    if module.in_proj_weight is None or not module.batch_first:
        return None
    width = module.embed_dim // module.num_heads
    weights = module.in_proj_weight.detach().chunk(3)
    biases = (None,) * 3 if module.in_proj_bias is None else module.in_proj_bias.detach().chunk(3)
    query, key = (
        _projection(weights[i], biases[i], module.num_heads, nn.Identity()) for i in range(2)
    )
    return Heads(query, key, width**-0.5, True, 0, False, lambda _: None)


_READERS: dict[str, Callable[[Any], Heads | None]] = {
    "timm.layers.attention.Attention": _standard,
    "timm.layers.attention.AttentionRope": _standard,
    "timm.models.vision_transformer.Attention": _standard,
    "timm.models.eva.EvaAttention": _standard,
    "timm.models.volo.Attention": _standard,
    "timm.models.beit.Attention": _beit,
    "timm.models.vision_transformer_relpos.RelPosAttention": _relative,
    "torch.nn.modules.activation.MultiheadAttention": _torch,
}


NORMS = (nn.LayerNorm, nn.RMSNorm, RmsNorm)


def fold_norm(projection: Projection, norm: nn.Module | None) -> Tensor:
    """Write a projection as one matrix of what comes before the normalization's gain and bias.

    With ``n`` the normalized token, ``x = gain * n + bias`` is what attention reads, and the
    query of a head is ``W x + b = W' [n, 1]``. The mean that LayerNorm takes from ``n`` is taken
    from the rows of ``W'`` too, as n never has any.

    Parameters
    ----------
    norm : nn.Module or None
        A `LayerNorm` or `RmsNorm`; None if attention reads something else.

    Returns
    -------
    Tensor, shape (heads, head_dim, channels + 1), float64
        The last column is the constant part.

    Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021 (query-key
    circuit); TransformerLens, ``fold_layer_norm``.
    """
    weight = projection.weight.double()
    constant = weight.new_zeros(weight.shape[:2])
    if projection.bias is not None:
        constant = constant + projection.bias.double()
    shift = getattr(norm, "bias", None)
    if shift is not None:
        constant = constant + weight @ shift.detach().double()
    gain = getattr(norm, "weight", None)
    if gain is not None:
        weight = weight * gain.detach().double()
    if isinstance(norm, nn.LayerNorm):
        weight = weight - weight.mean(-1, keepdim=True)
    return torch.cat([weight, constant[..., None]], -1)
