"""Weights under the names of their authors, against forward passes written here by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor
from torch.nn import functional

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel

State = dict[str, Tensor]
WIDTH, HEADS, DEPTH, SIDE = 24, 2, 2, 3
SMALL = {"embed_dim": WIDTH, "num_heads": HEADS, "depth": DEPTH}


def random_state(shapes: dict[str, tuple[int, ...]]) -> State:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) / 5 for name, shape in shapes.items()}


def images(patch: int) -> Tensor:
    return torch.rand(2, 3, SIDE * patch, SIDE * patch, generator=torch.Generator().manual_seed(1))


def output(model: VisionModel, inputs: Tensor) -> Tensor:
    with eval_mode(model.module), torch.no_grad():
        result: Tensor = model.module(inputs)
    return result


def loaded(state: dict[str, Any], path: Path, arch: str, **options: Any) -> VisionModel:
    torch.save(state, path)
    return load(str(path), arch=arch, device="cpu", **options)


def normalized(tokens: Tensor, state: State, name: str, epsilon: float) -> Tensor:
    scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.layer_norm(tokens, (WIDTH,), scale, shift, epsilon)


def attended(tokens: Tensor, qkv: tuple[Tensor, Tensor], out: tuple[Tensor, Tensor]) -> Tensor:
    count, length, width = tokens.shape
    queries, keys, values = (
        part.reshape(count, length, HEADS, width // HEADS).transpose(1, 2)
        for part in functional.linear(tokens, *qkv).chunk(3, dim=-1)
    )
    scores = queries @ keys.transpose(-1, -2) / (width // HEADS) ** 0.5
    mixed = scores.softmax(dim=-1) @ values
    return functional.linear(mixed.transpose(1, 2).reshape(count, length, width), *out)


def dinov2_state(registers: int) -> State:
    """Names as in ``dinov2/models/vision_transformer.py`` of Meta."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + SIDE**2, WIDTH),
        "mask_token": (1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    if registers:
        shapes["register_tokens"] = (1, registers, WIDTH)
    for block in range(DEPTH):
        shapes |= {
            f"blocks.{block}.{name}": shape
            for name, shape in {
                "norm1.weight": (WIDTH,),
                "norm1.bias": (WIDTH,),
                "attn.qkv.weight": (3 * WIDTH, WIDTH),
                "attn.qkv.bias": (3 * WIDTH,),
                "attn.proj.weight": (WIDTH, WIDTH),
                "attn.proj.bias": (WIDTH,),
                "ls1.gamma": (WIDTH,),
                "norm2.weight": (WIDTH,),
                "norm2.bias": (WIDTH,),
                "mlp.fc1.weight": (4 * WIDTH, WIDTH),
                "mlp.fc1.bias": (4 * WIDTH,),
                "mlp.fc2.weight": (WIDTH, 4 * WIDTH),
                "mlp.fc2.bias": (WIDTH,),
                "ls2.gamma": (WIDTH,),
            }.items()
        }
    return random_state(shapes)


def dinov2(state: State, inputs: Tensor) -> Tensor:
    """Return the normalized class token."""
    kernel, bias = state["patch_embed.proj.weight"], state["patch_embed.proj.bias"]
    patches = functional.conv2d(inputs, kernel, bias, stride=14).flatten(2).transpose(1, 2)
    count = len(inputs)
    tokens = torch.cat([state["cls_token"].expand(count, -1, -1), patches], dim=1)
    tokens = tokens + state["pos_embed"]
    if "register_tokens" in state:
        registers = state["register_tokens"].expand(count, -1, -1)
        tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1)
    for block in range(DEPTH):
        own = {
            name.removeprefix(f"blocks.{block}."): part
            for name, part in state.items()
            if name.startswith(f"blocks.{block}.")
        }
        qkv = own["attn.qkv.weight"], own["attn.qkv.bias"]
        out = own["attn.proj.weight"], own["attn.proj.bias"]
        read = normalized(tokens, own, "norm1", 1e-6)
        tokens = tokens + own["ls1.gamma"] * attended(read, qkv, out)
        read = normalized(tokens, own, "norm2", 1e-6)
        hidden = functional.gelu(
            functional.linear(read, own["mlp.fc1.weight"], own["mlp.fc1.bias"])
        )
        written = functional.linear(hidden, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
        tokens = tokens + own["ls2.gamma"] * written
    return normalized(tokens, state, "norm", 1e-6)[:, 0]


@pytest.mark.parametrize(
    ("arch", "registers"),
    [("vit_small_patch14_dinov2", 0), ("vit_small_patch14_reg4_dinov2", 4)],
)
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"teacher": {f"backbone.{n}": p for n, p in state.items()}},
    ],
    ids=["plain", "teacher"],
)
def test_files_of_dinov2_load_as_meta_published_them(
    arch: str, registers: int, wrapped: Any, tmp_path: Path
) -> None:
    state = dinov2_state(registers)
    options = {"image_size": 14 * SIDE, "model_args": SMALL}
    model = loaded(wrapped(state), tmp_path / "it.pth", arch, **options)
    inputs = images(14)
    torch.testing.assert_close(output(model, inputs), dinov2(state, inputs), rtol=0, atol=1e-5)


