"""What would be right for weights that do not fit an architecture."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import timm
import torchvision

from featviz.models.loading.checkpoints.architecture import Architecture, classifiers
from featviz.models.loading.checkpoints.fitting import Misfit, compare
from featviz.models.loading.checkpoints.sizes import (
    is_resampled,
    other_patches,
    other_tokens,
    trained_size,
)
from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.options import LoadOptions
from featviz.models.loading.registry import BUNDLED, TORCHVISION
from featviz.models.vision_model import VisionModel

SIBLINGS = 10
"""Architectures with similar names that are tried."""

_TRANSFORMERS = re.compile(
    r"(^|\.)(embeddings\.(patch|position|cls)|vision_model\.|encoder\.layer\.\d|vit\.layers\.)"
)
_QUANTIZED = re.compile(r"(\.SCB|\.absmax|quant_state|quant_map|qweight|qzeros|weight_scale)")

_ARGUMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("unexpected", "fc_norm.weight", {"global_pool": "avg"}),
    ("missing", "fc_norm.weight", {"global_pool": "token"}),
    ("unexpected", "blocks.0.ls1.gamma", {"init_values": 1e-5}),
    ("missing", "cls_token", {"class_token": False, "global_pool": "avg"}),
    ("missing", "blocks.0.attn.qkv.bias", {"qkv_bias": False}),
)
"""Arguments of vision transformers that change their parameters: one that is then right."""


def advise(state: State, architecture: Architecture, model: VisionModel) -> str:
    """Say what would be right for weights that do not fit.

    Parameters
    ----------
    state : dict of str to Tensor
        Before its conversion to the names of timm.
    architecture : Architecture
        The one that they do not fit.
    model : VisionModel
        Of the architecture.

    Returns
    -------
    str
        For the end of an error message, such as ``"; it fits --arch vit_base_patch16_224"``;
        empty if nothing is known.
    """
    names = list(state)
    if any(".lora_" in name or name.startswith("base_model.") for name in names):
        return "; it is an adapter (LoRA): merge it into its model and save that"
    if any(_QUANTIZED.search(name) for name in names):
        return "; it is quantized: save the weights as floating-point numbers"
    misfit = compare(architecture.convert(state, model), model.module, classifiers(model))
    if any(found[1:2] == (1,) and own[1:2] == (3,) for found, own in misfit.shapes.values()):
        return "; it has one input channel, which is not supported: featviz needs RGB images"
    right = next(_fitting(state, misfit, architecture), None)
    if right is not None:
        return f"; it fits {' '.join(right)}"
    return _difference(state, misfit, model)


def _difference(state: State, misfit: Misfit, model: VisionModel) -> str:
    """Say how weights differ that fit no known architecture."""
    if prefix := _absent_prefix(misfit):
        return f"; its names lack the prefix {prefix!r}"
    if patches := other_patches(state, model):
        return f"; it has patches of {patches} pixels"
    if tokens := other_tokens(state, model):
        return f"; its positions are of {tokens}"
    if any(_TRANSFORMERS.search(name) for name in state):
        return (
            "; its names are those of Hugging Face transformers: give the folder with its "
            "config.json in place of the file"
        )
    return ""


def _absent_prefix(misfit: Misfit) -> str:
    """Return the prefix with which unexpected names are the missing ones, if there is one."""
    missing, unexpected = set(misfit.missing), misfit.unexpected
    if not unexpected:
        return ""
    first = unexpected[0]
    prefixes = (name.removesuffix(first) for name in missing if name.endswith(f".{first}"))
    return next((each for each in prefixes if {each + name for name in unexpected} == missing), "")


def _fitting(state: State, misfit: Misfit, architecture: Architecture) -> Iterator[list[str]]:
    """Yield options of the command line with which weights fit, apart from their classifier."""
    if _fits(state, architecture, architecture):
        return
    for other in _others(misfit, architecture):
        for sized in (other, _at_trained_size(state, other)):
            if sized is not None and _fits(state, sized, architecture):
                arch = ["--arch", sized.name] if sized.name != architecture.name else []
                options = LoadOptions(image_size=sized.image_size, model_args=sized.model_args)
                yield arch + options.to_words()


def _others(misfit: Misfit, architecture: Architecture) -> Iterator[Architecture]:
    """Yield architectures to try, the nearest first."""
    yield architecture
    for kind, name, arguments in _ARGUMENTS:
        if name in getattr(misfit, kind):
            yield replace(architecture, model_args=architecture.model_args | arguments)
    for name in _siblings(architecture.name):
        yield replace(architecture, name=name)


def _at_trained_size(state: State, architecture: Architecture) -> Architecture | None:
    if architecture.image_size is not None:
        return None
    model = architecture.empty()
    size = None if model is None else trained_size(state, model)
    return None if size is None else replace(architecture, image_size=size)


def _fits(state: State, architecture: Architecture, near: Architecture) -> bool:
    """Return whether weights fit an architecture that converts them as another one does."""
    model = architecture.empty()
    if model is None or is_resampled(state, model):
        return False
    return not compare(near.convert(state, model), model.module, classifiers(model))


def _siblings(arch: str) -> list[str]:
    """Return architectures of the same package with similar names."""
    if arch.startswith(BUNDLED):
        return []
    if arch.startswith(TORCHVISION):
        names = [TORCHVISION + name for name in torchvision.models.list_models(torchvision.models)]
    else:
        module = timm.model_entrypoint(arch).__module__.rpartition(".")[2]
        names = timm.list_models(module=module)
    plain = arch.partition(".")[0]
    names = [name for name in names if name != plain]
    return difflib.get_close_matches(plain, names, n=SIBLINGS, cutoff=0.5)
