from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.loading.checkpoints.read_file import read_state_dict
from featviz.models.loading.load import load


def state_of(name: str, **options: Any) -> dict[str, Tensor]:
    module: nn.Module = timm.create_model(name, **options)
    return module.state_dict()


def save(state: dict[str, Any], path: Path) -> str:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return str(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin"])
def test_every_tensor_of_a_file_reaches_the_module(suffix: str, tmp_path: Path) -> None:
    state = state_of("test_vit")
    model = load(save(state, tmp_path / f"it{suffix}"), arch="test_vit", device="cpu")
    loaded = model.module.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], part) for name, part in state.items())
    assert not any(weight.requires_grad for weight in model.module.parameters())


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"model": {}, "model_ema": state},
        lambda state: {"state_dict": {}, "state_dict_ema": state},
        lambda state: {"model": {f"_orig_mod.{name}": part for name, part in state.items()}},
    ],
    ids=["model_ema", "state_dict_ema", "_orig_mod."],
)
def test_the_wrappings_of_training_scripts_are_taken_off(wrapped: Any, tmp_path: Path) -> None:
    state = {"weight": torch.rand(2, 3), "bias": torch.rand(2)}
    path = tmp_path / "it.pth"
    torch.save(wrapped(state), path)
    read = read_state_dict(path)
    assert read.keys() == state.keys()
    assert torch.equal(read["weight"], state["weight"])


@pytest.mark.parametrize("arch", ["test_vit", "test_convnext", "test_resnet"])
def test_the_number_of_classes_is_that_of_the_head_in_the_file(arch: str, tmp_path: Path) -> None:
    path = save(state_of(arch, num_classes=7), tmp_path / "it.safetensors")
    model = load(path, arch=arch, device="cpu")
    assert model.module(torch.zeros(1, 3, 160, 160)).shape == (1, 7)
    assert model.classes == ()


def test_both_heads_of_a_distilled_transformer_take_the_classes_of_the_file(tmp_path: Path) -> None:
    arch = "deit_tiny_distilled_patch16_224"
    path = save(state_of(arch, num_classes=5), tmp_path / "it.safetensors")
    module: Any = load(path, arch=arch).module
    assert (module.head.out_features, module.head_dist.out_features) == (5, 5)


def test_a_file_without_a_head_loads_as_a_backbone(tmp_path: Path) -> None:
    path = save(state_of("test_vit", num_classes=0), tmp_path / "it.safetensors")
    assert load(path, arch="test_vit").module(torch.zeros(1, 3, 160, 160)).shape == (1, 64)


@pytest.mark.parametrize(
    ("arch", "small"),
    [
        ("efficientvit_m0", {}),
        ("levit_128", {"depth": (1, 1, 1)}),
        ("repvit_m0_9", {"depth": (1, 1, 1, 1)}),
        pytest.param("caformer_s18", {}, marks=pytest.mark.slow),
    ],
)
def test_layers_that_timm_leaves_out_with_the_classifier_may_be_missing(
    arch: str, small: dict[str, Any], tmp_path: Path
) -> None:
    state = state_of(arch, num_classes=0, **small)
    path = save(state, tmp_path / "it.safetensors")
    loaded = load(path, arch=arch, model_args=small, device="cpu").module.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], part) for name, part in state.items())
    del state[next(iter(state))]
    with pytest.raises(FeatvizError, match=r"does not fit .* missing: "):
        load(save(state, tmp_path / "lost.safetensors"), arch=arch, model_args=small)


def test_a_normalization_that_the_tag_of_the_weights_decides_is_named(tmp_path: Path) -> None:
    arch, small = "vit_small_patch16_224", {"depth": 1, "embed_dim": 12, "num_heads": 2}
    path = save(state_of(arch, **small), tmp_path / "it.safetensors")
    given: dict[str, Any] = {"model_args": small, "device": "cpu"}
    used = r"^\S+it\.safetensors: weights of vit_small_patch16_224 differ in mean and std; using "
    with pytest.warns(UserWarning, match=f"{used}mean 0.5,0.5,0.5 and std 0.5,0.5,0.5; .*--mean"):
        assert load(path, arch=arch, **given).mean == (0.5, 0.5, 0.5)
    # Warnings are errors.
    assert load(path, arch=f"{arch}.dino", **given).mean == (0.485, 0.456, 0.406)
    half = (0.5, 0.5, 0.5)
    assert load(path, arch=arch, mean=half, std=half, **given).std == half


def test_a_head_that_the_architecture_lacks_as_published_is_added(tmp_path: Path) -> None:
    arch = "eva02_tiny_patch14_224"
    path = save(state_of(arch, num_classes=4), tmp_path / "it.safetensors")
    module: Any = load(path, arch=arch).module
    assert module.head.out_features == 4


def test_a_googlenet_of_torchvision_loads_without_its_heads_for_training(tmp_path: Path) -> None:
    original = torchvision.models.GoogLeNet(num_classes=6, transform_input=True, init_weights=False)
    path = save(original.state_dict(), tmp_path / "it.safetensors")
    model = load(path, arch="torchvision/googlenet", device="cpu")
    images = torch.rand(1, 3, 64, 64)
    with eval_mode(original), torch.no_grad():
        expected = original(images)
    assert model.module(images).shape == (1, 6)
    torch.testing.assert_close(model.module(images), expected)


