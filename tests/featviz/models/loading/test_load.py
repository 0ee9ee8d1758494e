from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from featviz import cueworld
from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.loading.options import LoadOptions
from featviz.models.vision_model import VisionModel

HERE = Path(__file__).parent
FOLDER = str(HERE.parents[2] / "oracles" / "huggingface" / "vit" / "usual")


@pytest.fixture
def weights_file(tmp_path: Path) -> str:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(load("test_vit", untrained=True).module.state_dict(), path)
    return str(path)


@pytest.mark.parametrize("name", cueworld.WEIGHTS)
def test_a_bundled_model_has_its_trained_weights_and_its_world(name: str) -> None:
    model = load(f"cueworld/{name}", device="cpu")
    for key, weight in cueworld.weights(name).items():
        torch.testing.assert_close(model.module.state_dict()[key], weight, rtol=0, atol=0)
    assert (model.name, model.image_size) == (f"cueworld/{name}", 128)
    assert model.classes == tuple(cueworld.CLASSES)
    assert model.mean == model.std == (0.5, 0.5, 0.5)
    assert model.prefix_tokens == ("vit" in name)


# timm's test models are miniatures; the others are the smallest of their kind.
@pytest.mark.parametrize(
    ("name", "prefix", "first_is_class", "side", "red"),
    [
        ("test_vit", 1, True, 160, (0.5, 0.5)),
        ("test_vit2", 1, False, 160, (0.5, 0.5)),
        ("deit_tiny_distilled_patch16_224", 2, True, 224, (0.485, 0.229)),
        ("vit_small_patch14_reg4_dinov2", 5, True, 518, (0.485, 0.229)),
        ("eva02_tiny_patch14_224", 1, True, 224, (0.48145466, 0.26862954)),
        ("mixer_s32_224", 0, False, 224, (0.5, 0.5)),
        ("pit_ti_distilled_224", 2, True, 224, (0.485, 0.229)),
        ("test_resnet", 0, False, 160, (0.5, 0.5)),
        ("torchvision/googlenet", 0, False, 224, (0.485, 0.229)),
        ("torchvision/vit_b_32", 1, True, 224, (0.485, 0.229)),
        ("torchvision/efficientnet_b1", 0, False, 240, (0.485, 0.229)),
    ],
)
def test_tokens_side_and_normalization_are_those_of_the_model(
    name: str, prefix: int, first_is_class: bool, side: int, red: tuple[float, float]
) -> None:
    model = load(name, untrained=True, device="cpu")
    assert (model.prefix_tokens, model.has_class_token) == (prefix, first_is_class)
    assert model.image_size == side
    assert (model.mean[0], model.std[0]) == red
    assert model.classes == ()


def test_a_loaded_model_is_frozen() -> None:
    model = load("test_vit", untrained=True)
    assert not any(part.training for part in model.module.modules())
    assert not any(weight.requires_grad for weight in model.module.parameters())


def test_googlenet_answers_with_one_tensor_of_logits() -> None:
    model = load("torchvision/googlenet", untrained=True, device="cpu")
    with torch.no_grad():
        logits = model.module(model.normalize(torch.rand(1, 3, 64, 64)))
    assert logits.shape == (1, 1000)


