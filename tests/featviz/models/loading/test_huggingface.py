from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from featviz.errors import FeatvizError
from featviz.models.loading.load import load

ORACLE = Path(__file__).parents[3] / "oracles" / "huggingface_vit"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ORACLE / "usual", tmp_path / "vit"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("variant", ["usual", "unusual"])
def test_logits_are_those_of_the_transformers_library(variant: str) -> None:
    model = load(str(ORACLE / variant), device="cpu")
    expected = load_file(ORACLE / variant / "expected.safetensors")
    with torch.no_grad():
        logits = model.module(model.normalize(expected["images"].float() / 255))
    torch.testing.assert_close(logits, expected["logits"], rtol=1e-5, atol=1e-6)


def test_side_statistics_labels_and_tokens_come_from_the_folder() -> None:
    model = load(str(ORACLE / "unusual"))
    assert model.image_size == 24
    assert (model.mean, model.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert model.classes == ("stripe", "dot", "ring")
    assert (model.prefix_tokens, model.has_class_token) == (1, True)


def test_labels_that_are_only_numbers_are_not_known_names() -> None:
    assert load(str(ORACLE / "usual")).classes == ()


def test_without_statistics_pixels_are_normalized_by_one_half(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    model = load(str(folder))
    assert (model.mean, model.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_pixels_are_left_as_they_are_where_the_original_does_not_normalize(folder: Path) -> None:
    edit(folder / "preprocessor_config.json", do_normalize=False)
    images = torch.rand(1, 3, 2, 2)
    torch.testing.assert_close(load(str(folder), device="cpu").normalize(images), images)


def test_what_a_configuration_leaves_out_has_the_default_of_the_library(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key in ("layer_norm_eps", "hidden_act", "qkv_bias", "num_channels"):
        del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    assert load(str(folder)).fingerprint == load(str(ORACLE / "usual")).fingerprint


def test_sizes_may_be_written_as_height_and_width(folder: Path) -> None:
    edit(folder / "config.json", image_size=[24, 24], patch_size=[8, 8])
    assert load(str(folder)).image_size == 24


def test_parts_that_take_no_part_in_the_logits_are_left_out(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["vit.pooler.dense.weight"] = torch.ones(12, 12)
    state["vit.embeddings.mask_token"] = torch.ones(1, 1, 12)
    save_file(state, folder / "model.safetensors")
    assert load(str(folder)).fingerprint == load(str(ORACLE / "usual")).fingerprint


def test_a_model_without_a_classifier_has_features_for_outputs(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    headless = {name: part for name, part in state.items() if not name.startswith("classifier")}
    save_file(headless, folder / "model.safetensors")
    model = load(str(folder), device="cpu")
    assert model.module(torch.zeros(1, 3, 24, 24)).shape == (1, 12)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "dinov2"}, r"config\.json: model_type is 'dinov2', not 'vit'"),
        ({"model_type": None}, r"model_type is None, not 'vit'"),
        ({"architectures": ["ViTModel"]}, r"\['ViTModel'\], not ViTForImageClassification"),
        ({"architecture": "resnet18"}, r"is a model of timm; .* --arch resnet18$"),
        ({"num_channels": 1}, r"num_channels is 1, not 3: .* RGB"),
        ({"image_size": [24, 32]}, r"image_size is \[24, 32\], not the side of a square"),
        ({"image_size": 28}, r"patch_size is 8, not a divisor of image_size 28"),
        ({"num_attention_heads": 5}, r"num_attention_heads is 5, not a divisor of hidden_size 12"),
        ({"num_attention_heads": "3"}, r"num_attention_heads is '3', not a positive integer"),
        ({"num_hidden_layers": 0}, r"num_hidden_layers is 0, not a positive integer"),
        ({"hidden_act": "tanh"}, r"hidden_act is 'tanh', not one of gelu, gelu_new"),
        ({"layer_norm_eps": None}, r"layer_norm_eps is None, not a number"),
        ({"num_hidden_layers": 3}, r"does not fit .* 12 missing: blocks\.2\.norm1\.weight"),
        ({"intermediate_size": 21}, r"4 mis-shaped|6 mis-shaped"),
        ({"qkv_bias": False}, r"2 unexpected: blocks\.0\.attn\.qkv\.bias"),
    ],
)
def test_an_invalid_configuration_is_refused_in_one_line(
    folder: Path, changes: dict[str, Any], complaint: str
) -> None:
    edit(folder / "config.json", **changes)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image_mean": [0.5]}, r"image_mean is \[0\.5\], not three numbers"),
        ({"image_std": [0.5, 0, 0.5]}, r"image_std is \[0\.5, 0, 0\.5\], not three positive"),
    ],
)
def test_invalid_pixel_statistics_are_refused(
    folder: Path, changes: dict[str, Any], complaint: str
) -> None:
    edit(folder / "preprocessor_config.json", **changes)
    with pytest.raises(FeatvizError, match=complaint):
        load(str(folder))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", r"config\.json cannot be read as JSON"), ("[1]", r"config\.json is not a JSON object")],
)
def test_a_file_that_is_not_a_configuration_is_refused(
    folder: Path, text: str, complaint: str
) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(FeatvizError, match=complaint):
        load(str(folder))


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(FeatvizError, match=r"cannot read .*model\.safetensors"):
        load(str(folder))


def test_a_missing_key_projection_is_named(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["vit.encoder.layer.1.attention.attention.key.weight"]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(FeatvizError, match=r"1 missing: blocks\.1\.attn\.qkv\.weight"):
        load(str(folder))
