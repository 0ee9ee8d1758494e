"""Models at another input size or normalization than published."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import Tensor, nn

from featviz import cueworld
from featviz.errors import FeatvizError
from featviz.models.loading.load import load


def resampled(positions: Tensor, side: int, prefix: int = 1) -> Tensor:
    """Resample position embeddings (1, tokens, width) as timm does, written independently."""
    first, patches = positions[:, :prefix], positions[:, prefix:]
    before = math.isqrt(patches.shape[1])
    image = patches.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    image = nn.functional.interpolate(image, (side, side), mode="bicubic", antialias=True)
    return torch.cat([first, image.flatten(2).transpose(1, 2)], 1)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A small ViT of timm whose weights a stand-in for the Hub publishes, also as ``vit.pth``."""
    torch.manual_seed(3)
    module: nn.Module = timm.create_model("test_vit").eval()
    nn.init.normal_(module.get_parameter("pos_embed"))
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(module.state_dict(), path)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", lambda *_, **__: str(path))
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    torch.save(module.state_dict(), tmp_path / "vit.pth")
    monkeypatch.chdir(tmp_path)
    return module


@pytest.mark.parametrize("given", [{"name": "test_vit"}, {"name": "vit.pth", "arch": "test_vit"}])
def test_the_positions_of_a_trained_vit_are_resampled(
    module: nn.Module, given: dict[str, str]
) -> None:
    model = load(**given, image_size=96, device="cpu")  # type: ignore[arg-type]
    expected = resampled(module.get_parameter("pos_embed"), 6)
    torch.testing.assert_close(model.module.get_parameter("pos_embed"), expected)
    own = model.module.state_dict()
    others = {name: part for name, part in module.state_dict().items() if name != "pos_embed"}
    assert all(torch.equal(own[name], part) for name, part in others.items())
    images = torch.rand(2, 3, 96, 96)
    reference: nn.Module = timm.create_model("test_vit", pretrained=True, img_size=96).eval()
    torch.testing.assert_close(model(images), reference(model.normalize(images)))
    assert (model.image_size, model.sites["patch_embed"].grid) == (96, (6, 6))


def test_a_bundled_vit_is_resampled_too() -> None:
    model = load("cueworld/vit", image_size=64, device="cpu")
    expected = resampled(cueworld.weights("vit")["pos_embed"], 4)
    torch.testing.assert_close(model.module.get_parameter("pos_embed"), expected)


def test_a_vit_of_torchvision_is_resampled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.vit_b_32().state_dict()
    state["encoder.pos_embedding"].normal_()
    download = "torchvision.models._api.load_state_dict_from_url"
    monkeypatch.setattr(download, lambda *_, **__: dict(state))
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    model = load("torchvision/vit_b_32", image_size=96, device="cpu")
    found = model.module.get_parameter("encoder.pos_embedding")
    torch.testing.assert_close(found, resampled(state["encoder.pos_embedding"], 3))
    assert model.image_size == 96


def test_a_convolutional_model_takes_any_size() -> None:
    usual, small = (load("cueworld/resnet", image_size=size, device="cpu") for size in (None, 65))
    assert (small.image_size, small.sites["layer4.1.conv2"].grid) == (65, (3, 3))
    assert small(torch.rand(1, 3, 65, 65)).shape == (1, 18)
    assert small.fingerprint != usual.fingerprint


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("cueworld/mixer", {"image_size": 64}, "weights of cueworld/mixer do not fit .*mlp_tokens"),
        ("cueworld/vit", {"image_size": 100}, "^image_size .* 100 is not a multiple .* 96 or 112$"),
        ("cueworld/vit", {"image_size": 8}, "^cueworld/vit cannot be built with --image-size 8: "),
        ("cueworld/vit", {"model_args": {"depth": 2}}, "bundled as it is; it takes no model_args"),
        (
            "inception_v3",
            {"untrained": True, "image_size": 32},
            "^inception_v3 cannot run on RGB images of 32 x 32 pixels: ",
        ),
        (
            "test_vit",
            {"untrained": True, "model_args": {"pool": "avg"}},
            "^test_vit cannot be built with --model-arg pool=avg: .*unexpected keyword",
        ),
        (
            "torchvision/resnet18",
            {"untrained": True, "model_args": {"depth": 2}},
            "^torchvision/resnet18 cannot be built with --model-arg depth=2: ",
        ),
    ],
)
def test_what_an_architecture_does_not_take_is_refused_in_one_line(
    name: str, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(name, device="cpu", **given)
    assert "\n" not in str(caught.value)


def test_a_wrong_argument_is_not_called_a_failed_download(module: nn.Module) -> None:
    del module  # its weights are published
    with pytest.raises(FeatvizError, match=r"^test_vit cannot be built with --model-arg pool=avg"):
        load("test_vit", model_args={"pool": "avg"})
    with pytest.raises(FeatvizError, match=r"weights of test_vit do not fit .*blocks\.6\.norm1"):
        load("test_vit", model_args={"depth": 7})


def test_arguments_of_the_architecture_reach_it() -> None:
    model = load("test_vit", untrained=True, model_args={"global_pool": "avg"}, device="cpu")
    assert model.module.global_pool == "avg"


def test_mean_and_standard_deviation_replace_those_of_the_weights() -> None:
    model = load("cueworld/vit", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.8), device="cpu")
    image = torch.full((1, 3, 1, 1), 0.5)
    expected = torch.tensor([1.0, 0.6, 0.25]).view(1, 3, 1, 1)
    torch.testing.assert_close(model.normalize(image), expected)


# What the fingerprints were before models could be loaded otherwise than published.
PUBLISHED = {
    "cueworld/vit": "59044861",
    "cueworld/mixer": "dc3a1a29",
    "cueworld/resnet": "c953e4d1",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_options_that_change_nothing_leave_the_fingerprint(name: str) -> None:
    half = (0.5, 0.5, 0.5)
    for given in ({}, {"image_size": 128, "mean": half, "std": half}):
        model = load(name, device="cpu", **given)  # type: ignore[arg-type]
        assert model.fingerprint[:8] == PUBLISHED[name]


def test_every_other_input_has_a_fingerprint_of_its_own() -> None:
    third = (0.3, 0.3, 0.3)
    variants: list[dict[str, Any]] = [
        {},
        {"image_size": 64},
        {"image_size": 96},
        {"mean": third},
        {"std": third},
        {"mean": third, "image_size": 64},
    ]
    for name in ("cueworld/vit", "cueworld/resnet"):
        found = {load(name, device="cpu", **given).fingerprint for given in variants}
        assert len(found) == len(variants)
    vit = {
        load("test_vit", untrained=True, model_args=given, device="cpu").fingerprint
        for given in ({}, {"global_pool": "avg"}, {"act_layer": "relu"})
    }
    assert len(vit) == 3
