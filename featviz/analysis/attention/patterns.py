"""Where a head looks: the softmax of all its logits."""

from __future__ import annotations

import torch
from torch import Tensor

from featviz.models.attention import Context, Heads


def head_pattern(heads: Heads, inputs: Tensor, context: Context, head: int) -> Tensor:
    """Compute the attention of every query token to every key token in one head.

    Parameters
    ----------
    inputs : Tensor, shape (N, ..., channels)
        What the attention module was given.
    context : mapping
        Keyword arguments of that call.

    Returns
    -------
    Tensor, shape (N, T, T)
        Queries in rows, each of which sums to 1; float32, or float64 if the inputs are.
    """
    tokens = inputs.flatten(1, -2)
    number = torch.full((len(tokens),), head, device=tokens.device)
    query, key = (side.of(tokens, number) for side in (heads.query, heads.key))
    rotation = heads.rotation(context)
    if rotation is not None:
        own = rotation[head if len(rotation) > 1 else 0]
        query, key = heads.rotate(query, own), heads.rotate(key, own)
    logits = query @ key.mT * heads.scale
    bias = heads.bias(context)
    if bias is not None:
        logits = logits + bias[head].to(logits)
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
