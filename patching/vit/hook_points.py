"""Reading and replacing what is inside a sublayer: queries, keys, values, z, patterns, neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from patching.vit.sublayers import Sublayer

Change = Callable[[Tensor], Tensor]
"""Given a value (N, T, G, D), returns what stands in its place."""


@dataclass(frozen=True)
class HookPoint:
    """A tensor that a submodule reads or puts out, and its form (N, T, G, D).

    Attributes
    ----------
    module : nn.Module
    side : str
        ``"input"`` or ``"output"`` of the module.
    read : callable
        From the tensor to (N, T, G, D): tokens, then heads or neurons.
    write : callable
        From the tensor and a new value to a new tensor.
    """

    module: nn.Module
    side: Literal["input", "output"]
    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor, Tensor], Tensor]


def hook_point(sublayer: Sublayer, kind: str) -> HookPoint:
    """Find where a kind of activation of a sublayer can be had.

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
            f"{sublayer.path} is a {type(core).__name__} without heads, so no {kind}"
        )
    if kind == "z":
        return HookPoint(_part(sublayer, "proj", kind), "input", partial(_split, heads), _joined)
    if kind == "pattern":
        return HookPoint(
            _part(sublayer, "attn_drop", kind), "output", _turned, lambda _, value: _turned(value)
        )
    norm = getattr(core, f"{kind}_norm", None)
    if isinstance(norm, nn.Module):
        return HookPoint(norm, "output", _turned, lambda _, value: _turned(value))
    separate = getattr(core, f"{kind}_proj", None)
    if isinstance(separate, nn.Linear):
        return HookPoint(separate, "output", partial(_split, group_count(sublayer, kind)), _joined)
    place = "qkv".index(kind)
    bias = getattr(core, f"{kind}_bias", None)
    return HookPoint(
        _part(sublayer, "qkv", kind),
        "output",
        lambda x: _split(heads, _plus(x.chunk(3, -1)[place], bias)),
        partial(_write_third, place, bias),
    )


def group_count(sublayer: Sublayer, kind: str) -> int:
    """Return how many heads, or neurons, a kind of activation of a sublayer has."""
    core: Any = sublayer.core
    if kind == "neurons":
        return int(core.fc2.in_features)
    shared = getattr(core, "num_kv_heads", core.num_heads)
    return int(shared if kind in {"k", "v"} else core.num_heads)


@contextmanager
def hooked(sublayer: Sublayer, changes: Mapping[str, Change]) -> Iterator[None]:
    """Hand the activations of a sublayer to `changes`, by kind, while this lasts.

    Attention is made to show what is asked for. Its switches are put back and hooks are removed,
    whatever happens.

    Raises
    ------
    FeatvizError
        On leaving, if an activation never came by.
    """
    waiting = set(changes)
    hooks = []
    with _showing(sublayer.core, waiting):
        try:
            for kind, change in changes.items():
                hooks.append(_hook(hook_point(sublayer, kind), kind, change, waiting))
            yield
        finally:
            for hook in hooks:
                hook.remove()
    if waiting:
        core = type(sublayer.core).__name__
        raise FeatvizError(f"{sublayer.path} is a {core}, which never shows its {min(waiting)}")


@contextmanager
def _showing(core: nn.Module, kinds: set[str]) -> Iterator[None]:
    """Switch an attention of timm to the way of computing in which some activations come by."""
    switches = {}
    if "pattern" in kinds:
        switches["fused_attn"] = False
    if kinds & set("qkv"):
        # EVA and BEiT multiply by the weight of their layer without calling it, but for this.
        switches["qkv_bias_separate"] = True
    before = {name: getattr(core, name) for name in switches if hasattr(core, name)}
    try:
        for name in before:
            setattr(core, name, switches[name])
        yield
    finally:
        for name, value in before.items():
            setattr(core, name, value)


def _hook(point: HookPoint, kind: str, change: Change, waiting: set[str]) -> Any:
    def read(_module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        waiting.discard(kind)
        return point.write(inputs[0], change(point.read(inputs[0])))

    def put_out(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        waiting.discard(kind)
        return point.write(output, change(point.read(output)))

    if point.side == "input":
        return point.module.register_forward_pre_hook(read)
    return point.module.register_forward_hook(put_out)


def _part(sublayer: Sublayer, name: str, kind: str) -> nn.Module:
    part = getattr(sublayer.core, name, None)
    if not isinstance(part, nn.Module):
        raise FeatvizError(
            f"{sublayer.path} is a {type(sublayer.core).__name__}, which has no {kind}"
        )
    return part


def _split(heads: int, tensor: Tensor) -> Tensor:
    return tensor.view(*tensor.shape[:-1], heads, -1)


def _joined(_tensor: Tensor, value: Tensor) -> Tensor:
    return value.flatten(2)


def _turned(tensor: Tensor) -> Tensor:
    return tensor.transpose(1, 2)


def _plus(tensor: Tensor, bias: Tensor | None) -> Tensor:
    return tensor if bias is None else tensor + bias


def _write_third(place: int, bias: Tensor | None, tensor: Tensor, value: Tensor) -> Tensor:
    parts = list(tensor.chunk(3, -1))
    parts[place] = _plus(value.flatten(2), None if bias is None else -bias)
    return torch.cat(parts, -1)
