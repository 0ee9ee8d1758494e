from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.layers.mlp import SwiGLU
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import (
    ParallelScalingBlock,
    ResPostBlock,
    VisionTransformer,
)
from torch import Tensor, nn

import featviz
from featviz.analysis.logits.direct_effects import direct_effects
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode, is_hooked, record, replace
from featviz.models.vision_model import VisionModel
from tests.oracles import logit_lens

WIDTH, CLASSES, TOKENS = 16, 5, 4
HALF = (0.5, 0.5, 0.5)


def vit(kind: type[Any] = VisionTransformer, deviation: float = 0.5, **options: Any) -> VisionModel:
    """A small transformer of three blocks with random weights."""
    torch.manual_seed(0)
    given = {"embed_dim": WIDTH, "depth": 3, "num_heads": 2, "num_classes": CLASSES} | options
    module = kind(img_size=32, patch_size=16, **given).eval()
    for weight in module.parameters():
        nn.init.normal_(weight, std=deviation)
    return VisionModel("own", module, 32, HALF, HALF)


def change(model: VisionModel, path: str, side: Any, added: Tensor) -> np.ndarray[Any, Any]:
    """Change of the logits when something is added to an input or output of a layer."""
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    layer = model.module.get_submodule(path)

    def plus(call: Any) -> Tensor:
        value: Tensor = call.inputs[0] if side == "input" else call.output
        return value + added

    with eval_mode(model.module), torch.no_grad():
        before = model(images)
        with replace(layer, plus, side):
            return (model(images) - before)[0].numpy()


def final_stream(model: VisionModel) -> Tensor:
    """The residual stream after the last block, of an image of noise."""
    streams: list[Tensor] = []
    module: Any = model.module
    last, side = f"blocks.{len(module.blocks) - 1}", model.image_size
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    with (
        eval_mode(model.module),
        torch.no_grad(),
        record(model.module, [last], lambda call: streams.append(call.output)),
    ):
        model(images)
    return streams[0]


def one(width: int, index: int, tokens: slice = slice(None), count: int = TOKENS + 1) -> Tensor:
    """1 at a channel of some tokens, else 0."""
    found = torch.zeros(1, count, width)
    found[:, tokens, index] = 1
    return found


IDENTITY: dict[str, Any] = {"norm_layer": nn.Identity, "init_values": 0.3}
POOLINGS = [
    {},
    {"global_pool": "avg"},
    {"global_pool": "avg", "fc_norm": False, "class_token": False},
    {"global_pool": "avg", "pool_include_prefix": True},
    {"reg_tokens": 2},
]


@pytest.mark.parametrize("options", POOLINGS)
def test_without_norms_it_is_the_change_of_the_logits_when_the_activation_rises_by_one(
    options: dict[str, Any],
) -> None:
    model = vit(deviation=0.1, **IDENTITY, **options)
    count = final_stream(model).shape[1]
    mlp: Any = model.module.get_submodule("blocks.2.mlp")
    units = [
        ("blocks.2.mlp_act:7", "blocks.2.mlp.fc2", "input", 4 * WIDTH, 7),
        ("blocks.2.attn.z:3", "blocks.2.attn.proj", "input", WIDTH, 3),
        ("blocks.2.mlp.fc2:3", "blocks.2.mlp.fc2", "output", WIDTH, 3),
        ("blocks.2.mlp_out:4", "blocks.2", "output", WIDTH, 4),
        ("blocks.2.resid_post:4", "blocks.2", "output", WIDTH, 4),
    ]
    # The MLP reads what attention adds; without it, the effect of attention is direct.
    for name in ("fc1", "fc2"):
        nn.init.zeros_(getattr(mlp, name).bias)
    for address, path, side, width, index in units:
        if ".attn." in address:
            with torch.no_grad():
                mlp.fc1.weight.zero_()
        found = direct_effects(model, address).effects[0]
        expected = change(model, path, side, one(width, index, count=count))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=address)


def test_a_neuron_has_one_effect_before_and_after_its_nonlinearity_and_in_any_block() -> None:
    model = vit()
    found = direct_effects(model, ["blocks.0.mlp.fc1:all", "blocks.0.mlp_act:all"]).effects
    np.testing.assert_array_equal(found[: 4 * WIDTH], found[4 * WIDTH :])
    coordinates = direct_effects(model, [f"blocks.{n}.resid_pre:3" for n in range(3)]).effects
    assert (coordinates == coordinates[0]).all()


@pytest.mark.parametrize("options", [{}, {"init_values": 0.3}])
def test_on_an_image_it_is_the_change_with_the_scale_of_the_norm_frozen(
    options: dict[str, Any],
) -> None:
    cueworld = featviz.load("cueworld/vit", device="cpu")
    for model in (vit(**options), cueworld):
        state = logit_lens.state_of(model.module)
        token = final_stream(model)[0, 0].double().numpy()
        scale = 1 / np.sqrt(token.var() + 1e-6)
        effects = direct_effects(model, ["blocks.1.mlp.fc1:0-9"]).effects
        for neuron, effect in enumerate(effects):
            moved = token + logit_lens.written(state, 1, neuron)
            expected = logit_lens.logits(state, moved, scale) - logit_lens.logits(
                state, token, scale
            )
            np.testing.assert_allclose(effect * scale, expected, rtol=1e-6, atol=1e-6)


