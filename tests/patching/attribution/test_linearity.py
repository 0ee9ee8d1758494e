"""Affine maps in place of norms: exact where the scale is constant, and measured where not."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from featviz.models.vision_model import VisionModel
from patching.attribution.linearity import linearity, mean_scales
from patching.forward.cache import run_with_cache
from patching.forward.stream_norms import norm_inputs
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import TRAINED, attention_model

NORMS = [*(f"blocks.{block}.norm{part}" for block in range(2) for part in (1, 2)), "norm"]


def batches(vit: ResidualViT, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Two batches of unequal size, and labels that the model gets right for three of five."""
    generator = torch.Generator().manual_seed(seed)
    side = vit.model.image_size
    with torch.no_grad():
        starts = [
            vit.embed(torch.rand(count, 3, side, side, generator=generator)) for count in (3, 2)
        ]
        right = [run_with_cache(vit, start).logits.argmax(-1) for start in starts]
    wrong = torch.tensor([0, 0, 1, 1, 0])
    labels = (torch.cat(right) + wrong) % 1000
    return list(zip(starts, (labels[:3], labels[3:]), strict=True))


def small_vit() -> ResidualViT:
    return residual_vit(attention_model("ViT"))


def test_the_scale_is_the_average_of_what_the_norm_multiplies_by() -> None:
    vit = small_vit()
    data = batches(vit, 1)
    scales = mean_scales(vit, [start for start, _ in data])
    streams = torch.cat([run_with_cache(vit, start).streams[3] for start, _ in data]).double()
    spread = (streams.var(-1, correction=0) + 1e-6).sqrt()
    assert list(scales) == NORMS
    assert scales["blocks.1.norm2"] == pytest.approx((1 / spread).mean().item(), rel=1e-5)


def test_r2_is_the_share_of_variance_that_the_affine_map_explains() -> None:
    vit = small_vit()
    data = batches(vit, 1)
    scales = mean_scales(vit, [start for start, _ in batches(vit, 2)])
    found = linearity(vit, scales, data)
    norm: Any = vit.model.module
    norm = norm.blocks[1].norm1
    read = torch.cat([run_with_cache(vit, start).streams[2] for start, _ in data])
    centered = read - read.mean(-1, keepdim=True)
    guess = centered * scales["blocks.1.norm1"] * norm.weight + norm.bias
    right = norm(read)
    spread = (right - right.mean((0, 1))).square().sum()
    r2 = 1 - (right - guess).square().sum() / spread
    assert [each.path for each in found.norms] == NORMS
    assert found.norms[2].r2 == pytest.approx(r2.item(), rel=1e-4)
    assert found.norms[2].scale == scales["blocks.1.norm1"]


def test_accuracy_is_that_of_the_model_with_one_norm_or_all_written_out_as_affine() -> None:
    vit = small_vit()
    data = batches(vit, 1)
    scales = {path: 3.0 * (number + 1) for number, path in enumerate(NORMS)}
    found = linearity(vit, scales, data)
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.images == 5
    everywhere = [*([path] for path in NORMS), NORMS]
    shares = [by_hand(vit, scales, replaced, data) for replaced in everywhere]
    assert [*(each.accuracy for each in found.norms), found.accuracy_all] == shares


def by_hand(
    vit: ResidualViT,
    scales: dict[str, float],
    replaced: list[str],
    data: list[tuple[Tensor, Tensor]],
) -> float:
    module: Any = vit.model.module

    def normalized(path: str, x: Tensor) -> Tensor:
        norm = module.get_submodule(path)
        affine = (x - x.mean(-1, keepdim=True)) * scales[path] * norm.weight + norm.bias
        out: Tensor = affine if path in replaced else norm(x)
        return out

    right = 0
    with torch.no_grad():
        for start, labels in data:
            x = start
            for number, block in enumerate(module.blocks):
                x = x + block.attn(normalized(f"blocks.{number}.norm1", x))
                x = x + block.mlp(normalized(f"blocks.{number}.norm2", x))
            right += int((module.head(normalized("norm", x)[:, 0]).argmax(-1) == labels).sum())
    return right / 5


def test_a_norm_whose_scale_never_changes_is_affine_itself() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module: Any = timm.models.VisionTransformer(
            32, 16, embed_dim=16, depth=1, num_heads=4, num_classes=5
        )
        with torch.no_grad():
            module.blocks[0].attn.proj.weight.copy_(10 * torch.randn(16, 16))
    module.eval().requires_grad_(False)
    vit = residual_vit(VisionModel("constant", module, 32, (0.5,) * 3, (0.5,) * 3))
    start = torch.randn(4, 5, 16, generator=torch.Generator().manual_seed(0))
    start = torch.nn.functional.layer_norm(start, (16,)) * 7
    labels = torch.zeros(4, dtype=torch.long)
    found = linearity(vit, mean_scales(vit, [start]), [(start, labels)])
    assert found.norms[0].scale == pytest.approx(1 / 7, rel=1e-4)
    assert found.norms[0].r2 == pytest.approx(1, abs=1e-6)
    assert found.norms[0].accuracy == found.accuracy
    assert found.norms[1].r2 < 0.999


def test_measuring_removes_all_hooks_and_changes_no_logit() -> None:
    vit = small_vit()
    data = batches(vit, 1)
    before = run_with_cache(vit, data[0][0])
    linearity(vit, mean_scales(vit, [start for start, _ in data]), data)
    after = run_with_cache(vit, data[0][0])
    modules = list(vit.model.module.modules())
    assert torch.equal(before.logits, after.logits)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)


def test_the_final_norm_of_the_trained_model_is_read_at_every_token() -> None:
    vit = residual_vit(attention_model(TRAINED))
    start = batches(vit, 1)[0][0]
    with torch.no_grad():
        assert norm_inputs(vit, run_with_cache(vit, start))["norm"].shape == (3, 65, 128)