def test_a_model_of_cueworld_loads_from_a_file(tmp_path: Path) -> None:
    trained = load("cueworld/resnet")
    path = save(trained.module.state_dict(), tmp_path / "it.safetensors")
    model = load(path, arch="cueworld/resnet")
    assert model.fingerprint == trained.fingerprint
    assert model.classes == trained.classes


def test_half_precision_is_widened(tmp_path: Path) -> None:
    state = {name: part.half() for name, part in state_of("test_vit").items()}
    module = load(save(state, tmp_path / "it.safetensors"), arch="test_vit").module
    assert module.cls_token.dtype == torch.float32
    torch.testing.assert_close(module.cls_token.cpu(), state["cls_token"].float())


def test_counters_of_batches_may_be_missing(tmp_path: Path) -> None:
    state = state_of("test_resnet")
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    assert counters
    for name in counters:
        del state[name]
    assert load(save(state, tmp_path / "it.safetensors"), arch="test_resnet").image_size == 160


def change(state: dict[str, Tensor], name: str, part: Tensor | None) -> dict[str, Tensor]:
    return {key: old for key, old in state.items() if key != name} | (
        {} if part is None else {name: part}
    )


@pytest.mark.parametrize(
    ("name", "part", "complaint"),
    [
        ("norm.weight", None, r"does not fit test_vit: tensors 1 missing: norm\.weight$"),
        ("head.weight", None, r"1 missing: head\.weight$"),
        ("extra", torch.ones(1), r"1 unexpected: extra$"),
        ("norm.bias", torch.ones(65), r"1 mis-shaped: norm\.bias is \(65,\), not \(64,\)$"),
        ("head.weight", torch.ones(()), r"1 mis-shaped: head\.weight is \(\), not \(1000, 64\)$"),
    ],
)
def test_a_tensor_too_few_too_many_or_of_another_shape_is_named(
    name: str, part: Tensor | None, complaint: str, tmp_path: Path
) -> None:
    path = save(change(state_of("test_vit"), name, part), tmp_path / "it.safetensors")
    with pytest.raises(FeatvizError, match=complaint):
        load(path, arch="test_vit")


def test_of_many_misfits_the_first_few_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    path = save(state_of("test_vit"), tmp_path / "it.pth")
    with pytest.raises(FeatvizError, match=r"72 more; .* 77 more$") as caught:
        load(path, arch="test_resnet")
    assert len(str(caught.value).replace(path, "").splitlines()) == 1
    assert len(str(caught.value).replace(path, "")) < 250


@pytest.mark.parametrize(
    ("arch", "complaint"),
    [
        ("tst_vit", r"^no architecture is called 'tst_vit'; did you mean test_vit,"),
        ("cueworld/vti", r"did you mean cueworld/vit,"),
        ("hf-hub:timm/test_vit", r"^no architecture is called 'hf-hub:timm/test_vit'"),
        ("", r"^no architecture is called ''"),
    ],
)
def test_an_unknown_architecture_is_refused(arch: str, complaint: str, tmp_path: Path) -> None:
    path = save(state_of("test_vit"), tmp_path / "it.safetensors")
    with pytest.raises(FeatvizError, match=complaint):
        load(path, arch=arch)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            {"epoch": 3, "args": {"lr": 0.1}},
            r"has no weights by name: it has only epoch, args$",
        ),
        ({}, r"has no weights by name: it has nothing$"),
        ([torch.ones(1)], r"has no weights by name: it has a list$"),
        ({1: torch.ones(1)}, r"has no weights by name: it has only 1$"),
        (torch.ones(1), r"has no weights by name: it has a Tensor$"),
    ],
)
def test_a_pickle_of_something_else_is_refused(
    content: Any, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "it.pth"
    torch.save(content, path)
    with pytest.raises(FeatvizError, match=complaint):
        read_state_dict(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    state = {"weight": torch.rand(8, 8), "bias": torch.rand(8)}
    save(state, folder / "good.safetensors")
    save(state, folder / "good.pth")
    torch.save(state, folder / "good.bin", _use_new_zipfile_serialization=False)
    return folder


@given(suffix=st.sampled_from([".safetensors", ".pth", ".bin"]), kept=st.floats(0, 0.999))
def test_a_truncated_file_is_refused_in_one_line(folder: Path, suffix: str, kept: float) -> None:
    whole = (folder / f"good{suffix}").read_bytes()
    path = folder / f"short{suffix}"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(FeatvizError, match=r"short\S+ (cannot be read|is )") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


@given(suffix=st.sampled_from([".safetensors", ".pth", ".bin"]), data=st.data())
def test_a_damaged_file_is_refused_or_still_a_state_dict(
    folder: Path, suffix: str, data: st.DataObject
) -> None:
    content = bytearray((folder / f"good{suffix}").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = folder / f"damaged{suffix}"
    path.write_bytes(content)
    with suppress(FeatvizError):
        assert all(isinstance(part, Tensor) for part in read_state_dict(path).values())


@given(content=st.binary(max_size=200), suffix=st.sampled_from([".safetensors", ".pth"]))
def test_bytes_that_are_no_weights_are_refused(folder: Path, content: bytes, suffix: str) -> None:
    path = folder / f"random{suffix}"
    path.write_bytes(content)
    with pytest.raises(FeatvizError, match=r"random\S+ (cannot be read|is )"):
        read_state_dict(path)