def test_a_file_with_registers_names_the_architecture_that_has_them(tmp_path: Path) -> None:
    options = {"image_size": 14 * SIDE, "model_args": SMALL}
    complaint = r"1 unexpected: reg_token; .*; it fits --arch vit_small_patch14_reg4_dinov2 "
    with pytest.raises(FeatvizError, match=complaint):
        loaded(dinov2_state(4), tmp_path / "it.pth", "vit_small_patch14_dinov2", **options)


OUT = 10


def clip_state() -> State:
    """Names as in ``clip/model.py`` of OpenAI; the text tower is not complete."""
    shapes: dict[str, tuple[int, ...]] = {
        "positional_embedding": (7, WIDTH),
        "text_projection": (WIDTH, OUT),
        "logit_scale": (),
        "token_embedding.weight": (9, WIDTH),
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": (1 + SIDE**2, WIDTH),
        "visual.proj": (WIDTH, OUT),
        "visual.conv1.weight": (WIDTH, 3, 32, 32),
    }
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"visual.{norm}.weight": (WIDTH,), f"visual.{norm}.bias": (WIDTH,)}
    for block in range(DEPTH):
        shapes |= {
            f"visual.transformer.resblocks.{block}.{name}": shape
            for name, shape in {
                "attn.in_proj_weight": (3 * WIDTH, WIDTH),
                "attn.in_proj_bias": (3 * WIDTH,),
                "attn.out_proj.weight": (WIDTH, WIDTH),
                "attn.out_proj.bias": (WIDTH,),
                "ln_1.weight": (WIDTH,),
                "ln_1.bias": (WIDTH,),
                "mlp.c_fc.weight": (4 * WIDTH, WIDTH),
                "mlp.c_fc.bias": (4 * WIDTH,),
                "mlp.c_proj.weight": (WIDTH, 4 * WIDTH),
                "mlp.c_proj.bias": (WIDTH,),
                "ln_2.weight": (WIDTH,),
                "ln_2.bias": (WIDTH,),
            }.items()
        }
    return random_state(shapes)


