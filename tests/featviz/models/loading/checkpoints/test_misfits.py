"""What the messages say is right for weights of another size, architecture or type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.loading.load import load

State = dict[str, Tensor]


def state_of(arch: str, **options: Any) -> State:
    module: nn.Module = timm.create_model(arch, **options)
    return module.state_dict()


def refused(state: dict[str, Any], path: Path, arch: str, **options: Any) -> str:
    torch.save(state, path)
    with pytest.raises(FeatvizError) as caught:
        load(str(path), arch=arch, device="cpu", **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path} ")


def test_weights_of_another_size_name_it(tmp_path: Path) -> None:
    message = refused(state_of("test_vit", img_size=64), tmp_path / "it.pth", "test_vit")
    assert message == (
        "was trained at 64 pixels, and test_vit takes 160: --image-size 64, "
        "or --image-size 160 to resample its positions"
    )


def test_weights_at_their_own_size_are_not_changed(tmp_path: Path) -> None:
    state = state_of("test_vit", img_size=64)
    path = tmp_path / "it.pth"
    torch.save(state, path)
    loaded = load(str(path), arch="test_vit", image_size=64, device="cpu").module.state_dict()
    assert all(torch.equal(loaded[name], part) for name, part in state.items())


def test_one_input_channel_is_not_supported(tmp_path: Path) -> None:
    message = refused(state_of("test_vit", in_chans=1), tmp_path / "it.pth", "test_vit")
    assert message.endswith(
        "it has one input channel, which is not supported: featviz needs RGB images"
    )


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({"global_pool": "avg"}, "--model-arg global_pool=avg"),
        ({"init_values": 1e-5}, "--model-arg init_values=1e-05"),
        ({"qkv_bias": False}, "--model-arg qkv_bias=False"),
    ],
)
def test_another_option_of_the_architecture_is_named_and_right(
    options: dict[str, Any], right: str, tmp_path: Path
) -> None:
    path = tmp_path / "it.pth"
    message = refused(state_of("test_vit", **options), path, "test_vit")
    assert message.endswith(f"; it fits {right}")
    assert load(str(path), arch="test_vit", model_args=options, device="cpu").image_size == 160


SMALL = {"embed_dim": 24, "num_heads": 2, "depth": 1}


@pytest.mark.parametrize(
    ("arch", "other"),
    [
        ("deit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"),
        ("vit_small_patch16_224", "vit_small_patch32_224"),
        ("vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"),
    ],
    ids=["distillation token", "patches", "registers"],
)
def test_the_architecture_that_fits_is_named(arch: str, other: str, tmp_path: Path) -> None:
    state = state_of(other, **SMALL)
    message = refused(state, tmp_path / "it.pth", arch, model_args=SMALL)
    assert f"; it fits --arch {other} --model-arg" in message


def test_windows_of_another_size_are_not_resampled(tmp_path: Path) -> None:
    small = {"embed_dim": 24, "depths": (1, 1, 1, 1), "num_heads": (2, 2, 2, 2)}
    arch = "swin_base_patch4_window12_384"
    message = refused(
        state_of(arch, **small),
        tmp_path / "it.pth",
        "swin_base_patch4_window7_224",
        image_size=384,
        model_args=small,
    )
    assert message.startswith("does not fit swin_base_patch4_window7_224: ")
    assert "; it fits --arch swin_base_patch4_window12_384 --image-size 384 " in message


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (
            {"norm.weight": torch.full((64,), torch.nan)},
            "norm.weight has 64 of 64 values that are NaN",
        ),
        ({"norm.weight": torch.tensor([torch.inf] + [1.0] * 63)}, "norm.weight has 1 of 64 values"),
        (
            {"norm.weight": torch.ones(64, dtype=torch.int8)},
            "norm.weight is of torch.int8, as quant",
        ),
        ({"norm.weight": torch.ones(64).to(torch.float8_e4m3fn)}, "is of torch.float8_e4m3fn, as"),
        ({"norm.weight": torch.ones(64, device="meta")}, "norm.weight is on the meta device, with"),
        ({"blocks.0.attn.qkv.lora_A.weight": torch.ones(4, 64)}, "an adapter (LoRA): merge it"),
        (
            {"norm.weight_scale": torch.ones(1)},
            "it is quantized: save the weights as floating-point",
        ),
    ],
)
def test_tensors_that_are_no_plain_weights_are_refused(
    changed: State, complaint: str, tmp_path: Path
) -> None:
    assert complaint in refused(state_of("test_vit") | changed, tmp_path / "it.pth", "test_vit")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floating_point_types_become_single_precision(
    kind: torch.dtype, tmp_path: Path
) -> None:
    state = {name: part.to(kind) for name, part in state_of("test_vit").items()}
    path = tmp_path / "it.pth"
    torch.save(state, path)
    loaded = load(str(path), arch="test_vit", device="cpu").module.state_dict()
    assert all(torch.equal(loaded[name], part.float()) for name, part in state.items())


def test_tensors_that_share_memory_or_are_not_contiguous_load(tmp_path: Path) -> None:
    state = state_of("test_vit")
    state["norm.bias"] = state["norm.weight"]
    state["head.weight"] = state["head.weight"].T.contiguous().T
    path = tmp_path / "it.pth"
    torch.save(state, path)
    loaded = load(str(path), arch="test_vit", device="cpu").module.state_dict()
    assert all(torch.equal(loaded[name], part) for name, part in state.items())


def test_names_of_transformers_name_the_folder(tmp_path: Path) -> None:
    state = {
        "vit.embeddings.cls_token": torch.ones(1, 1, 64),
        "vit.encoder.layer.0.attention.attention.query.weight": torch.ones(64, 64),
    }
    message = refused(state, tmp_path / "it.pth", "test_vit")
    assert message.endswith("give the folder with its config.json in place of the file")


def test_a_classifier_behind_a_layer_that_timm_leaves_out_is_refused(tmp_path: Path) -> None:
    state = state_of("test_vit") | {"pre_logits.fc.weight": torch.eye(64)}
    message = refused(state, tmp_path / "it.pth", "test_vit")
    assert "the classifier reads pre_logits.fc, a layer that timm does not have" in message
