"""Attention for a single query token of each image, in the last block that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Attention, Block, Mlp  # type: ignore[attr-defined]
from torch import Tensor, nn

from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.models.hooks import exclusive, is_hooked
from featviz.models.plain_layers import is_plain

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Query tokens that are computed for each image, the required one first. Matrix products of fewer
# than eight rows round differently, so that a picture would depend on the size of its batch.
QUERIES = 8
# As timm defines them: a class may be patched later.
_FORWARDS = {kind: kind.forward for kind in (Attention, Block, Mlp)}


def needs_single_token(model: VisionModel, unit: Unit) -> bool:
    """Return whether a unit depends on a single token of its block's attention.

    This holds for a neuron of timm's `Mlp`, read at one token, after timm's `Attention` in a
    `Block` of timm's vision transformer, if nothing changes what these classes compute.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
    """
    with exclusive(model.module):  # another thread may have replaced the attention for a while
        return not isinstance(unit, Combination) and _attention_before(model, unit) is not None


@contextmanager
def attention_at_tokens(model: VisionModel, units: Sequence[Unit]) -> Iterator[None]:
    """Compute the attention before units at their tokens only, for unit i on image i.

    Its output is zero at most other tokens, so nothing but the units may be read. If there is a
    unit without `needs_single_token`, nothing changes.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        Units of one layer, as many as images.

    Yields
    ------
    None
    """
    attention = _attention_before(model, units[0]) if units else None
    if attention is None or not all(needs_single_token(model, unit) for unit in units):
        yield
        return
    tokens = [0 if unit.token == "cls" else unit.token for unit in units]
    first_query = torch.tensor(tokens, device=model.device)
    try:
        vars(attention)["forward"] = partial(_forward, attention, first_query)
        yield
    finally:
        vars(attention).pop("forward", None)


def _attention_before(model: VisionModel, unit: Unit) -> Attention | None:
    path, _, layer = site_of(model, unit).owner.rpartition(".mlp.")
    at_single_token = unit.token == "cls" or isinstance(unit.token, int)
    if layer != "fc1" or not at_single_token:
        return None
    block = model.module.get_submodule(path)
    if type(block) is not Block or type(block.mlp) is not Mlp:
        return None
    if any(kind.forward is not forward for kind, forward in _FORWARDS.items()):
        return None
    attention = block.attn
    if type(attention) is not Attention or getattr(attention, "gate", None) is not None:
        return None
    # Its weight is read in place of a call; other layers of the block are called.
    if not is_plain(attention.qkv, nn.Linear):
        return None
    is_changed = any("forward" in vars(part) or is_hooked(part) for part in block.modules())
    return None if is_changed else attention


def _forward(attention: Any, first_query: Tensor, inputs: Tensor, **context: Any) -> Tensor:
    """Compute timm's `Attention.forward` for `QUERIES` query tokens of each image."""
    if any(value is not None and value is not False for value in context.values()):  # a mask
        full: Tensor = type(attention).forward(attention, inputs, **context)
        return full
    count = inputs.shape[1]
    images = torch.arange(len(inputs), device=inputs.device)[:, None]
    offsets = torch.arange(min(QUERIES, count), device=inputs.device)
    tokens = (first_query[:, None] + offsets) % count
    weight, bias, heads = attention.qkv.weight, attention.qkv.bias, attention.num_heads
    width = len(weight) // 3
    query_bias, key_value_bias = (None, None) if bias is None else (bias[:width], bias[width:])
    queries = F.linear(inputs[images, tokens], weight[:width], query_bias)
    query = attention.q_norm(queries.view(len(inputs), -1, heads, width // heads).transpose(1, 2))
    keys_values = F.linear(inputs, weight[width:], key_value_bias)
    key, value = keys_values.view(len(inputs), count, 2, heads, -1).permute(2, 0, 3, 1, 4)
    pattern = (query * attention.scale @ attention.k_norm(key).mT).softmax(-1)
    mixed = (pattern @ value).transpose(1, 2).flatten(2)
    normed = attention.norm(mixed) if hasattr(attention, "norm") else mixed
    projected = attention.proj(normed)
    return inputs.new_zeros(inputs.shape).index_put((images, tokens), projected)
