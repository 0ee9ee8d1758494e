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

ORACLE = Path(__file__).parents[4] / "oracles" / "huggingface" / "vit"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ORACLE / "usual", tmp_path / "vit"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_side_statistics_labels_and_tokens_come_from_the_folder() -> None:
    model = load(str(ORACLE / "unusual"))
    assert model.image_size == 24
    assert (model.mean, model.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert model.classes == ("stripe", "dot", "ring")
    assert (model.prefix_tokens, model.has_class_token) == (1, True)


def test_labels_that_are_only_numbers_are_not_known_names() -> None:
    assert load(str(ORACLE / "usual")).classes == ()


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
        ({"model_type": "swin"}, r"config\.json: model_type is 'swin', not one of vit, .* clip, "),
        ({"model_type": None}, r"model_type is None, not one of vit, "),
        ({"model_type": ["vit"]}, r"model_type is \['vit'\], not one of vit, "),
        ({"num_channels": 1}, r"num_channels is 1, not 3: .* RGB"),
        ({"image_size": [24, 32]}, r"image_size is \[24, 32\], not the side of a square"),
        ({"image_size": 6}, r"patch_size is 8, not at most the image_size 6"),
        ({"num_attention_heads": 5}, r"num_attention_heads is 5, not a divisor of hidden_size 12"),
        ({"num_attention_heads": "3"}, r"num_attention_heads is '3', not a positive integer"),
        ({"num_hidden_layers": 0}, r"num_hidden_layers is 0, not a positive integer"),
        ({"hidden_act": "tanh"}, r"hidden_act is 'tanh', not one of gelu, .*gelu_new, "),
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
    ("text", "complaint"),
    [("{", r"config\.json cannot be read as JSON"), ("[1]", r"config\.json is not a JSON object")],
)
def test_a_file_that_is_not_a_configuration_is_refused(
    folder: Path, text: str, complaint: str
) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(FeatvizError, match=complaint):
        load(str(folder))


def test_a_folder_without_a_configuration_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(
        FeatvizError, match=r"has no config\.json; a folder must contain a model of"
    ):
        load(str(folder))


def test_a_missing_key_projection_is_named(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["vit.encoder.layer.1.attention.attention.key.weight"]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(FeatvizError, match=r"1 missing: blocks\.1\.attn\.qkv\.weight"):
        load(str(folder))


def test_a_side_that_is_no_multiple_of_the_patch_reads_whole_patches(folder: Path) -> None:
    edit(folder / "config.json", image_size=28)
    model = load(str(folder), device="cpu")
    assert (model.image_size, model.fingerprint) == (24, load(str(ORACLE / "usual")).fingerprint)


@pytest.mark.parametrize(
    ("size", "complaint"),
    [
        (30, r"image_size .* 30 is not a multiple of the 8 pixels of a patch"),
        (4, r"image_size .* 4 "),
    ],
)
def test_a_size_with_incomplete_patches_is_refused(folder: Path, size: int, complaint: str) -> None:
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(str(folder), image_size=size)
    assert "\n" not in str(caught.value)


def test_loading_leaves_the_random_state_as_it_was(folder: Path) -> None:
    before = torch.get_rng_state()
    load(str(folder))
    assert torch.equal(torch.get_rng_state(), before)
