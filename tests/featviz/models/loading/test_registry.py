from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.loading.registry import is_known, known_models


def test_bundled_models_are_listed_first_then_torchvision_then_timm() -> None:
    names = known_models()
    assert names[:4] == [
        f"cueworld/{name}" for name in ("vit", "vit_colourblind", "mixer", "resnet")
    ]
    prefixes = [name.partition("/")[0] if "/" in name else "timm" for name in names]
    assert list(dict.fromkeys(prefixes)) == ["cueworld", "torchvision", "timm"]
    assert {"torchvision/googlenet", "deit_small_patch16_224"} <= set(names)


def test_every_listed_model_is_known_and_listed_once() -> None:
    names = known_models()
    assert len(set(names)) == len(names)
    assert all(map(is_known, names))


@pytest.mark.parametrize("name", ["deit_small_patch16_224.fb_in1k", "hf-hub:timm/resnet18.a1_in1k"])
def test_names_with_a_tag_and_of_the_hub_are_known(name: str) -> None:
    assert is_known(name)


@pytest.mark.parametrize(
    "name", ["vit", "cueworld/", "torchvision/raft_large", "resnet18.", "resnet18.nope", ""]
)
def test_other_names_are_not_known(name: str) -> None:
    assert not is_known(name)


@pytest.fixture
def trained_test_vit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """Stand in for the Hugging Face Hub with other weights than the untrained ones."""
    torch.manual_seed(3)
    module: nn.Module = timm.create_model("test_vit")
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(module.state_dict(), path)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", lambda *_, **__: str(path))
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    return module


def test_a_trained_imagenet_model_names_its_classes(
    trained_test_vit: nn.Module,
) -> None:
    classes = load("test_vit").classes
    assert (classes[0], classes[999]) == (
        "tench, Tinca tinca",
        "toilet tissue, toilet paper, bathroom tissue",
    )
    assert len(classes) == 1000


def test_trained_weights_of_torchvision_come_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: False)
    module = torchvision.models.squeezenet1_1()
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    weights = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    torch.save(module.state_dict(), cache / Path(weights.url).name)
    model = load("torchvision/squeezenet1_1", device="cpu")
    loaded = model.module.state_dict()
    assert all(torch.equal(loaded[key], weight) for key, weight in module.state_dict().items())
    assert (model.classes[0], len(model.classes)) == ("tench", 1000)


def refusal(name: str, **options: Any) -> str:
    with pytest.raises(FeatvizError) as caught:
        load(name, device="cpu", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "current"),
    [
        ("vit_tiny_patch16_224_in21k", "vit_tiny_patch16_224.augreg_in21k"),
        ("tf_efficientnet_b0_ns", "tf_efficientnet_b0.ns_jft_in1k"),
    ],
)
def test_an_old_name_of_timm_is_replaced_with_a_warning(old: str, current: str) -> None:
    with pytest.warns(UserWarning, match=rf"^{old} is an old name of timm; loading {current}$"):
        model = load(old, untrained=True, device="cpu")
    assert model.name == current
    assert model.fingerprint == load(current, untrained=True, device="cpu").fingerprint


def test_an_old_name_of_an_architecture_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    safetensors.torch.save_file(timm.create_model("vit_tiny_patch16_224").state_dict(), path)
    with pytest.warns(UserWarning, match=r"is an old name of timm"):
        model = load(str(path), arch="vit_tiny_patch16_224_in21k", device="cpu")
    assert model.load_options.arch == "vit_tiny_patch16_224.augreg_in21k"


def test_every_old_name_of_timm_leads_to_a_known_architecture() -> None:
    for old, current in timm.models.get_deprecated_models().items():
        assert timm.is_model(current or ""), old


def test_no_trained_weights_are_denied_only_where_timm_has_none() -> None:
    name = "vit_small_patch16_18x2_224"
    assert not timm.list_pretrained(f"{name}*")
    assert refusal(name).startswith(f"timm has no trained weights of {name}; use --untrained")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("googlenet", "; did you mean torchvision/googlenet?"),
        ("ResNet50", "; did you mean torchvision/resnet50, resnet50?"),
        ("VIT_Tiny_Patch16_244", "; did you mean vit_tiny_patch16_224, "),
        ("CueWorld/ViT", "; did you mean cueworld/vit?"),
    ],
)
def test_suggestions_ignore_case_and_begin_with_the_same_name(name: str, suggestion: str) -> None:
    assert suggestion in refusal(name)


@pytest.mark.parametrize("prefix", ["", "https://huggingface.co/"])
def test_a_repository_of_the_hub_is_answered_with_its_download(prefix: str) -> None:
    message = refusal(f"{prefix}facebook/dinov2-small")
    command = "`hf download facebook/dinov2-small --local-dir dinov2-small` and give that folder"
    assert f"if it is a repository of the Hugging Face Hub, download it with {command}" in message
    assert "convit" not in message


def test_a_path_in_a_folder_is_not_taken_for_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert refusal("runs/best") == "there is no file or folder runs/best"


def test_a_repository_of_transformers_is_not_in_the_format_of_timm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "dinov2", "architectures": ["Dinov2Model"]}))
    monkeypatch.setattr("timm.models._hub.hf_hub_download", lambda *_, **__: str(path))
    monkeypatch.setattr("featviz.models.loading.download._reachable", lambda _: True)
    assert refusal("hf-hub:facebook/dinov2-small") == (
        "hf-hub:facebook/dinov2-small is not in timm's format: its configuration names no "
        "architecture of timm; download it with `hf download facebook/dinov2-small --local-dir "
        "dinov2-small` and give that folder"
    )
