"""Attention logits of timm models, recorded at the softmax of unfused attention."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _RecordSoftmax(TorchFunctionMode):
    """Records the input of every softmax."""

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
    """Run a copy of a timm model without fused attention.

    Parameters
    ----------
    module : nn.Module
    inputs : Tensor
        Normalized images, as the module takes them.
    attention : str
        Path of the attention module.

    Returns
    -------
    Tensor, shape (N, heads, T, T)
        Logits of the attention module.
    """
    model = copy.deepcopy(module).eval()
    for part in model.modules():
        if hasattr(part, "fused_attn"):
            vars(part)["fused_attn"] = False
    recorder = _RecordSoftmax()
    layer = model.get_submodule(attention)
    stack = ExitStack()

    def enter(*_: object) -> None:
        stack.enter_context(recorder)

    def leave(*_: object) -> None:
        stack.close()

    layer.register_forward_pre_hook(enter)
    layer.register_forward_hook(leave)
    with torch.no_grad():
        model(inputs)
    (logits,) = recorder.inputs
    return logits


def mean_of_shift(
    logits: Tensor, grid: tuple[int, int], prefix: int, shift: tuple[int, int]
) -> Tensor:
    """Average logits (N, T, T) over the query patches whose shifted key lies in the grid."""
    rows, columns = grid
    values = []
    for row in range(rows):
        for column in range(columns):
            shifted = row + shift[0], column + shift[1]
            if 0 <= shifted[0] < rows and 0 <= shifted[1] < columns:
                query = prefix + row * columns + column
                key = prefix + shifted[0] * columns + shifted[1]
                values.append(logits[:, query, key])
    return torch.stack(values).mean(0)
