"""Reading and replacing what is inside a half: queries, keys, values, z, patterns, neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from featviz import FeatvizError
from patching.halves import Half

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
        return Tap(separate, "output", partial(_split, heads), _joined)
    place = "qkv".index(kind)
    return Tap(
        _part(half, "qkv", kind),
        "output",
        lambda x: _split(heads, x.chunk(3, -1)[place]),
        partial(_write_third, place),
    )


@contextmanager
def tapped(half: Half, changes: Mapping[str, Change]) -> Iterator[None]:
    """Hand the activations of a half to `changes`, by kind, while this lasts.

    Fused attention is switched off where patterns are asked for, and hooks are removed, whatever
    happens.

    Raises
    ------
    FeatvizError
        On leaving, if an activation never came by.
    """
    core: Any = half.core
    waiting = set(changes)
    fused = getattr(core, "fused_attn", False)
    hooks = []
    try:
        if "pattern" in changes and fused:
            core.fused_attn = False
        for kind, change in changes.items():
            hooks.append(_hook(tap_of(half, kind), kind, change, waiting))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        if "pattern" in changes and fused:
            core.fused_attn = fused
    if waiting:
        kind = type(core).__name__
        raise FeatvizError(f"{half.path} is a {kind}, which never shows its {min(waiting)}")


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


def _write_third(place: int, tensor: Tensor, value: Tensor) -> Tensor:
    width = tensor.shape[-1] // 3
    changed = tensor.clone()
    changed[..., place * width : (place + 1) * width] = value.flatten(2)
    return changed
