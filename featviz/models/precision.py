"""Number formats: in which one a device is fast, and a model that computes in it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def fastest(device: torch.device) -> str:
    """Name the precision in which a device takes a step in the least time.

    Returns
    -------
    str
        ``"bfloat16"`` for processors with AMX or AVX512-BF16 and graphics cards with bfloat16
        units, where a step takes about half the time; ``"float32"`` elsewhere.
    """
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        fast = device.type == "cpu" and any(getattr(torch.cpu, name)() for name in asked)
    return "bfloat16" if fast else "float32"


def in_precision(model: VisionModel, precision: str) -> VisionModel:
    """Return a model that computes in a precision: itself in ``"float32"``, else a copy.

    Attention that timm hands to a fused kernel is computed step by step by a copy on a CPU: the
    kernel is slower there in bfloat16 than in float32 (measured: 73 against 55 milliseconds for
    forward and backward of an attention of DeiT-S at batch 16, and 36 step by step).
    """
    if precision == "float32":
        return model
    with torch.inference_mode(False):
        module = copy.deepcopy(model.module).to(getattr(torch, precision))
    if model.device.type == "cpu":
        for part in module.modules():
            if "fused_attn" in vars(part):
                vars(part)["fused_attn"] = False
    # All that is known about the model holds, also what a user has told it.
    copied = copy.copy(model)
    copied.module = module
    return copied
