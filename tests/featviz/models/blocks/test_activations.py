"""Activations of blocks: their values, where they are found, and that nothing after them runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import ParallelScalingBlock, ParallelThingsBlock
from torch import Tensor, nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit
from tests.oracles.plain_vit import PlainViT
from tests.patching.models import SMALL, STANDARD, images, model_of, randomized

HALF = (0.5, 0.5, 0.5)
BLOCK = 1
KINDS = {
    "resid_pre": "resid_pre",
    "attn.q": "q",
    "attn.k": "k",
    "attn.v": "v",
    "attn.z": "z",
    "attn_out": "attn_out",
    "resid_mid": "resid_mid",
    "mlp_act": "neurons",
    "mlp_out": "mlp_out",
    "resid_post": "resid_post",
}
"""Names in addresses, and those of the NumPy reference."""
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIP": ("vit_xsmall_patch16_clip_224", {"img_size": 64, "depth": 2}),
    "SigLIP": ("vit_base_patch16_siglip_224", {**SMALL, "embed_dim": 48}),
}
"""Models with a norm before the blocks, and with attention pooling after them."""


@cache
def other(kind: str) -> VisionModel:
    name, options = OTHERS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = timm.create_model(name, **options)
    return VisionModel(kind, randomized(module.double(), 6), 64, HALF, HALF)


def model_named(kind: str) -> VisionModel:
    return other(kind) if kind in OTHERS else model_of(kind)


def read(model: VisionModel, *selectors: str) -> Tensor:
    with torch.no_grad():
        return featviz.readout(model, selectors)(images(model, 1))


def assert_reads(model: VisionModel, name: str, right: Tensor) -> None:
    """Compare a few coordinates of an activation (N, T, C) at every token, pooled too."""
    path = f"blocks.{BLOCK}.{name}"
    site = model.sites[path]
    assert (site.width, site.positions) == (right.shape[2], right.shape[1])
    chosen = [0, 5, site.width - 1]
    every = read(model, f"{path}:{','.join(map(str, chosen))}@all")
    wanted = right[:, :, chosen]
    found = every.view(len(right), len(chosen), -1).mT
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    patches = wanted[:, site.prefix :]
    for token, pooled in (("", patches.mean(1)), ("@max", patches.amax(1))):
        found = read(model, *(f"{path}:{index}{token}" for index in chosen))
        torch.testing.assert_close(found, pooled, rtol=0, atol=1e-5)
    if model.has_class_token:
        found = read(model, *(f"{path}:{index}@cls" for index in chosen))
        torch.testing.assert_close(found, wanted[:, 0], rtol=0, atol=1e-5)


@cache
def reference(kind: str) -> dict[tuple[str, int], Tensor]:
    model: Any = model_of(kind)
    weights = {name: value.numpy() for name, value in model.module.state_dict().items()}
    attention = model.module.blocks[0].attn
    plain = PlainViT(weights, attention.num_heads, kind == "average pooling", kind == "post-norm")
    plain.run(model.normalize(images(model, 1)).numpy(), {})
    return {key: torch.from_numpy(value).flatten(2) for key, value in plain.activations.items()}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", STANDARD)
def test_values_are_those_of_a_transformer_written_in_numpy(kind: str, name: str) -> None:
    assert_reads(model_of(kind), name, reference(kind)[KINDS[name], BLOCK])


@cache
def by_hooks(kind: str) -> dict[str, Tensor]:
    """Run the whole model with plain hooks of torch on one block, and compute the rest by hand."""
    model = model_named(kind)
    module: Any = model.module
    block = module.blocks[BLOCK]
    found: dict[str, Tensor] = {}
    inputs = {
        "resid_pre": block,
        "read": block.attn,
        "attn.z": block.attn.proj,
        "resid_mid": block.norm2,
        "mlp_act": block.mlp.fc2,
    }
    outputs = {"attn_out": block.attn, "mlp_out": block.mlp, "resid_post": block}
    normed = {f"attn.{name}": getattr(block.attn, f"{name}_norm", None) for name in "qk"}
    handles = [
        part.register_forward_pre_hook(
            lambda _part, args, name=name: found.update({name: args[0].clone()})
        )
        for name, part in inputs.items()
    ]
    handles += [
        part.register_forward_hook(
            lambda _part, _args, output, name=name: found.update({name: output.clone()})
        )
        for name, part in (outputs | normed).items()
        if part is not None
    ]
    with torch.no_grad():
        module(model.normalize(images(model, 1)))
        for handle in handles:
            handle.remove()
        for number, name in enumerate(("attn_out", "mlp_out"), 1):
            scale = getattr(block, f"gamma_{number}", None)
            layer = getattr(block, f"ls{number}", None)
            scale = getattr(layer, "gamma", None) if scale is None else scale
            if scale is not None:
                found[name] = found[name] * scale
        for name in ("attn.q", "attn.k"):
            if name in found:  # (N, heads, T, head_dim)
                found[name] = found[name].transpose(1, 2).flatten(2)
        for number, name in enumerate(("q", "k", "v")):
            found.setdefault(f"attn.{name}", project(block.attn, found["read"], number, name))
    return found


def project(attention: Any, tokens: Tensor, third: int, name: str) -> Tensor:
    if getattr(attention, "qkv", None) is None:
        return getattr(attention, f"{name}_proj")(tokens)  # type: ignore[no-any-return]
    rows = attention.qkv.weight.chunk(3)[third]
    if attention.qkv.bias is not None:
        return F.linear(tokens, rows, attention.qkv.bias.chunk(3)[third])
    bias = getattr(attention, f"{name}_bias", None)
    return F.linear(tokens, rows, bias)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", ["EVA", "DINOv3", "mixed rotary", "BEiT", "CLIP", "SigLIP"])
def test_values_are_those_that_hooks_on_a_whole_forward_pass_see(kind: str, name: str) -> None:
    assert_reads(model_named(kind), name, by_hooks(kind)[name])


@pytest.mark.parametrize("kind", [*STANDARD, "EVA", "BEiT", "CLIP"])
def test_a_block_adds_attention_then_mlp_to_its_input(kind: str) -> None:
    model = model_named(kind)
    parts = {
        name: read(model, f"blocks.{BLOCK}.{name}:0-7@all")
        for name in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
    }
    torch.testing.assert_close(parts["resid_pre"] + parts["attn_out"], parts["resid_mid"])
    torch.testing.assert_close(parts["resid_mid"] + parts["mlp_out"], parts["resid_post"])
    assert parts["attn_out"].abs().max() > 0.01
    following = read(model, f"blocks.{BLOCK - 1}.resid_post:0-7@all")
    assert torch.equal(following, parts["resid_pre"])


@pytest.mark.parametrize("name", KINDS)
def test_a_direction_is_the_dot_product_with_the_activation(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, path = "qk-norm", f"blocks.{BLOCK}.{name}"
    model = model_of(kind)
    right = reference(kind)[KINDS[name], BLOCK]
    direction = np.random.default_rng(0).normal(size=right.shape[2]).astype(np.float32)
    np.save("probe.npy", direction)
    along = right @ torch.from_numpy(direction).double()
    found = read(model, f"{path}:probe.npy@3", f"{path}:probe.npy", f"{path}:probe.npy@max")
    patches = along[:, 1:]
    wanted = torch.stack([along[:, 3], patches.mean(1), patches.amax(1)], 1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    paired = featviz.readout(model, [f"{path}:probe.npy@max"] * 3).paired(images(model, 1))
    torch.testing.assert_close(paired, wanted[:, 2], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", ["DINOv2 with registers", "EVA", "post-norm"])
def test_a_unit_read_on_its_own_image_has_the_value_of_a_unit_read_on_all(
    kind: str, name: str
) -> None:
    model = model_of(kind)
    units = featviz.units(model, *(f"blocks.{BLOCK}.{name}:{t}" for t in ("1", "2@max", "3@7")))
    readout = featviz.readout(model, units)
    with torch.no_grad():
        found, every = readout.paired(images(model, 1)), readout(images(model, 1))
    torch.testing.assert_close(found, every.diag(), rtol=0, atol=1e-5)


# What may run up to an activation of block 1: everything before the first of these calls.
STOPS: dict[str, str] = {
    "resid_pre": "blocks.1.norm1",
    "attn.q": "blocks.1.attn.q_norm",
    "attn.k": "blocks.1.attn.q_norm",
    "attn.v": "blocks.1.attn.q_norm",
    "attn.z": "blocks.1.attn.proj",
    "attn_out": "blocks.1.norm2",
    "resid_mid": "blocks.1.norm2",
    "mlp_act": "blocks.1.mlp.fc2",
    "mlp_out": "blocks.2.norm1",
    "resid_post": "blocks.2.norm1",
}


@pytest.mark.parametrize("token", ["", "@3", "@max"])
@pytest.mark.parametrize("name", KINDS)
def test_nothing_after_an_activation_runs(name: str, token: str) -> None:
    model = toy_vit()
    called: list[str] = []
    leaves = [path for path, part in model.module.named_modules() if not list(part.children())]
    # An attention with such hooks has no queries; that its layer does not run is seen after it.
    for path in (path for path in leaves if path != "blocks.1.attn.qkv"):
        model.module.get_submodule(path).register_forward_hook(
            lambda *_args, path=path: called.append(path)
        )
    pictures = torch.rand(1, 3, model.image_size, model.image_size)
    model(pictures)
    order = list(called)
    readout = featviz.readout(model, f"blocks.1.{name}:3{token}")
    for read_values in (readout, readout.paired):
        called.clear()
        read_values(pictures)
        assert set(called) <= set(order[: order.index(STOPS[name])]), called


@pytest.mark.parametrize("name", ["resid_mid", "attn.k", "mlp_act", "attn.z"])
def test_the_gradient_of_the_largest_flows_through_its_token_alone(name: str) -> None:
    model = model_of("qk-norm")
    path = f"blocks.{BLOCK}.{name}:4"
    values = read(model, f"{path}@all")[:, 1:]
    tokens = (values.argmax(1) + 1).tolist()
    assert len(set(tokens)) > 1

    def gradient(units: list[str]) -> Tensor:
        pictures = images(model, 1).requires_grad_()
        (found,) = torch.autograd.grad(
            featviz.readout(model, units).paired(pictures).sum(), pictures
        )
        return found

    largest = gradient([f"{path}@max"] * 3)
    torch.testing.assert_close(largest, gradient([f"{path}@{token}" for token in tokens]))


@pytest.mark.parametrize(
    "site", ["patch_embed", "blocks.1.mlp.fc1", "blocks.0.attn.qkv", "blocks.1.attn.qk"]
)
def test_the_largest_of_other_sites_is_over_patches_too(site: str) -> None:
    model = toy_vit()
    pictures = torch.rand(3, 3, model.image_size, model.image_size)
    prefix, count = model.sites[site].prefix, model.sites[site].positions
    at: Callable[[int], str] = (
        (lambda token: f"@q{token}.k{token}")
        if site.endswith("qk")
        else (lambda token: f"@{token}")
    )
    with torch.no_grad():
        every = featviz.readout(model, [f"{site}:1{at(t)}" for t in range(prefix, count)])(pictures)
        found = featviz.readout(model, f"{site}:1@max")(pictures)[:, 0]
        paired = featviz.readout(model, [f"{site}:1@max"] * 3).paired(pictures)
    torch.testing.assert_close(found, every.amax(1))
    torch.testing.assert_close(paired, every.amax(1))


def test_the_largest_of_a_feature_map_is_over_its_positions() -> None:
    model = featviz.load("cueworld/resnet", device="cpu")
    pictures = torch.rand(2, 3, model.image_size, model.image_size)
    readout = featviz.readout(model, [f"layer3.0.conv1:5@{t}" for t in range(64)])
    largest = featviz.readout(model, ["layer3.0.conv1:5@max"] * 2)
    with torch.no_grad():
        every = readout(pictures).amax(1)
        torch.testing.assert_close(largest(pictures)[:, 0], every)
        torch.testing.assert_close(largest.paired(pictures), every)


def test_pooling_of_one_unit_does_not_change_that_of_another_in_its_batch() -> None:
    model = toy_vit()
    pictures = torch.rand(3, 3, model.image_size, model.image_size)
    addresses = [f"blocks.1.mlp.fc1:{token}" for token in ("3", "3@max", "3@2")]
    together = featviz.readout(model, addresses).paired(pictures)
    for index, address in enumerate(addresses):
        alone = featviz.readout(model, address).paired(pictures[index : index + 1])
        torch.testing.assert_close(alone[0], together[index])


def test_sites_of_a_block_are_listed_in_the_order_of_a_forward_pass() -> None:
    sites = [path for path in toy_vit().sites if path.startswith("blocks.1.")]
    assert [path.removeprefix("blocks.1.") for path in sites] == [
        "resid_pre",
        "attn.qk",
        "attn.qk_mode",
        "attn.qkv",
        "attn.q",
        "attn.k",
        "attn.v",
        "attn.z",
        "attn.proj",
        "attn_out",
        "resid_mid",
        "mlp.fc1",
        "mlp_act",
        "mlp.fc2",
        "mlp_out",
        "resid_post",
    ]


@pytest.mark.parametrize("block", [ParallelScalingBlock, ParallelThingsBlock])
def test_parallel_blocks_have_no_stream_between_attention_and_mlp(block: type[nn.Module]) -> None:
    module = timm.create_model("vit_tiny_patch16_224", block_fn=block, **SMALL)
    model = VisionModel("parallel", randomized(module, 1), 64, HALF, HALF)
    for name in ("resid_mid", "attn_out", "mlp_out"):
        with pytest.raises(FeatvizError) as caught:
            featviz.units(model, f"blocks.1.{name}:0")
        assert str(caught.value) == (
            f"blocks.1.{name} has no units: blocks.1 is a {block.__name__}, which does not add an "
            "attention, then an MLP, to its input"
        )
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before, after = (
            featviz.readout(model, f"blocks.{index}.{name}:0-47@all")(pictures)
            for index, name in ((1, "resid_pre"), (1, "resid_post"))
        )
        module_: Any = module
        tokens = module_.blocks[1](before.view(2, 48, -1).mT)
    torch.testing.assert_close(after.view(2, 48, -1).mT, tokens)


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("cueworld/resnet", "layer1.0.resid_post", "layer1.0 is a BasicBlock, not a transformer"),
        ("cueworld/vit", "blocks.1.attn.resid_mid", "blocks.1.attn is a Attention, not a transfor"),
        ("cueworld/vit", "blocks.1.mlp.z", "blocks.1.mlp is a Mlp, not an attention with heads"),
        ("cueworld/vit", "blocks.1.mlp.q", "blocks.1.mlp is Mlp, and it is not an attention"),
        ("cueworld/vit", "blocks.1.resid_mit", "did you mean blocks.1.resid_mid"),
        ("cueworld/mixer", "blocks.1.mlp_act", "blocks.1 has no mlp.fc2 that is called once"),
        ("cueworld/mixer", "blocks.1.resid_mid", "blocks.1 is a MixerBlock, which does not add"),
    ],
)
def test_an_activation_that_does_not_exist_is_refused_with_the_reason(
    name: str, path: str, said: str
) -> None:
    model = featviz.load(name, device="cpu")
    with pytest.raises(FeatvizError) as caught:
        featviz.units(model, f"{path}:0")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_attention_whose_projection_is_not_called_has_no_output_of_heads() -> None:
    model = featviz.load("torchvision/vit_b_32", untrained=True, device="cpu")
    path = "encoder.layers.encoder_layer_1.self_attention"
    assert model.sites[f"{path}.q"].width == 768
    with pytest.raises(FeatvizError, match=f"{path}.z has no units: of .*out_proj.* never called"):
        featviz.units(model, f"{path}.z:0")
    with torch.no_grad():
        pictures = torch.rand(1, 3, 224, 224)
        block = path.removesuffix(".self_attention")
        before, added, middle = (
            featviz.readout(model, f"{block}.{name}:0-3@1")(pictures)
            for name in ("resid_pre", "attn_out", "resid_mid")
        )
    torch.testing.assert_close(before + added, middle)


class Chance(nn.Module):
    """Adds noise in evaluation mode too."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + torch.randn_like(tokens)


def test_activations_that_change_by_chance_are_refused() -> None:
    model = toy_vit()
    module: Any = model.module
    module.blocks[1].ls1 = Chance()
    assert "blocks.1.resid_pre" in model.sites
    for name in ("attn_out", "resid_mid", "resid_post"):
        with pytest.raises(FeatvizError, match=f"blocks.1.{name} has no units: two forward pass"):
            model.sites[f"blocks.1.{name}"]


def test_neurons_before_a_hook_are_read_with_it() -> None:
    model = toy_vit()
    module: Any = model.module
    module.blocks[1].mlp.fc1.register_forward_hook(lambda _part, _args, output: output + 1)
    pictures = torch.rand(2, 3, model.image_size, model.image_size)
    with torch.no_grad():
        before = featviz.readout(model, "blocks.1.mlp.fc1:2@4")(pictures)
        found = featviz.readout(model, "blocks.1.mlp_act:2@4")(pictures)
    torch.testing.assert_close(found, F.gelu(before))
