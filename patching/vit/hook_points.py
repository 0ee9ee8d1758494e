"""Hook points inside a sublayer: queries, keys, values, z, attention patterns and MLP neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Call, Side, replace
from patching.vit.sublayers import Sublayer

Change = Callable[[Tensor], Tensor]
"""From an activation (N, T, G, D) to its replacement."""


@dataclass(frozen=True)
class HookPoint:
    """An input or output of a submodule, and its conversion to shape (N, T, G, D).

    Attributes
    ----------
    module : nn.Module
    side : str
        ``"input"`` or ``"output"`` of the module.
    read : callable
        From the tensor to (N, T, G, D), where G counts heads or neurons.
    write : callable
        From the tensor and a new value (N, T, G, D) to a new tensor.
    """

    module: nn.Module
    side: Side
    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor, Tensor], Tensor]


def hook_point(sublayer: Sublayer, kind: str) -> HookPoint:
    """Find the hook point of one kind of activation.

    Parameters
    ----------
    sublayer : Sublayer
    kind : str
        One of `patching.interventions.patch_targets.INSIDE`.

    Returns
    -------
    HookPoint

    Raises
    ------
    FeatvizError
        If the attention or MLP has no such part.
    """
    core: Any = sublayer.core
    if kind == "neurons":
        layer = _part(sublayer, "fc2", kind)
        return HookPoint(layer, "input", lambda x: x[..., None], lambda _, value: value[..., 0])
    heads = int(getattr(core, "num_heads", 0))
    if not heads:
        raise FeatvizError(
            f"{sublayer.path} ({type(core).__name__}) has no heads, and therefore no {kind}"
        )
    if kind == "z":
        layer = _part(sublayer, "proj", kind)
        return HookPoint(layer, "input", partial(_split_heads, heads), _join_heads)
    if kind == "pattern":
        return _heads_first(_part(sublayer, "attn_drop", kind))
    norm = getattr(core, f"{kind}_norm", None)
    if isinstance(norm, nn.Module):
        return _heads_first(norm)
    separate = getattr(core, f"{kind}_proj", None)
    if isinstance(separate, nn.Linear):
        count = group_count(sublayer, kind)
        return HookPoint(separate, "output", partial(_split_heads, count), _join_heads)
    third = "qkv".index(kind)
    bias = getattr(core, f"{kind}_bias", None)
    return HookPoint(
        _part(sublayer, "qkv", kind),
        "output",
        lambda x: _split_heads(heads, _add_bias(x.chunk(3, -1)[third], bias)),
        partial(_write_third, third, bias),
    )


def group_count(sublayer: Sublayer, kind: str) -> int:
    """Return the number of heads, or neurons, of an activation of a sublayer.

    Parameters
    ----------
    sublayer : Sublayer
    kind : str
        One of `patching.interventions.patch_targets.INSIDE`.
    """
    core: Any = sublayer.core
    if kind == "neurons":
        return int(core.fc2.in_features)
    shared = getattr(core, "num_kv_heads", core.num_heads)
    return int(shared if kind in {"k", "v"} else core.num_heads)


@contextmanager
def hooked(sublayer: Sublayer, changes: Mapping[str, Change]) -> Iterator[None]:
    """Replace activations inside a sublayer while the ``with`` block runs.

    Attention is switched to the implementation that computes the requested activations. The
    switches are restored and the hooks are removed on exit, also after an exception.

    Parameters
    ----------
    sublayer : Sublayer
    changes : mapping of str to callable
        By kind of activation: a function from the activation (N, T, G, D) to its replacement. A
        function that returns its argument only reads.

    Raises
    ------
    FeatvizError
        On exit, if the forward pass never computed one of the activations.
    """
    missing = set(changes)

    def apply(point: HookPoint, kind: str, call: Call) -> Tensor:
        missing.discard(kind)
        tensor = call.inputs[0] if point.side == "input" else call.output
        return point.write(tensor, changes[kind](point.read(tensor)))

    with exposing(sublayer.core, set(changes)), ExitStack() as hooks:
        for kind in changes:
            point = hook_point(sublayer, kind)
            hooks.enter_context(replace(point.module, partial(apply, point, kind), point.side))
        yield
    if missing:
        core = type(sublayer.core).__name__
        raise FeatvizError(f"{sublayer.path} ({core}) does not expose its {min(missing)}")


@contextmanager
def exposing(core: nn.Module, kinds: set[str]) -> Iterator[None]:
    """Switch timm's attention to the implementation that computes some kinds of activations.

    Parameters
    ----------
    core : nn.Module
        Attention or MLP.
    kinds : set of str
        As the keys of `hooked`.
    """
    switches = {}
    if "pattern" in kinds:
        switches["fused_attn"] = False
    if kinds & set("qkv"):
        # Otherwise EVA and BEiT multiply by the weight of their qkv layer without calling it.
        switches["qkv_bias_separate"] = True
    before = {name: getattr(core, name) for name in switches if hasattr(core, name)}
    try:
        for name in before:
            setattr(core, name, switches[name])
        yield
    finally:
        for name, value in before.items():
            setattr(core, name, value)


def _part(sublayer: Sublayer, name: str, kind: str) -> nn.Module:
    part = getattr(sublayer.core, name, None)
    if not isinstance(part, nn.Module):
        raise FeatvizError(f"{sublayer.path} ({type(sublayer.core).__name__}) has no {kind}")
    return part


def _heads_first(module: nn.Module) -> HookPoint:
    """Make the hook point of an output (N, heads, T, D)."""
    return HookPoint(module, "output", _transposed, lambda _, value: _transposed(value))


def _transposed(tensor: Tensor) -> Tensor:
    return tensor.transpose(1, 2)


def _split_heads(heads: int, tensor: Tensor) -> Tensor:
    return tensor.view(*tensor.shape[:-1], heads, -1)


def _join_heads(_tensor: Tensor, value: Tensor) -> Tensor:
    return value.flatten(2)


def _add_bias(tensor: Tensor, bias: Tensor | None) -> Tensor:
    return tensor if bias is None else tensor + bias


def _write_third(third: int, bias: Tensor | None, tensor: Tensor, value: Tensor) -> Tensor:
    """Write queries, keys or values into the joint output of a qkv layer."""
    parts = list(tensor.chunk(3, -1))
    parts[third] = _add_bias(value.flatten(2), None if bias is None else -bias)
    return torch.cat(parts, -1)
