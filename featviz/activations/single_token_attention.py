"""Attention at the one token of each image that is read, in the last block that runs."""

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

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Tokens that are computed for each image, the wanted one first: products of fewer than eight rows
# round differently, and a picture would depend on how many others are in its batch.
ROWS = 8


def is_narrow(model: VisionModel, unit: Unit) -> bool:
    """Tell whether all of its block but one token can be left out for a unit.

    It is a neuron of timm's `Mlp`, read at one token, behind timm's `Attention` in a `Block` of
    timm's vision transformer, none of which computes anything else than their classes do.
    """
    return not isinstance(unit, Combination) and _attention_before(model, unit) is not None


@contextmanager
def at_tokens(model: VisionModel, units: Sequence[Unit]) -> Iterator[None]:
    """Compute the attention that comes before units at their tokens alone, unit i on image i.

    Its output is zero at most other tokens, so that nothing but the units may be read. Where a
    unit is none that `is_narrow` tells, nothing changes.

    Parameters
    ----------
    units : sequence of Unit
        Of one layer.
    """
    attention = _attention_before(model, units[0]) if units else None
    if attention is None or not all(is_narrow(model, unit) for unit in units):
        yield
        return
    tokens = [0 if unit.token == "cls" else unit.token for unit in units]
    wanted = torch.tensor(tokens, device=model.device)
    try:
        vars(attention)["forward"] = partial(_attend, attention, wanted)
        yield
    finally:
        vars(attention).pop("forward", None)


def _attention_before(model: VisionModel, unit: Unit) -> Attention | None:
    path, _, layer = site_of(model, unit).owner.rpartition(".mlp.")
    at_one_token = unit.token == "cls" or isinstance(unit.token, int)
    if layer != "fc1" or not at_one_token:
        return None
    block = model.module.get_submodule(path)
    if type(block) is not Block or type(block.mlp) is not Mlp:
        return None
    attention = block.attn
    if type(attention) is not Attention or getattr(attention, "gate", None) is not None:
        return None
    replaced = any("forward" in vars(part) or _is_hooked(part) for part in block.modules())
    return None if replaced else attention


def _is_hooked(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks)


def _attend(attention: Any, wanted: Tensor, inputs: Tensor, **context: Any) -> Tensor:
    """Do what timm's `Attention` does, for `ROWS` of the tokens that ask."""
    if any(value is not None and value is not False for value in context.values()):  # a mask
        whole: Tensor = type(attention).forward(attention, inputs, **context)
        return whole
    count = inputs.shape[1]
    images = torch.arange(len(inputs), device=inputs.device)[:, None]
    beside = torch.arange(min(ROWS, count), device=inputs.device)
    tokens = (wanted[:, None] + beside) % count
    weight, bias, heads = attention.qkv.weight, attention.qkv.bias, attention.num_heads
    width = len(weight) // 3
    biases = (None, None) if bias is None else (bias[:width], bias[width:])
    asking = F.linear(inputs[images, tokens], weight[:width], biases[0])
    query = attention.q_norm(asking.view(len(inputs), -1, heads, width // heads).transpose(1, 2))
    asked = F.linear(inputs, weight[width:], biases[1])
    key, value = asked.view(len(inputs), count, 2, heads, -1).permute(2, 0, 3, 1, 4)
    pattern = (query * attention.scale @ attention.k_norm(key).mT).softmax(-1)
    mixed = (pattern @ value).transpose(1, 2).flatten(2)
    normed = attention.norm(mixed) if hasattr(attention, "norm") else mixed
    found = attention.proj(normed)
    return inputs.new_zeros(inputs.shape).index_put((images, tokens), found)
