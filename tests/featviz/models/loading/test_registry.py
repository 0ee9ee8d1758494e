from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn

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


def test_trained_weights_of_timm_are_the_published_ones(
    trained_test_vit: nn.Module,
) -> None:
    model = load("test_vit", device="cpu")
    for key, weight in trained_test_vit.state_dict().items():
        assert torch.equal(model.module.state_dict()[key], weight)
    assert not model.load_options.untrained


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
