"""Modes: the singular directions between queries and keys, whose parts add up to the logit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.activations.qk_modes import modes_of
from featviz.addressing.selectors import units
from featviz.models.attention import heads_of
from featviz.models.vision_model import VisionModel
from tests.featviz.models.attention_models import TRAINED, attention_model

BLOCK = "blocks.1"
BILINEAR = [TRAINED, "ViT", "DeiT distilled", "DINOv2 with registers"]


def pictures(model: VisionModel, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def block_input(model: VisionModel, images: Tensor) -> Tensor:
    found: list[Tensor] = []
    hook = model.module.get_submodule(BLOCK).register_forward_pre_hook(
        lambda _block, inputs: found.append(inputs[0])
    )
    with torch.no_grad():
        model.module(model.normalize(images))
    hook.remove()
    return found[0]


def normalized(model: VisionModel, images: Tensor) -> Tensor:
    """Tokens as LayerNorm has them before its gain and bias, with a constant 1: by hand."""
    tokens = block_input(model, images).double()
    centered = tokens - tokens.mean(-1, keepdim=True)
    scale = (centered.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return torch.cat([centered / scale, torch.ones_like(tokens[..., :1])], -1)


@pytest.mark.parametrize("kind", BILINEAR)
@pytest.mark.parametrize("place", ["same", "q0.k3", "q7.k2", "shift.1.-1"])
def test_the_parts_of_all_modes_add_up_to_the_logit(kind: str, place: str) -> None:
    model = attention_model(kind)
    images = pictures(model)
    logit = featviz.readout(model, units(model, f"{BLOCK}.attn.qk:1@{place}"))(images)[:, 0]
    parts = featviz.readout(model, units(model, f"{BLOCK}.attn.qk_mode:1.all@{place}"))(images)
    scale = float(parts.abs().sum(1).max())
    assert float((parts.sum(1) - logit).abs().max()) <= 1e-5 * scale


@pytest.mark.parametrize("kind", BILINEAR)
def test_a_mode_is_its_strength_times_two_dot_products_with_normalized_tokens(kind: str) -> None:
    model = attention_model(kind)
    images = pictures(model)
    attention = model.module.get_submodule(f"{BLOCK}.attn")
    heads = heads_of(attention)
    assert heads is not None
    modes = modes_of(heads, model.module.get_submodule(f"{BLOCK}.norm1"))
    tokens = normalized(model, images)
    for head, mode in ((0, 0), (2, 3)):
        query = tokens[:, 4] @ modes.query[head, mode]
        key = tokens[:, 9] @ modes.key[head, mode]
        right = modes.strength[head, mode] * query * key
        address = f"{BLOCK}.attn.qk_mode:{head}.{mode}@q4.k9"
        value = featviz.readout(model, units(model, address))(images)[:, 0]
        torch.testing.assert_close(value.double(), right, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("kind", BILINEAR)
def test_modes_are_orthonormal_and_fall_in_strength(kind: str) -> None:
    heads = heads_of(attention_model(kind).module.get_submodule(f"{BLOCK}.attn"))
    assert heads is not None
    modes = modes_of(heads, attention_model(kind).module.get_submodule(f"{BLOCK}.norm1"))
    identity = torch.eye(modes.query.shape[1], dtype=torch.float64)
    for side in (modes.query, modes.key):
        products = side @ side.mT
        torch.testing.assert_close(products, identity.expand_as(products), rtol=0, atol=1e-10)
    assert (modes.strength.diff(dim=1) <= 1e-12).all()
    assert (modes.strength >= 0).all()


def test_a_planted_mode_is_found_with_its_strength_and_directions() -> None:
    attention = torch.nn.Module()
    heads = heads_of(nn.MultiheadAttention(6, 1, bias=False, batch_first=True))
    assert heads is not None
    del attention
    # q.k = 3 (a.x)(b.y) + (c.x)(d.y), with unit vectors a, c and b, d that are orthogonal.
    basis = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    a, b, c, d = basis[:4]
    heads.query.weight[0] = 0
    heads.key.weight[0] = 0
    heads.query.weight[0, 0], heads.key.weight[0, 0] = 3 * a, b
    heads.query.weight[0, 1], heads.key.weight[0, 1] = c, d
    modes = modes_of(heads, None)
    wanted = torch.tensor([3.0, 1, 0, 0, 0, 0], dtype=torch.float64) * 6**-0.5
    torch.testing.assert_close(modes.strength[0], wanted, rtol=1e-5, atol=1e-6)
    for number, (query, key) in enumerate(((a, b), (c, d))):
        sign = torch.sign(modes.query[0, number, :6] @ query.double())
        torch.testing.assert_close(
            modes.query[0, number, :6] * sign, query.double(), rtol=0, atol=1e-6
        )
        torch.testing.assert_close(modes.key[0, number, :6] * sign, key.double(), rtol=0, atol=1e-6)


def test_an_attention_that_reads_its_block_input_has_no_normalization_to_fold() -> None:
    model = attention_model(TRAINED)
    assert model.sites["blocks.1.attn.qk_mode"].norm == "blocks.1.norm1"

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(12)
            self.embed = nn.Conv2d(3, 12, 4, 4)
            self.attention = nn.MultiheadAttention(12, 2, batch_first=True)

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.norm(self.embed(images).flatten(2).mT) * 2
            mixed: Tensor = self.attention(tokens, tokens, tokens, need_weights=False)[0]
            return mixed

    bare = VisionModel("bare", Bare().eval(), 16, (0.5,) * 3, (0.5,) * 3)
    assert bare.sites["attention.qk_mode"].norm is None


def test_without_a_place_a_mode_is_the_mean_over_patches_with_themselves() -> None:
    model = attention_model(TRAINED)
    images = pictures(model)
    bare, same = (
        featviz.readout(model, units(model, f"{BLOCK}.attn.qk_mode:0.0-3{place}"))(images)
        for place in ("", "@same")
    )
    assert torch.equal(bare, same)
