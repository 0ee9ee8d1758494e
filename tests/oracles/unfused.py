"""The logits of timm's own attention: what it hands to its softmax when it is not fused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _Softmaxes(TorchFunctionMode):
    """Keeps the input of every softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.softmax:
            self.inputs.append(args[0])
        return func(*args, **(kwargs or {}))


def unfused_logits(module: nn.Module, inputs: Tensor, attention: str) -> Tensor:
    """Run a copy of a timm model without fused attention: logits (N, heads, T, T) of one module.

    Parameters
    ----------
    inputs : Tensor
        As the module takes them, normalized.
    attention : str
        Path of the attention module.
    """
    model = copy.deepcopy(module).eval()
    for part in model.modules():
        if hasattr(part, "fused_attn"):
            vars(part)["fused_attn"] = False
    watch = _Softmaxes()
    layer = model.get_submodule(attention)
    around = ExitStack()

    def enter(*_: object) -> None:
        around.enter_context(watch)

    def leave(*_: object) -> None:
        around.close()

    layer.register_forward_pre_hook(enter)
    layer.register_forward_hook(leave)
    with torch.no_grad():
        model(inputs)
    (logits,) = watch.inputs
    return logits


def mean_of_shift(
    logits: Tensor, grid: tuple[int, int], prefix: int, shift: tuple[int, int]
) -> Tensor:
    """Average logits (N, T, T) over the patches whose key, so many rows and columns on, exists."""
    rows, columns = grid
    found = []
    for row in range(rows):
        for column in range(columns):
            there = row + shift[0], column + shift[1]
            if 0 <= there[0] < rows and 0 <= there[1] < columns:
                query = prefix + row * columns + column
                key = prefix + there[0] * columns + there[1]
                found.append(logits[:, query, key])
    return torch.stack(found).mean(0)