def clip(state: State, inputs: Tensor, quick: bool) -> Tensor:
    """Return the image embedding."""
    visual = {name.removeprefix("visual."): part for name, part in state.items()}
    patches = functional.conv2d(inputs, visual["conv1.weight"], stride=32).flatten(2)
    first = visual["class_embedding"].expand(len(inputs), 1, -1)
    tokens = torch.cat([first, patches.transpose(1, 2)], dim=1)
    position = state["visual.positional_embedding"]
    tokens = normalized(tokens + position, visual, "ln_pre", 1e-5)
    for block in range(DEPTH):
        start = f"transformer.resblocks.{block}."
        own = {
            name.removeprefix(start): part
            for name, part in visual.items()
            if name.startswith(start)
        }
        qkv = own["attn.in_proj_weight"], own["attn.in_proj_bias"]
        out = own["attn.out_proj.weight"], own["attn.out_proj.bias"]
        tokens = tokens + attended(normalized(tokens, own, "ln_1", 1e-5), qkv, out)
        hidden = functional.linear(
            normalized(tokens, own, "ln_2", 1e-5), own["mlp.c_fc.weight"], own["mlp.c_fc.bias"]
        )
        hidden = hidden * torch.sigmoid(1.702 * hidden) if quick else functional.gelu(hidden)
        tokens = tokens + functional.linear(
            hidden, own["mlp.c_proj.weight"], own["mlp.c_proj.bias"]
        )
    return normalized(tokens[:, 0], visual, "ln_post", 1e-5) @ visual["proj"]


def visual_only(state: State) -> State:
    return {
        name.removeprefix("visual."): part
        for name, part in state.items()
        if name.startswith("visual.")
    }


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: state | {"input_resolution": torch.tensor(96), "vocab_size": torch.tensor(9)},
        lambda state: {"state_dict": {f"module.{name}": part for name, part in state.items()}},
        visual_only,
        lambda state: {f"model.{name}": part for name, part in state.items()},
    ],
    ids=["whole", "program of OpenAI", "OpenCLIP", "vision tower", "model."],
)
@pytest.mark.parametrize("quick", [True, False], ids=["QuickGELU", "GELU"])
def test_the_vision_tower_of_clip_loads_from_its_own_names(
    quick: bool, wrapped: Any, tmp_path: Path
) -> None:
    state = clip_state()
    arch = f"vit_base_patch32_clip_{'quickgelu_' if quick else ''}224"
    arguments = SMALL | ({} if quick else {"act_layer": "gelu"})
    model = loaded(wrapped(state), tmp_path / "it.pth", arch, image_size=96, model_args=arguments)
    inputs = images(32)
    expected = clip(state, inputs, quick)
    torch.testing.assert_close(output(model, inputs), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (
            {"input_resolution": torch.tensor(96)},
            r"weights of OpenAI CLIP, trained with QuickGELU, and vit_base_patch32_clip_224 has "
            r"GELU: --arch vit_base_patch32_clip_quickgelu_224$",
        ),
        (
            {},
            r"does not record .*: --arch vit_base_patch32_clip_quickgelu_224 for QuickGELU .*, "
            r"--model-arg act_layer=gelu for GELU",
        ),
    ],
    ids=["OpenAI", "unknown"],
)
def test_weights_of_clip_are_not_run_with_gelu_unasked(
    extra: State, complaint: str, tmp_path: Path
) -> None:
    options = {"image_size": 96, "model_args": SMALL}
    with pytest.raises(FeatvizError, match=complaint):
        loaded(clip_state() | extra, tmp_path / "it.pth", "vit_base_patch32_clip_224", **options)


@pytest.mark.slow
def test_a_vit_of_torchvision_is_resampled_only_if_asked_for(tmp_path: Path) -> None:
    original = torchvision.models.vit_b_32(image_size=64, num_classes=5)
    path = tmp_path / "it.pth"
    with pytest.raises(FeatvizError, match=r"trained at 64 pixels, .* takes 224: --image-size 64,"):
        loaded(original.state_dict(), path, "torchvision/vit_b_32")
    model = load(str(path), arch="torchvision/vit_b_32", image_size=64, device="cpu")
    inputs = torch.rand(1, 3, 64, 64)
    with eval_mode(original), torch.no_grad():
        torch.testing.assert_close(output(model, inputs), original(inputs), rtol=0, atol=1e-5)
