from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from featviz.errors import FeatvizError
from featviz.models.loading.load import load

ARGUMENTS = {"embed_dim": 16, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 8}


def write(folder: Path, name: str, arguments: dict[str, Any], **config: Any) -> Path:
    """Write a folder as timm does, with random weights."""
    torch.manual_seed(1)
    module: Any = timm.create_model(name, num_classes=3, **arguments)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    module.pretrained_cfg |= {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), **config}
    timm.models.save_for_hf(
        module,
        str(folder),
        model_args=arguments,
        model_config={"label_names": ["a", "b", "c"]},
        safe_serialization="both",
    )
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model", "vit_tiny_patch16_224", ARGUMENTS, input_size=(3, 32, 32))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("name", "arguments", "side"),
    [
        ("resnet18", {"channels": (8, 8, 8, 8)}, 224),
        ("vit_tiny_patch16_224", {**ARGUMENTS, "global_pool": "avg", "reg_tokens": 2}, 32),
    ],
)
def test_a_folder_is_loaded_as_timm_loads_it(
    tmp_path: Path, name: str, arguments: dict[str, Any], side: int
) -> None:
    folder = write(tmp_path / "a #1 ?", name, arguments, input_size=(3, side, side))
    model = load(str(folder), device="cpu")
    original = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.rand(2, 3, side, side)
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    with torch.no_grad():
        expected = original((images - mean) / std)
    assert expected.shape == (2, 3)
    assert model.image_size == side
    assert model.classes == ("a", "b", "c")
    torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-5)


def test_another_size_is_resampled_as_timm_does(folder: Path) -> None:
    model = load(str(folder), device="cpu", image_size=48)
    original = timm.create_model(f"local-dir:{folder}", pretrained=True, img_size=48).eval()
    images = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        torch.testing.assert_close(model(images), original(model.normalize(images)))


def test_models_for_any_size_take_another_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "resnet18", {"channels": (8, 8, 8, 8)})
    model = load(str(folder), device="cpu", image_size=64)
    assert model.image_size == 64
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 3)
    assert model.fingerprint != load(str(folder), device="cpu").fingerprint


def test_folders_of_timm_that_transformers_wrote_are_loaded(folder: Path) -> None:
    expected = load(str(folder), device="cpu").fingerprint
    file = folder / "model.safetensors"
    save_file({f"timm_model.{name}": part for name, part in load_file(file).items()}, file)
    edit(folder / "config.json", model_type="timm_wrapper")
    assert load(str(folder), device="cpu").fingerprint == expected


def test_a_pickle_of_weights_is_read(folder: Path) -> None:
    expected = load(str(folder), device="cpu").fingerprint
    (folder / "model.safetensors").unlink()
    assert load(str(folder), device="cpu").fingerprint == expected


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"architecture": "vit_enormous"}, r"architecture is 'vit_enormous', not one that timm"),
        ({"architecture": None}, r"architecture is None, not one that timm knows"),
        ({"model_args": {"depth": "two"}}, r"timm cannot make vit_tiny_patch16_224 of it: "),
        ({"model_args": {**ARGUMENTS, "widths": 3}}, r"timm cannot make .* of it: .*'widths'"),
        ({"model_args": {**ARGUMENTS, "depth": 3}}, r"does not fit .*missing: blocks\.2\."),
        ({"model_args": {**ARGUMENTS, "num_classes": 4}}, r"does not fit .*head\.weight"),
        ({"model_args": {**ARGUMENTS, "in_chans": 1}}, r"does not fit|1 channels"),
    ],
)
def test_an_invalid_folder_is_refused_in_one_line(
    folder: Path, changes: dict[str, Any], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(folder / "config.json", **changes)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
