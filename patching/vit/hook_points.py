"""Reading and replacing what is inside a half: queries, keys, values, z, patterns, neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from patching.vit.sublayers import Half

Change = Callable[[Tensor], Tensor]
"""Given a value (N, T, G, D), returns what stands in its place."""


@dataclass(frozen=True)
class Tap:
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


def tap_of(half: Half, kind: str) -> Tap:
    """Find where a kind of activation of a half can be had.

    Raises
    ------
    FeatvizError
        If the attention or MLP has no such part.
    """
    core: Any = half.core
    if kind == "neurons":
        layer = _part(half, "fc2", kind)
        return Tap(layer, "input", lambda x: x[..., None], lambda _, value: value[..., 0])
    heads = int(getattr(core, "num_heads", 0))
    if not heads:
        raise FeatvizError(f"{half.path} is a {type(core).__name__} without heads, so no {kind}")
    if kind == "z":
        return Tap(_part(half, "proj", kind), "input", partial(_split, heads), _joined)
    if kind == "pattern":
        return Tap(
            _part(half, "attn_drop", kind), "output", _turned, lambda _, value: _turned(value)
        )
    norm = getattr(core, f"{kind}_norm", None)
    if isinstance(norm, nn.Module):
        return Tap(norm, "output", _turned, lambda _, value: _turned(value))
    separate = getattr(core, f"{kind}_proj", None)
    if isinstance(separate, nn.Linear):
        return Tap(separate, "output", partial(_split, group_count(half, kind)), _joined)
    place = "qkv".index(kind)
    bias = getattr(core, f"{kind}_bias", None)
    return Tap(
        _part(half, "qkv", kind),
        "output",
        lambda x: _split(heads, _plus(x.chunk(3, -1)[place], bias)),
        partial(_write_third, place, bias),
    )


def group_count(half: Half, kind: str) -> int:
    """Return how many heads, or neurons, a kind of activation of a half has."""
    core: Any = half.core
    if kind == "neurons":
        return int(core.fc2.in_features)
    shared = getattr(core, "num_kv_heads", core.num_heads)
    return int(shared if kind in {"k", "v"} else core.num_heads)


@contextmanager
def tapped(half: Half, changes: Mapping[str, Change]) -> Iterator[None]:
    """Hand the activations of a half to `changes`, by kind, while this lasts.

    Attention is made to show what is asked for. Its switches are put back and hooks are removed,
    whatever happens.

    Raises
    ------
    FeatvizError
        On leaving, if an activation never came by.
    """
    waiting = set(changes)
    hooks = []
    with _showing(half.core, waiting):
        try:
            for kind, change in changes.items():
                hooks.append(_hook(tap_of(half, kind), kind, change, waiting))
            yield
        finally:
            for hook in hooks:
                hook.remove()
    if waiting:
        core = type(half.core).__name__
        raise FeatvizError(f"{half.path} is a {core}, which never shows its {min(waiting)}")


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


def _hook(tap: Tap, kind: str, change: Change, waiting: set[str]) -> Any:
    def read(_module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        waiting.discard(kind)
        return tap.write(inputs[0], change(tap.read(inputs[0])))

    def put_out(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        waiting.discard(kind)
        return tap.write(output, change(tap.read(output)))

    if tap.side == "input":
        return tap.module.register_forward_pre_hook(read)
    return tap.module.register_forward_hook(put_out)


def _part(half: Half, name: str, kind: str) -> nn.Module:
    part = getattr(half.core, name, None)
    if not isinstance(part, nn.Module):
        raise FeatvizError(f"{half.path} is a {type(half.core).__name__}, which has no {kind}")
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