def test_with_average_pooling_the_norm_may_follow_the_pooling() -> None:
    model = vit(global_pool="avg", class_token=False)
    assert isinstance(model.module.fc_norm, nn.LayerNorm)
    state = logit_lens.state_of(model.module)
    effects = direct_effects(model, ["blocks.1.mlp.fc1:0-9"]).effects
    zero = np.zeros(WIDTH)
    for neuron, effect in enumerate(effects):
        moved = logit_lens.logits(state, logit_lens.written(state, 1, neuron), 1)
        expected = moved - logit_lens.logits(state, zero, 1)
        np.testing.assert_allclose(effect, expected, rtol=1e-6, atol=1e-6)


def test_distilled_models_average_the_effects_of_two_heads_on_two_tokens() -> None:
    model = vit(VisionTransformerDistilled)
    names = ["blocks.1.resid_post:2", "blocks.1.resid_post:2@0", "blocks.1.resid_post:2@1"]
    both, first, second = direct_effects(model, names).effects
    np.testing.assert_allclose(both, first + second, rtol=1e-5)
    centered = np.eye(WIDTH)[2] - 1 / WIDTH
    module: Any = model.module
    read = centered * module.norm.weight.detach().numpy()
    for effect, head in ((first, module.head), (second, module.head_dist)):
        np.testing.assert_allclose(effect, head.weight.detach().numpy() @ read / 2, rtol=1e-5)


def test_at_one_token_the_effect_is_the_share_of_the_token_in_the_pooling() -> None:
    model = vit(global_pool="avg")
    found = direct_effects(model, ["blocks.1.mlp.fc1:3", "blocks.1.mlp.fc1:3@1-4"]).effects
    for effect in found[1:]:
        np.testing.assert_allclose(effect, found[0] / TOKENS, rtol=1e-5)
    reasons = direct_effects(model, ["blocks.1.mlp.fc1:3@cls", "blocks.1.mlp.fc1:3@0"]).skipped
    assert set(reasons.values()) == {
        f"the head does not read token {token}" for token in ("cls", 0)
    }
    other = direct_effects(vit(), ["blocks.1.mlp.fc1:3@0", "blocks.1.mlp.fc1:3@2"])
    assert list(map(str, other.units)) == ["blocks.1.mlp.fc1:3@0"]
    assert other.skipped == {"blocks.1.mlp.fc1:3@2": "the head does not read token 2"}


def test_a_direction_is_moved_along_until_its_value_has_risen_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("d.npy", np.eye(WIDTH)[2] * 4 + np.eye(WIDTH)[5] * 3)
    model = vit()
    names = ["blocks.1.resid_post:d.npy", "blocks.1.resid_post:2", "blocks.1.resid_post:5"]
    along, second, fifth = direct_effects(model, names).effects
    np.testing.assert_allclose(along, (4 * second + 3 * fifth) / 25, rtol=1e-5)


def test_units_that_write_nothing_are_skipped_with_a_reason() -> None:
    names = ["blocks.1.attn.qk:0@same", "blocks.1.attn.q:0", "patch_embed:0", "head:0"]
    found = direct_effects(vit(), [*names, "blocks.1.mlp_act:0+blocks.1.mlp_act:1"])
    assert (found.units, len(found.effects)) == ([], 0)
    assert len(found.skipped) == 5
    assert "no neuron of an MLP" in found.skipped["head:0"]
    assert "sum of units" in found.skipped["blocks.1.mlp_act:0+blocks.1.mlp_act:1"]


def test_what_passes_another_norm_or_block_is_skipped_with_a_reason() -> None:
    found = direct_effects(vit(block_fn=ResPostBlock), ["blocks.1.mlp.fc1:0", "blocks.1.mlp_out:0"])
    assert list(map(str, found.units)) == ["blocks.1.mlp_out:0"]
    assert "a norm may follow it" in found.skipped["blocks.1.mlp.fc1:0"]
    parallel = direct_effects(vit(block_fn=ParallelScalingBlock), "blocks.0-2.resid_post:0")
    assert list(map(str, parallel.units)) == ["blocks.2.resid_post:0"]
    assert "does not reach the head" in parallel.skipped["blocks.1.resid_post:0"]


def test_gated_units_are_read_where_the_output_layer_reads_them() -> None:
    model = vit(mlp_layer=SwiGLU)
    found = direct_effects(model, ["blocks.1.mlp_act:3"]).effects[0]
    state = logit_lens.state_of(model.module)
    moved = logit_lens.logits(state, logit_lens.written(state, 1, 3), 1)
    expected = moved - logit_lens.logits(state, np.zeros(WIDTH), 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_classes": 0}, "no classification head"),
        ({"global_pool": "map"}, "no linear map"),
        ({"global_pool": "max"}, "no linear map"),
    ],
)
def test_models_whose_logits_are_no_linear_map_of_the_stream_are_refused(
    options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(FeatvizError, match=reason):
        direct_effects(vit(**options), "blocks.1.mlp_act:0")


def test_hierarchical_models_have_effects_in_their_last_stage_only() -> None:
    torch.manual_seed(0)
    name = "swin_tiny_patch4_window7_224"
    module = timm.create_model(name, depths=(2, 2), num_heads=(1, 2), embed_dim=8, num_classes=3)
    model = VisionModel("own", module, 224, HALF, HALF)
    found = direct_effects(model, "layers.all.blocks.all.resid_post:0")
    assert list(map(str, found.units)) == [
        "layers.1.blocks.0.resid_post:0",
        "layers.1.blocks.1.resid_post:0",
    ]


def test_the_model_and_random_state_are_left_as_found() -> None:
    model = vit()
    model.module.train()
    state = torch.get_rng_state()
    direct_effects(model, "blocks.1.mlp_act:0")
    assert torch.equal(torch.get_rng_state(), state)
    parts = list(model.module.modules())
    assert all(part.training and not is_hooked(part) for part in parts)
    assert all(weight.requires_grad and weight.grad is None for weight in model.module.parameters())