@pytest.mark.parametrize("name", ["test_vit", "torchvision/squeezenet1_1"])
def test_random_weights_do_not_depend_on_the_random_state_and_leave_it_alone(name: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = load(name, untrained=True).fingerprint
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert load(name, untrained=True).fingerprint == first


def test_random_weights_are_the_same_in_another_process() -> None:
    program = "import featviz; print(featviz.load('test_vit', untrained=True).fingerprint)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=HERE.parents[3],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == load("test_vit", untrained=True).fingerprint


@pytest.mark.parametrize("name", ["cueworld/vit", FOLDER])
def test_loading_weights_leaves_the_random_state_alone(name: str) -> None:
    before = torch.get_rng_state()
    load(name)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_remembers_how_it_was_loaded(weights_file: str) -> None:
    model = load(weights_file, arch="test_vit")
    assert (model.name, model.load_options) == (weights_file, LoadOptions(arch="test_vit"))
    assert load("test_vit", untrained=True).load_options.untrained
    assert load(FOLDER).name == FOLDER


def test_weights_have_one_fingerprint_however_they_are_loaded(weights_file: str) -> None:
    by_file = load(weights_file, arch="test_vit")
    assert by_file.fingerprint == load("test_vit", untrained=True).fingerprint


def test_a_known_name_goes_before_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_vit").mkdir()
    assert load("test_vit", untrained=True).image_size == 160
    with pytest.raises(FeatvizError, match=r"test_vit has no config\.json"):
        load("./test_vit")


def test_the_cpu_is_chosen_where_there_is_no_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load("test_vit", untrained=True, device="auto").device == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("cueworld/vti", {}, r"no model, .* 'cueworld/vti'; did you mean cueworld/vit,"),
        ("torchvision/resnet5", {}, r"did you mean torchvision/resnet50,"),
        ("torchvison/googlenet", {}, r"did you mean torchvision/googlenet,"),
        ("deit_smal_patch16_224", {}, r"did you mean deit_small_patch16_224,"),
        ("deit_smal_patch16_224", {"untrained": True}, r"did you mean deit_small_patch16_224,"),
        (
            "resnet18.nope",
            {},
            r"^resnet18 has no weights tagged 'nope'; available are a1_in1k, a2_in1k",
        ),
        ("", {}, r"no model, .* ''; `featviz models` lists all"),
        ("0" * 5000, {}, r"`featviz models` lists"),
        ("nul\0byte", {}, r"no model, file or folder"),
        ("./missing", {}, r"^there is no file or folder \./missing$"),
        ("missing.safetensors", {}, r"^there is no file or folder missing\.safetensors$"),
        ("missing", {"arch": "test_vit"}, r"^there is no file or folder missing$"),
        (
            "test_vit",
            {"arch": "test_vit"},
            r"^arch \(--arch\) needs a file .*; test_vit is an arch",
        ),
        ("cueworld/vit", {"untrained": True}, r"^cueworld/vit is bundled with its weights; untr"),
        (FOLDER, {"untrained": True}, r"usual has trained weights; untrained .* needs the name"),
        (FOLDER, {"arch": "test_vit"}, r"^arch \(--arch\) needs a file of weights; the folder"),
        (str(HERE), {}, r"/loading has no config\.json; .* model of transformers or timm"),
        ("cueworld/vit", {"device": "gpu"}, r"^no device 'gpu' here; available are auto, c"),
        (
            "cueworld/vit",
            {"device": "cuda:99"},
            r"^no device 'cuda:99' here; available are auto, c",
        ),
        (
            "mixer_s32_224",
            {},
            r"^timm has no trained weights of mixer_s32_224; use --untrained",
        ),
    ],
)
def test_an_error_is_one_line(name: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(name, **options)
    assert "\n" not in str(caught.value)


def test_a_path_is_a_file_or_folder_also_under_a_known_name(
    weights_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load("test_vit", untrained=True).fingerprint
    assert load(Path(weights_file), arch="test_vit").fingerprint == expected
    monkeypatch.chdir(tmp_path)
    Path(weights_file).rename("test_vit")
    model = load(Path("test_vit"), arch="test_vit")
    assert (model.name, model.fingerprint) == ("./test_vit", expected)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"name": None}, r"^name must be the name of a model or a path, got None$"),
        ({"name": b"test_vit"}, r"^name must be .*, got an object of type bytes$"),
        ({"device": None}, r"^device must be 'auto' or a device of torch, got None$"),
        ({"device": 0}, r"^device must be 'auto' or a device of torch, got 0$"),
        ({"device": "meta"}, r"^device 'meta' holds no values; available are auto, cpu"),
        ({"arch": ["resnet"]}, r"^arch .* must be the name of an architecture, got an object of"),
        ({"model_args": 3}, r"^model_args .* must be a dict of arguments by name, got 3$"),
    ],
)
def test_an_argument_of_another_type_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FeatvizError, match=complaint):
        load(**{"name": "test_vit", "untrained": True, **given})


def test_a_device_may_be_one_of_torch() -> None:
    model = load("test_vit", untrained=True, device=torch.device("cpu"))
    assert model.device == torch.device("cpu")


def test_a_file_of_weights_needs_an_architecture(weights_file: str) -> None:
    with pytest.raises(FeatvizError, match=r"safetensors has weights only; .* --arch resnet50"):
        load(weights_file)
    with pytest.raises(FeatvizError, match=r"has trained weights"):
        load(weights_file, untrained=True, arch="test_vit")


def test_a_model_of_oblong_images_is_refused() -> None:
    with pytest.raises(FeatvizError, match=r"3 channels of 1024 x 768 pixels; .* square RGB"):
        load("vit_base_patch16_sapiens2", untrained=True)


def test_load_gives_a_vision_model() -> None:
    assert isinstance(load("cueworld/resnet"), VisionModel)
