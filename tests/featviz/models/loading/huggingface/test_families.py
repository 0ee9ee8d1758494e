"""Folders of the transformers library as modules of timm; see also `test_forms`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel

ORACLES = Path(__file__).parents[4] / "oracles" / "huggingface"
CASES = sorted(str(file.parent.relative_to(ORACLES)) for file in ORACLES.glob("*/*/config.json"))


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the oracle that a test names."""
    return Path(shutil.copytree(ORACLES / request.param, tmp_path / "model"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def results(model: VisionModel, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens that the head reads, and the output."""
    side = model.image_size
    inputs = images[..., :side, :side].float() / 255
    module: Any = model.module
    with torch.no_grad():
        return module.forward_features(model.normalize(inputs)), model(inputs)


def assert_equal_to_the_original(model: VisionModel, case: str, prefix: str = "") -> None:
    expected = load_file(ORACLES / case / "expected.safetensors")
    tokens, output = results(model, expected[f"{prefix}images"])
    torch.testing.assert_close(tokens, expected[f"{prefix}tokens"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output, expected[f"{prefix}output"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [
        # As transformers 4 writes these models, and as they are inside of a larger one.
        ("clip/vision", "vision_model."),
        ("siglip/vision", "vision_model."),
        ("vit/model", "vit."),
        ("deit/model", "deit."),
        ("beit/model", "beit."),
        ("dinov2/model", "dinov2."),
        ("dinov2/registers", "dinov2_with_registers."),
    ],
    indirect=["folder"],
)
def test_the_name_of_the_model_may_come_first(folder: Path, prefix: str) -> None:
    plain = load(str(folder), device="cpu").fingerprint
    file = folder / "model.safetensors"
    save_file({f"{prefix}{name}": part for name, part in load_file(file).items()}, file)
    assert load(str(folder), device="cpu").fingerprint == plain


@pytest.mark.parametrize("case", CASES)
def test_every_block_has_units(case: str) -> None:
    model = load(str(ORACLES / case), device="cpu")
    owners = {site.owner for site in model.sites.values()}
    for block in range(2):
        assert {f"blocks.{block}.attn.proj", f"blocks.{block}.mlp.fc2"} <= owners


@pytest.mark.parametrize(
    ("case", "tokens", "has_class_token"),
    [
        ("vit/usual", 1, True),
        ("deit/classifier", 2, True),
        ("deit/teacher", 2, True),
        ("beit/classifier", 1, True),
        ("dinov2/classifier", 1, True),
        ("dinov2/registers", 4, True),
        ("dinov3/model", 3, True),
        ("dinov3/gated", 1, True),
        ("clip/both", 1, True),
        ("siglip/both", 0, False),
    ],
)
def test_prefix_tokens_are_known(case: str, tokens: int, has_class_token: bool) -> None:
    model = load(str(ORACLES / case), device="cpu")
    assert (model.prefix_tokens, model.has_class_token) == (tokens, has_class_token)


@pytest.mark.parametrize("case", ["dinov2/registers", "dinov3/model"])
def test_larger_images_give_what_the_original_makes_of_them(case: str) -> None:
    model = load(str(ORACLES / case), device="cpu", image_size=24)
    assert model.image_size == 24
    assert_equal_to_the_original(model, case, "larger_")


@pytest.mark.parametrize(
    ("case", "size", "grid", "prefix"),
    [
        ("vit/usual", 40, 5, 1),
        ("deit/teacher", 8, 2, 2),
        ("clip/vision", 24, 6, 1),
        ("siglip/two", 24, 6, 0),
    ],
)
def test_positions_are_resampled_as_timm_does(case: str, size: int, grid: int, prefix: int) -> None:
    original, other = (load(str(ORACLES / case), device="cpu", image_size=s) for s in (None, size))
    expected = resample_abs_pos_embed(
        original.module.get_parameter("pos_embed"), [grid, grid], num_prefix_tokens=prefix
    )
    torch.testing.assert_close(other.module.get_parameter("pos_embed"), expected, rtol=0, atol=0)
    assert (
        other(torch.rand(1, 3, size, size)).shape
        == original(torch.rand(1, 3, original.image_size, original.image_size)).shape
    )
    assert other.fingerprint != original.fingerprint


def test_relative_positions_of_beit_are_resampled() -> None:
    model = load(str(ORACLES / "beit/model"), device="cpu", image_size=24)
    assert model.module.get_parameter("blocks.0.attn.relative_position_bias_table").shape == (
        124,
        2,
    )
    assert model(torch.rand(1, 3, 24, 24)).shape == (1, 16)


def test_pixels_that_no_patch_covers_are_left_out() -> None:
    # Of 18 pixels, patches of 4 cover 16, as those of 14 pixels cover 378 of 384.
    assert json.loads((ORACLES / "siglip/vision/config.json").read_text())["image_size"] == 18
    assert load(str(ORACLES / "siglip/vision")).image_size == 16


@pytest.mark.parametrize(
    ("case", "labels"),
    [
        ("vit/unusual", ("stripe", "dot", "ring")),
        ("vit/usual", ()),
        ("deit/teacher", ("stripe", "dot", "ring")),
        ("dinov2/classifier", ("stripe", "dot", "ring")),
        ("siglip/classifier", ("stripe", "dot", "ring")),
        # Its outputs are no classes.
        ("clip/both", ()),
        ("dinov3/model", ()),
    ],
)
def test_outputs_of_classifiers_have_names(case: str, labels: tuple[str, ...]) -> None:
    assert load(str(ORACLES / case)).classes == labels


@pytest.mark.parametrize("folder", ["clip/vision"], indirect=True)
def test_the_activation_of_clip_is_that_of_its_configuration(folder: Path) -> None:
    exact = load(str(folder), device="cpu")
    config = json.loads((folder / "config.json").read_text())
    assert config.pop("hidden_act") == "gelu"
    # Without the entry it is that of OpenAI's weights.
    (folder / "config.json").write_text(json.dumps(config))
    quick = load(str(folder), device="cpu")
    images = torch.rand(1, 3, 16, 16)
    assert (exact(images) - quick(images)).abs().max() > 1e-3
    edit(folder / "config.json", hidden_act="quick_gelu")
    assert torch.equal(load(str(folder), device="cpu")(images), quick(images))


@pytest.mark.parametrize("folder", ["clip/both"], indirect=True)
def test_old_configurations_of_clip_have_the_vision_tower_twice(folder: Path) -> None:
    expected = load(str(folder), device="cpu").fingerprint
    config = json.loads((folder / "config.json").read_text())
    config["vision_config_dict"] = config.pop("vision_config")
    (folder / "config.json").write_text(json.dumps(config))
    assert load(str(folder), device="cpu").fingerprint == expected


@pytest.mark.parametrize("folder", ["beit/classifier"], indirect=True)
def test_indices_of_relative_positions_in_old_files_are_left_out(folder: Path) -> None:
    expected = load(str(folder), device="cpu").fingerprint
    state = load_file(folder / "model.safetensors")
    attention = "beit.encoder.layer.1.attention.attention.relative_position_bias"
    state[f"{attention}.relative_position_index"] = torch.zeros(17, 17, dtype=torch.int64)
    save_file(state, folder / "model.safetensors")
    assert load(str(folder), device="cpu").fingerprint == expected


@pytest.mark.parametrize("folder", ["dinov3/model"], indirect=True)
def test_biases_that_dinov3_lacks_are_zero(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    zeroed = ("q_proj.bias", "mlp.up_proj.bias")
    save_file(
        {
            name: torch.zeros_like(part) if name.endswith(zeroed) else part
            for name, part in state.items()
        },
        folder / "model.safetensors",
    )
    expected = load(str(folder), device="cpu").fingerprint
    rest = {name: part for name, part in state.items() if not name.endswith(zeroed)}
    save_file(rest, folder / "model.safetensors")
    assert load(str(folder), device="cpu").fingerprint == expected


@pytest.mark.parametrize(
    ("folder", "changes", "complaint"),
    [
        ("beit/model", {"hidden_act": "relu"}, r"hidden_act is 'relu', not 'gelu', the only one"),
        ("beit/model", {"use_relative_position_bias": False}, r"unexpected.*blocks\.0\.attn"),
        ("dinov2/model", {"use_swiglu_ffn": True}, r"does not fit a VisionTransformer"),
        ("dinov2/model", {"mlp_ratio": "4"}, r"mlp_ratio is '4', not a number >= 0"),
        ("dinov3/model", {"hidden_act": "relu"}, r"hidden_act is 'relu', not 'gelu'"),
        ("dinov3/model", {"key_bias": True}, r"key_bias is True, not False"),
        ("dinov3/model", {"num_attention_heads": 8}, r"num_attention_heads is 8, not such that"),
        ("clip/both", {"vision_config": 3}, r"vision_config is 3, not an object"),
        (
            "clip/both",
            {"vision_config": {"hidden_size": 15}},
            r"vision_config\.num_attention_heads is 12, not a divisor of hidden_size 15",
        ),
        ("siglip/two", {"num_patches": 15}, r"num_patches is 15, not a square number"),
    ],
    indirect=["folder"],
)
def test_what_timm_cannot_represent_is_refused_in_one_line(
    folder: Path, changes: dict[str, Any], complaint: str
) -> None:
    edit(folder / "config.json", **changes)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_a_missing_tensor_is_named(case: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ORACLES / case, tmp_path / "model"))
    state = load_file(folder / "model.safetensors")
    del state[_second_mlp(state)]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(FeatvizError, match=r"missing.*blocks\.1\.mlp\.fc2\.weight"):
        load(str(folder))


def _second_mlp(state: dict[str, Tensor]) -> str:
    """Return the name of the last weight of the MLP in the second block of the vision tower."""
    last = (".output.dense.weight", ".fc2.weight", ".weights_out.weight", ".down_proj.weight")
    names = [name for name in state if name.endswith(last) and "text_model" not in name]
    return next(name for name in names if ".1." in name and "attention" not in name)
