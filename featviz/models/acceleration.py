"""Faster forward passes: patch embedding as a matrix product, and bfloat16."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.models.plain_layers import has_torch_forward

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

MIN_PATCH_SIZE = 4
"""Smallest side in pixels of patches for which a matrix product is faster than a convolution."""


@contextmanager
def patch_embed_as_matmul(module: nn.Module) -> Iterator[None]:
    """Compute patch embeddings of a `module` as matrix products while the ``with`` block runs.

    On a CPU, the backward pass of such a convolution to its input takes several times as long as
    that of the product: for DeiT-S at batch 16, a quarter of an optimization step in block 0
    (measured). Forward hooks of the layers still run.
    """
    layers = [
        part
        for part in module.modules()
        if isinstance(part, nn.Conv2d) and _is_patch_embedding(part)
    ]
    try:
        for layer in layers:
            vars(layer)["forward"] = partial(_product, layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _is_patch_embedding(part: nn.Conv2d) -> bool:
    return (
        has_torch_forward(part, nn.Conv2d)
        and part.kernel_size == part.stride
        and min(part.kernel_size) >= MIN_PATCH_SIZE
        and part.padding == (0, 0)
        and part.dilation == (1, 1)
        and part.groups == 1
    )


def _product(layer: nn.Conv2d, images: Tensor) -> Tensor:
    count, channels = images.shape[:2]
    height, width = layer.kernel_size
    rows, columns = images.shape[2] // height, images.shape[3] // width
    cropped = images[:, :, : rows * height, : columns * width]
    patches = cropped.reshape(count, channels, rows, height, columns, width)
    patches = patches.permute(0, 2, 4, 1, 3, 5)
    maps = F.linear(patches.flatten(3), layer.weight.flatten(1), layer.bias)
    return maps.permute(0, 3, 1, 2)


def fastest_precision(device: torch.device) -> str:
    """Return the precision in which an optimization step is fastest on a device.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    str
        ``"bfloat16"`` for CPUs with AMX or AVX512-BF16 and for GPUs with bfloat16 units, where a
        step takes about half the time; ``"float32"`` for all others.
    """
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        fast = device.type == "cpu" and any(getattr(torch.cpu, name)() for name in checks)
    return "bfloat16" if fast else "float32"


def in_precision(model: VisionModel, precision: str) -> VisionModel:
    """Return a model that computes in a given precision.

    A copy on a CPU does not use the fused attention kernel, which is slower there in bfloat16 than
    in float32 (measured for forward and backward pass of an attention of DeiT-S at batch 16: 73 ms
    in bfloat16, 55 ms in float32, 36 ms in bfloat16 without the kernel).

    Parameters
    ----------
    model : VisionModel
    precision : str
        Name of a dtype of torch, such as ``"bfloat16"``.

    Returns
    -------
    VisionModel
        `model` itself for ``"float32"``, else a copy.
    """
    if precision == "float32":
        return model
    # A weight that a hook computes from others, as `torch.nn.utils.weight_norm` does, can only be
    # copied without its history; the hook computes it anew.
    computed = {
        id(value): value.detach().clone()
        for part in model.module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    with torch.inference_mode(False):
        module = copy.deepcopy(model.module, computed).to(getattr(torch, precision))
    if model.device.type == "cpu":
        for part in module.modules():
            if "fused_attn" in vars(part):
                vars(part)["fused_attn"] = False
    return model.with_module(module)
