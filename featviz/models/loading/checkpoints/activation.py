"""The activation function of CLIP, which a file of its weights does not record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import timm
from timm.layers.activations import QuickGELU
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.architecture import Architecture
from featviz.models.vision_model import VisionModel

# Numbers that only the programs published by OpenAI have among their tensors.
_OPENAI = ("input_resolution", "context_length", "vocab_size")


def check_activation(
    state: Mapping[str, Tensor], architecture: Architecture, model: VisionModel, path: Path
) -> None:
    """Refuse weights under the names of CLIP if GELU may be the wrong activation function.

    OpenAI, MetaCLIP and DFN train with QuickGELU, LAION and DataComp with GELU, all under the same
    names. OpenCLIP decides by the name of the weights, which a file does not have.

    Parameters
    ----------
    state : mapping of str to Tensor
        Before its conversion to the names of timm.
    architecture : Architecture
    model : VisionModel
    path : Path
        The file, for error messages.

    Raises
    ------
    FeatvizError
        If the names are those of CLIP, the model has GELU, and ``act_layer`` is not given.

    Source: ``model_configs`` of OpenCLIP, github.com/mlfoundations/open_clip.
    """
    is_clip = "visual.class_embedding" in state and "visual.conv1.weight" in state
    quick = any(isinstance(layer, QuickGELU) for layer in model.module.modules())
    if not is_clip or quick or "act_layer" in architecture.model_args:
        return
    named = architecture.name.partition(".")[0].replace("_clip_", "_clip_quickgelu_")
    right = f"--arch {named}" if timm.is_model(named) else "--model-arg act_layer=quick_gelu"
    if any(name in state for name in _OPENAI):
        raise FeatvizError(
            f"{path} has weights of OpenAI CLIP, trained with QuickGELU, and {architecture.name} "
            f"has GELU: {right}"
        )
    raise FeatvizError(
        f"{path} has weights of CLIP, and does not record their activation function: {right} for "
        "QuickGELU (OpenAI, MetaCLIP, DFN), --model-arg act_layer=gelu for GELU (LAION, DataComp)"
    )
