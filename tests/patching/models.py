"""The models that patching is tested on, in double precision so that rounding hides nothing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any

import timm
import torch
from timm.models.vision_transformer import ResPostBlock
from torch import Tensor, nn

from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.patch_targets import KINDS, Patch, PatchTarget
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import NAMES, TRAINED, attention_model

SMALL: dict[str, Any] = {"img_size": 64, "embed_dim": 48, "num_heads": 3, "depth": 2}
# For each, the options that make it of a tiny ViT.
MORE: dict[str, dict[str, Any]] = {
    "average pooling": {"global_pool": "avg"},
    "LayerScale": {"init_values": 0.5},
    "post-norm": {"block_fn": ResPostBlock},
}
STANDARD = [
    TRAINED,
    "ViT",
    "DeiT distilled",
    "DINOv2 with registers",
    "qk-norm",
    *MORE,
]
"""Models that the hand-written reference implements."""
MODELS = [*STANDARD, "EVA", "DINOv3", "mixed rotary", "BEiT"]
# Rotary and relative positions are not added to the stream.
WITHOUT = {kind: {"pos_embed"} for kind in ("DINOv3", "mixed rotary", "BEiT")}


def randomized(module: nn.Module, seed: int) -> nn.Module:
    """Add noise to every weight, including gains and biases."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            weight.add_(noise * (0.3 if weight.ndim == 1 else 0.05))
    return module.eval().requires_grad_(False)


@cache
def model_of(kind: str) -> VisionModel:
    if kind in NAMES or kind == TRAINED:
        found = attention_model(kind)
        module = copy.deepcopy(found.module).double()
        return VisionModel(kind, module, found.image_size, found.mean, found.std)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = timm.create_model("vit_tiny_patch16_224", **SMALL, **MORE[kind])
    half = (0.5, 0.5, 0.5)
    return VisionModel(kind, randomized(module.double(), 4), 64, half, half)


@cache
def vit(kind: str) -> ResidualViT:
    return residual_vit(model_of(kind))


def images(model: VisionModel, seed: int, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, model.image_size, model.image_size)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def targets_of(kind: str) -> list[PatchTarget]:
    """Every whole activation that a model has."""
    depth = vit(kind).depth
    embeddings = [PatchTarget(name, 0) for name in ("patch_embed", "pos_embed")]
    rest = [PatchTarget(name, layer) for name in KINDS[2:] for layer in range(depth)]
    return [target for target in embeddings + rest if target.kind not in WITHOUT.get(kind, ())]


def cached_run(model: ResidualViT, seed: int, wanted: Sequence[Patch]) -> ActivationCache:
    with eval_mode(model.model.module), torch.no_grad():
        return run_with_cache(model, model.embed(images(model.model, seed)), wanted)


@cache
def two_runs(kind: str) -> tuple[ActivationCache, ActivationCache]:
    """A corrupted and a clean run, with every activation."""
    wanted = [(target,) for target in targets_of(kind)]
    return cached_run(vit(kind), 1, wanted), cached_run(vit(kind), 2, wanted)


def logits_of(model: VisionModel, seed: int) -> Tensor:
    """Run the whole model as timm does."""
    with torch.no_grad():
        return model(images(model, seed))
