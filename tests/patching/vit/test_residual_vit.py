"""Splitting a model into embedding, sublayers and head, and models where that fails."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from timm.models.vision_transformer import (
    DiffParallelScalingBlock,
    ParallelScalingBlock,
    ParallelThingsBlock,
)
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel
from patching.forward.batched_patching import patched_logits
from patching.interventions.patch_targets import Patch, PatchTarget
from patching.vit.residual_vit import residual_vit
from tests.patching.linear_toy import linear_model
from tests.patching.models import (
    MODELS,
    SMALL,
    cached_run,
    images,
    model_of,
    randomized,
    two_runs,
    vit,
)

HALF = (0.5, 0.5, 0.5)
PARALLEL = [ParallelScalingBlock, ParallelThingsBlock, DiffParallelScalingBlock]


@pytest.mark.parametrize("block", PARALLEL)
def test_parallel_blocks_are_refused_by_name(block: type[nn.Module]) -> None:
    module = timm.create_model("vit_tiny_patch16_224", block_fn=block, **SMALL)
    model = VisionModel("a parallel ViT", randomized(module, 1), 64, HALF, HALF)
    message = f"blocks.0 of a parallel ViT is a {block.__name__}, which is not an attention foll"
    with pytest.raises(FeatvizError, match=message):
        residual_vit(model)


@pytest.mark.parametrize("name", ["cueworld/resnet", "swin_tiny_patch4_window7_224"])
def test_models_without_a_sequence_of_blocks_are_refused(name: str) -> None:
    model = load(name, device="cpu", untrained=not name.startswith("cueworld"))
    with pytest.raises(FeatvizError, match=f"{name} has no sequence of transformer blocks"):
        residual_vit(model)


@pytest.mark.parametrize("kind", MODELS)
def test_the_head_reads_the_prefix_alone_unless_it_averages(kind: str) -> None:
    averaging = kind in {"average pooling", "EVA", "DINOv3", "BEiT"}
    prefix = model_of(kind).prefix_tokens
    assert vit(kind).read_tokens == (vit(kind).tokens if averaging else prefix)


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled", "DINOv2 with registers", "qk-norm"])
def test_patching_between_models_moves_embeddings_as_swapping_their_weights_does(kind: str) -> None:
    model = model_of(kind)
    other = VisionModel("other", randomized(copied(model), 9), model.image_size, HALF, HALF)
    wanted: list[Patch] = [(PatchTarget("patch_embed", 0),), (PatchTarget("pos_embed", 0),)]
    base = cached_run(vit(kind), 1, wanted)
    donor = cached_run(residual_vit(other), 1, wanted)
    with torch.no_grad():
        found = patched_logits(vit(kind), base, donor, wanted)
        for part, result in zip(("patch_embed", "pos_embed"), found, strict=True):
            mixed = copied(model)
            weights = {
                name: value
                for name, value in other.module.state_dict().items()
                if name.startswith(part)
            }
            assert weights
            mixed.load_state_dict(weights, strict=False)
            right = mixed(model.normalize(images(model, 1)))
            torch.testing.assert_close(result, right, rtol=0, atol=1e-9)
            assert (result - base.logits).abs().max() > 1e-3


def copied(model: VisionModel) -> nn.Module:
    return copy.deepcopy(model.module)


def test_embeddings_are_the_output_of_the_layer_and_the_learned_positions() -> None:
    model = model_of("DINOv2 with registers")
    module: Any = model.module
    base, _ = two_runs(model.name)
    patches, positions = base.values["patch_embed", 0][:, :, 0], base.values["pos_embed", 0]
    right = module.patch_embed(model.normalize(images(model, 1)))
    torch.testing.assert_close(patches[:, 5:], right, rtol=0, atol=1e-12)
    assert not patches[:, :5].any()
    assert not positions[:, :5].any()
    assert torch.equal(positions[1, 5:, 0], module.pos_embed[0])


def test_embeddings_that_are_normalized_cannot_be_patched_on_their_own() -> None:
    options = {**SMALL, "pre_norm": True}
    module = randomized(timm.create_model("vit_tiny_patch16_224", **options), 1)
    found = residual_vit(VisionModel("CLIP", module, 64, HALF, HALF))
    assert found.embedding is None
    with pytest.raises(FeatvizError, match="pos_embed cannot be patched on its own"):
        cached_run(found, 1, [(PatchTarget("pos_embed", 0),)])


def test_the_last_layer_of_a_sublayer_is_the_one_whose_output_is_the_core_s() -> None:
    for sublayer in vit("ViT").sublayers:
        core: Any = sublayer.core
        assert sublayer.last is (core.proj if sublayer.path.endswith("attn") else core.fc2)
    assert all(sublayer.last for sublayer in residual_vit(linear_model()).sublayers)
