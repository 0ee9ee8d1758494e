"""Attention modules: projections of their heads, and biases of their logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from timm.layers.norm import RmsNorm
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Context, is_hooked
from featviz.models.plain_layers import is_plain

Norm = Callable[[Tensor], Tensor]

NORMS = (nn.LayerNorm, nn.RMSNorm, RmsNorm)
"""Normalizations over channels."""

# Why a logit of these is not a scaled product of a query and a key among all tokens.
_UNSUPPORTED = {
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
    "OutlookAttention": "its attention weights are not computed from queries and keys",
    "TalkingHeadAttn": "its heads are mixed before the softmax",
    "DiffAttention": "it subtracts two attention maps",
    "ClassAttn": "only its class token has a query",
    "GlobalSubSampleAttn": "its keys are fewer than its tokens",
}


@dataclass(frozen=True)
class Projection:
    """Projection of tokens to the queries, keys or values of every head.

    Attributes
    ----------
    weight : Tensor, shape (heads, head_dim, channels)
    bias : Tensor or None, shape (heads, head_dim)
    norm : callable
        Normalization along the last dimension; the identity in most models.
    """

    weight: Tensor
    bias: Tensor | None
    norm: Norm

    def project(self, tokens: Tensor, head: Tensor) -> Tensor:
        """Project the tokens of each image for one head.

        Parameters
        ----------
        tokens : Tensor, shape (N, T, channels)
        head : Tensor, shape (N,)
            Index of a head for each image.

        Returns
        -------
        Tensor, shape (N, T, head_dim)
        """
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
        Both for all heads: the keys of grouped heads are repeated.
    value : Projection
        Of the heads that have values of their own, as many as `count` / `shared`.
    shared : int
        Number of heads that share a key and a value; 1 in most models.
    scale : float
        A logit is ``scale * q.k``, plus a bias in some models.
    bilinear : bool
        Whether logits are bilinear in query and key token: neither normalized nor rotated.
    """

    query: Projection
    key: Projection
    value: Projection
    shared: int
    scale: float
    bilinear: bool
    _prefix: int
    _half: bool
    _bias: Callable[[Context], Tensor | None]

    @property
    def count(self) -> int:
        """Number of heads."""
        return len(self.query.weight)

    def projection(self, name: Literal["q", "k", "v"]) -> Projection:
        """Return the projection to queries, keys or values, each once.

        Parameters
        ----------
        name : str
            ``"q"``, ``"k"`` or ``"v"``.

        Returns
        -------
        Projection
            Keys that several heads share are not repeated.
        """
        if name == "k" and self.shared > 1:
            bias = None if self.key.bias is None else self.key.bias[:: self.shared]
            return Projection(self.key.weight[:: self.shared], bias, self.key.norm)
        return {"q": self.query, "k": self.key, "v": self.value}[name]

    def bias(self, context: Context) -> Tensor | None:
        """Return the bias of the logits, shape (heads, T, T), or None.

        Parameters
        ----------
        context : mapping
            Keyword arguments with which the model called the attention.
        """
        return self._bias(context)

    def rotation(self, context: Context) -> Tensor | None:
        """Return the rotary embedding of every token, if there is one.

        Parameters
        ----------
        context : mapping
            Keyword arguments with which the model called the attention.

        Returns
        -------
        Tensor, shape (1 or heads, T, 2 * head_dim), or None
            Sines, then cosines. Prefix tokens are not rotated: zeros, then ones.
        """
        rope = context.get("rope")
        if rope is None:
            return None
        table: Tensor = rope if rope.ndim == 3 else rope[None]
        identity = table.new_zeros(len(table), self._prefix, table.shape[-1])
        identity[..., table.shape[-1] // 2 :] = 1
        return torch.cat([identity, table], 1)

    def rotate(self, vectors: Tensor, rotation: Tensor) -> Tensor:
        """Rotate queries or keys.

        Parameters
        ----------
        vectors : Tensor, shape (..., head_dim)
        rotation : Tensor, shape (..., 2 * head_dim)
            As returned by `rotation`, of the tokens of `vectors`.

        Returns
        -------
        Tensor, shape (..., head_dim)

        Source: Su et al., "RoFormer", 2021; pairs are neighboring channels, or channels of both
        halves, as in timm.
        """
        sine, cosine = rotation.to(vectors).chunk(2, -1)
        if self._half:
            first, second = vectors.chunk(2, -1)
            rotated = torch.cat([-second, first], -1)
        else:
            rotated = torch.stack([-vectors[..., 1::2], vectors[..., ::2]], -1).flatten(-2)
        return vectors * cosine + rotated * sine


def heads_of(module: nn.Module) -> Heads | None:
    """Read the heads of an attention module.

    Supported are the attention of timm's ViT, DeiT, DINOv2, EVA, DINOv3, BEiT, relative-position
    ViT and VOLO, and `torch.nn.MultiheadAttention`.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    Heads or None
        None if the module is not an attention whose logits are known to be scaled q.k, or its
        queries and keys are more than a product with weights, as with an adapter or a hook.
    """
    reader = _READERS.get(_class_of(module))
    return None if reader is None or _change(module) else reader(module)


def require_heads(module: nn.Module, path: str) -> Heads:
    """Read the heads of an attention module that must have them.

    Parameters
    ----------
    module : nn.Module
        The attention.
    path : str
        Its path in the model, for the error.

    Returns
    -------
    Heads

    Raises
    ------
    FeatvizError
        With `unsupported_reason`, if `heads_of` is None.
    """
    heads = heads_of(module)
    if heads is None:
        raise FeatvizError(f"{path} has no query-key logits: it is {unsupported_reason(module)}")
    return heads


def unsupported_reason(module: nn.Module) -> str:
    """Return why a module has no QK units.

    Parameters
    ----------
    module : nn.Module
        One for which `heads_of` is None.

    Returns
    -------
    str
        Such as ``"Attention, and its qkv has hooks"``.
    """
    name = type(module).__name__
    reason = _UNSUPPORTED.get(
        name, "it is not an attention whose logits are known to be scaled q.k"
    )
    if _class_of(module) in _READERS:
        reason = _change(module) or reason
    return f"{name}, and {reason}"


def _class_of(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__name__}"


def _change(module: nn.Module) -> str | None:
    """Return what changes the queries and keys of an attention of a known class, if anything."""
    if "forward" in vars(module):
        return "its forward was replaced"
    for name, part in module.named_children():
        if name in ("qkv", "q_proj", "k_proj", "v_proj") and not is_plain(part, nn.Linear):
            if is_hooked(part):
                return f"its {name} has hooks"
            kind = type(part).__name__
            return f"its {name} is a {kind}, not a torch.nn.Linear; merge adapters into the weights"
    return None


def _standard(module: Any, bias: Callable[[Context], Tensor | None] = lambda _: None) -> Heads:
    heads = int(module.num_heads)
    groups = int(getattr(module, "num_kv_groups", 1))
    if getattr(module, "qkv", None) is not None:
        weights = module.qkv.weight.detach().chunk(3)
        biases = _fused_biases(module)
    else:
        parts = (module.q_proj, module.k_proj, module.v_proj)
        weights = tuple(part.weight.detach() for part in parts)
        biases = tuple(p.bias if p.bias is None else p.bias.detach() for p in parts)
    norms = [
        *(getattr(module, name, nn.Identity()) for name in ("q_norm", "k_norm")),
        nn.Identity(),
    ]
    query, key, value = (
        _projection(weights[i], biases[i], count, norms[i])
        for i, count in enumerate((heads, heads // groups, heads // groups))
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
        value,
        groups,
        float(module.scale),
        not rotary and all(isinstance(norm, nn.Identity) for norm in norms),
        int(getattr(module, "num_prefix_tokens", 0)),
        bool(getattr(module, "rotate_half", False)),
        bias,
    )


def _fused_biases(module: Any) -> tuple[Tensor | None, ...]:
    if module.qkv.bias is not None:
        return tuple(module.qkv.bias.detach().chunk(3))
    if getattr(module, "q_bias", None) is not None:
        return tuple(getattr(module, f"{name}_bias").detach() for name in "qkv")
    return None, None, None


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
    query, key, value = (
        _projection(weights[i], biases[i], module.num_heads, nn.Identity()) for i in range(3)
    )
    return Heads(query, key, value, 1, width**-0.5, True, 0, False, lambda _: None)


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


def fold_norm(projection: Projection, norm: nn.Module | None) -> Tensor:
    """Fold gain and bias of a normalization into the projection that follows it.

    With ``n`` the normalized token, attention reads ``x = gain * n + bias``, and the query of a
    head is ``W x + b = W' [n, 1]``. LayerNorm subtracts the mean from ``n``; it is subtracted from
    the rows of ``W'`` too, which changes no query.

    Parameters
    ----------
    projection : Projection
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
