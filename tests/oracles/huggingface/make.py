"""Write the folders beside this file: small models of the transformers library, and their outputs.

The library computes the outputs (version 5.24.0 wrote the files in the repository), so the tests do
not need it. ``model.safetensors`` has the parameter names that transformers 4 and, by default, 5
write; ``renamed.safetensors``, where they differ, has those of
``save_pretrained(save_original_format=False)``. Run from the root of the repository, with the
library installed, for all cases or for those of some families:

    python -m tests.oracles.huggingface.make [FAMILY ...]
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

FOLDER = Path(__file__).parent
SIDE, PATCH = 16, 4
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
MLP: dict[str, Any] = {"intermediate_size": 21}
LABELS = {0: "stripe", 1: "dot", 2: "ring"}


@dataclass(frozen=True)
class Case:
    """A model of the library.

    Attributes
    ----------
    model, config : str
        Names of the classes.
    options : dict
        Arguments of the configuration.
    output : callable
        From the model and what it returns to what featviz's model shall return.
    tokens : callable
        From the model and what it returns to the tokens that the head reads, shape (N, T, C).
    processor : str
        Name of the class of the image processor.
    pixels : dict
        Arguments of the image processor.
    larger : bool
        Whether the model makes of larger images what timm makes of them: its resampling is that of
        timm, or it has none.
    """

    model: str
    config: str
    options: dict[str, Any]
    output: Callable[[Any, Any], Tensor]
    tokens: Callable[[Any, Any], Tensor]
    processor: str = "ViTImageProcessor"
    pixels: dict[str, Any] = field(default_factory=dict)
    larger: bool = False


def logits(_model: Any, output: Any) -> Tensor:
    """Return the logits."""
    return output.logits  # type: ignore[no-any-return]


def pooled(_model: Any, output: Any) -> Tensor:
    """Return the pooled tokens."""
    return output.pooler_output  # type: ignore[no-any-return]


def class_token(_model: Any, output: Any) -> Tensor:
    """Return the class token after the last norm."""
    return output.last_hidden_state[:, 0]  # type: ignore[no-any-return]


def of_tower(_model: Any, output: Any) -> Tensor:
    """Return what the vision tower of two pools; CLIP's is projected, but not normalized yet."""
    return output.vision_model_output.pooler_output  # type: ignore[no-any-return]


def last(_model: Any, output: Any) -> Tensor:
    """Return the last hidden state of a model."""
    hidden: Tensor | None = getattr(output, "last_hidden_state", None)
    return output.hidden_states[-1] if hidden is None else hidden


def normed(path: str) -> Callable[[Any, Any], Tensor]:
    """Apply the module at a path to the last hidden state."""
    return lambda model, output: model.get_submodule(path)(last(model, output))


WIDE = {**SMALL, "image_size": 24, "patch_size": 8, "num_labels": 3}
VIT = {**SMALL, **MLP, "layer_norm_eps": 1e-3}
CLIP_TEXT = {
    "vocab_size": 9,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "max_position_embeddings": 4,
}
CASES: dict[str, Case] = {
    "vit/usual": Case(
        "ViTForImageClassification",
        "ViTConfig",
        {**WIDE, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20},
        logits,
        normed("vit.layernorm"),
    ),
    "vit/unusual": Case(
        "ViTForImageClassification",
        "ViTConfig",
        # ``int(22 * (15 / 22))``, as in timm, is 14.
        {
            **WIDE,
            "hidden_size": 22,
            "intermediate_size": 15,
            "qkv_bias": False,
            "hidden_act": "gelu_new",
            "layer_norm_eps": 0.1,
            "id2label": LABELS,
        },
        logits,
        normed("vit.layernorm"),
        pixels={"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]},
    ),
    "vit/model": Case("ViTModel", "ViTConfig", VIT, class_token, last),
    "vit/masked": Case(
        "ViTForMaskedImageModeling",
        "ViTConfig",
        {**VIT, "encoder_stride": PATCH},
        lambda _model, output: output.tokens[:, 0],
        normed("vit.layernorm"),
    ),
    "vit/mae": Case("ViTMAEModel", "ViTMAEConfig", {**VIT, "mask_ratio": 0.0}, class_token, last),
    "vit/msn": Case(
        "ViTMSNForImageClassification",
        "ViTMSNConfig",
        {**VIT, "id2label": LABELS},
        logits,
        normed("vit.layernorm"),
    ),
    "deit/classifier": Case(
        "DeiTForImageClassification",
        "DeiTConfig",
        {**VIT, "id2label": LABELS},
        logits,
        normed("deit.layernorm"),
        "DeiTImageProcessor",
    ),
    "deit/teacher": Case(
        "DeiTForImageClassificationWithTeacher",
        "DeiTConfig",
        {**VIT, "id2label": LABELS},
        logits,
        normed("deit.layernorm"),
        "DeiTImageProcessor",
    ),
    "deit/model": Case("DeiTModel", "DeiTConfig", VIT, class_token, last, "DeiTImageProcessor"),
    "beit/classifier": Case(
        "BeitForImageClassification",
        "BeitConfig",
        {**VIT, "id2label": LABELS, "use_relative_position_bias": True},
        logits,
        last,
        "BeitImageProcessor",
    ),
    "beit/masked": Case(
        "BeitForMaskedImageModeling",
        "BeitConfig",
        {
            **VIT,
            "vocab_size": 7,
            "use_mask_token": True,
            "use_absolute_position_embeddings": True,
            "use_shared_relative_position_bias": True,
        },
        lambda _model, output: output.tokens[:, 0],
        normed("layernorm"),
        "BeitImageProcessor",
    ),
    "beit/model": Case(
        "BeitModel",
        "BeitConfig",
        {
            **VIT,
            "use_mean_pooling": False,
            "layer_scale_init_value": 0.0,
            "use_absolute_position_embeddings": True,
            "use_relative_position_bias": True,
            "use_shared_relative_position_bias": True,
        },
        pooled,
        last,
        "BeitImageProcessor",
    ),
    "dinov2/model": Case(
        "Dinov2Model", "Dinov2Config", {**SMALL, "mlp_ratio": 2}, pooled, last, "BitImageProcessor"
    ),
    "dinov2/classifier": Case(
        "Dinov2ForImageClassification",
        "Dinov2Config",
        {**SMALL, "mlp_ratio": 2, "id2label": LABELS, "use_swiglu_ffn": True},
        logits,
        normed("dinov2.layernorm"),
        "BitImageProcessor",
    ),
    "dinov2/registers": Case(
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        {**SMALL, "mlp_ratio": 2, "num_register_tokens": 3, "use_swiglu_ffn": True},
        pooled,
        last,
        "BitImageProcessor",
        larger=True,
    ),
    "dinov2/registers_classifier": Case(
        "Dinov2WithRegistersForImageClassification",
        "Dinov2WithRegistersConfig",
        {**SMALL, "mlp_ratio": 2, "num_register_tokens": 3, "id2label": LABELS},
        logits,
        normed("dinov2_with_registers.layernorm"),
        "BitImageProcessor",
    ),
    "clip/both": Case(
        "CLIPModel",
        "CLIPConfig",
        {
            "vision_config": {**VIT, "projection_dim": 5},
            "text_config": {**CLIP_TEXT, "projection_dim": 5},
            "projection_dim": 5,
        },
        of_tower,
        lambda model, output: model.vision_model.post_layernorm(
            output.vision_model_output.last_hidden_state
        ),
        "CLIPImageProcessor",
    ),
    "clip/vision": Case(
        "CLIPVisionModel",
        "CLIPVisionConfig",
        {**VIT, "hidden_act": "gelu"},
        pooled,
        normed("post_layernorm"),
        "CLIPImageProcessor",
    ),
    "clip/projection": Case(
        "CLIPVisionModelWithProjection",
        "CLIPVisionConfig",
        {**VIT, "projection_dim": 5},
        lambda _model, output: output.image_embeds,
        normed("vision_model.post_layernorm"),
        "CLIPImageProcessor",
    ),
    "clip/classifier": Case(
        "CLIPForImageClassification",
        "CLIPConfig",
        {"vision_config": VIT, "text_config": CLIP_TEXT, "id2label": LABELS},
        logits,
        last,
        "CLIPImageProcessor",
    ),
    "siglip/both": Case(
        "SiglipModel",
        "SiglipConfig",
        {"vision_config": VIT, "text_config": {**CLIP_TEXT, "projection_size": 16}},
        of_tower,
        lambda _model, output: output.vision_model_output.last_hidden_state,
        "SiglipImageProcessor",
    ),
    "siglip/vision": Case(
        "SiglipVisionModel",
        "SiglipVisionConfig",
        # No patch reads the last two pixels, as in the patches of 14 pixels of a side of 384.
        {**VIT, "image_size": SIDE + 2, "hidden_act": "gelu"},
        pooled,
        last,
        "SiglipImageProcessor",
    ),
    "siglip/classifier": Case(
        "SiglipForImageClassification",
        "SiglipConfig",
        {
            "vision_config": {**VIT, "vision_use_head": False},
            "text_config": {**CLIP_TEXT, "projection_size": 16},
            "id2label": LABELS,
        },
        logits,
        normed("vision_model.post_layernorm"),
        "SiglipImageProcessor",
    ),
    "siglip/two": Case(
        "Siglip2VisionModel",
        "Siglip2VisionConfig",
        {
            **{key: value for key, value in VIT.items() if key != "image_size"},
            "num_patches": (SIDE // PATCH) ** 2,
        },
        pooled,
        last,
        "SiglipImageProcessor",
    ),
    "dinov3/model": Case(
        "DINOv3ViTModel",
        "DINOv3ViTConfig",
        {**VIT, "num_register_tokens": 2},
        pooled,
        last,
        "DINOv3ViTImageProcessor",
        larger=True,
    ),
    "dinov3/gated": Case(
        "DINOv3ViTModel",
        "DINOv3ViTConfig",
        {**VIT, "use_gated_mlp": True, "hidden_act": "silu", "rope_theta": 50.0},
        pooled,
        last,
        "DINOv3ViTImageProcessor",
    ),
}

PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "as_usual": ("CLIPImageProcessor", {}),
    "rescaled_to_two": (
        "ViTImageProcessor",
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3},
    ),
    "not_rescaled": (
        "ViTImageProcessor",
        {"do_rescale": False, "image_mean": [124.0, 116.0, 104.0], "image_std": [58.0, 57.0, 56.0]},
    ),
    "not_normalized": ("DeiTImageProcessor", {"do_normalize": False, "rescale_factor": 1 / 127.5}),
    "as_they_are": ("BeitImageProcessor", {"do_normalize": False, "do_rescale": False}),
}
RAW = {"do_resize": False, "do_center_crop": False}


def main(families: list[str]) -> None:
    """Write the folders of some families, or of all."""
    library: Any = import_module("transformers")
    for name, case in CASES.items():
        if not families or name.partition("/")[0] in families:
            write_model(library, FOLDER / name, case)
    if not families or "processors" in families:
        for name, (kind, options) in PROCESSORS.items():
            write_pixels(library, FOLDER / "processors" / name, kind, options)


def write_model(library: Any, folder: Path, case: Case) -> None:
    """Write the configuration, weights in both formats, images, tokens and output of a model."""
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(1)
    config = getattr(library, case.config)(**case.options)
    model = getattr(library, case.model)(config).eval()
    for weight in model.parameters():
        # Includes biases and scales, whose initial zeros and ones would hide mistakes.
        torch.nn.init.normal_(weight, std=0.4)
    processor = getattr(library, case.processor)(**{**RAW, **case.pixels})
    vision = getattr(config, "vision_config", config)
    side = getattr(vision, "image_size", SIDE)
    results = run(case, model, processor, side)
    if case.larger:
        larger = run(case, model, processor, side + 2 * PATCH)
        results |= {f"larger_{key}": value for key, value in larger.items()}
    model.save_pretrained(folder, save_original_format=False)
    (folder / "model.safetensors").rename(folder / "renamed.safetensors")
    model.save_pretrained(folder)
    if (folder / "renamed.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes():
        (folder / "renamed.safetensors").unlink()
    processor.save_pretrained(folder)
    save_file(results, folder / "expected.safetensors")


def run(case: Case, model: Any, processor: Any, side: int) -> dict[str, Tensor]:
    """Return random images of a size, and the tokens and the output for them."""
    images = torch.randint(256, (2, 3, side, side), dtype=torch.uint8)
    pixels = processor(images, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        output = model(**inputs_of(case, pixels), output_hidden_states=True)
        output.tokens = case.tokens(model, output)
        results = {"tokens": output.tokens, "output": case.output(model, output)}
    return {"images": images, **{key: value.contiguous() for key, value in results.items()}}


def inputs_of(case: Case, pixels: Tensor) -> dict[str, Any]:
    """Return the arguments of the model."""
    if case.model in ("CLIPModel", "SiglipModel"):
        return {"pixel_values": pixels, "input_ids": torch.tensor([[1, 2, 3, 4]])}
    if case.model == "ViTMAEModel":
        # Patches are sorted by noise before some of them are left out.
        return {"pixel_values": pixels, "noise": torch.arange(16.0).expand(len(pixels), -1)}
    if case.model == "Siglip2VisionModel":
        grid = SIDE // PATCH
        patches = pixels.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 4, 5, 1)
        count = len(pixels)
        return {
            "pixel_values": patches.reshape(count, grid**2, -1),
            "pixel_attention_mask": torch.ones(count, grid**2, dtype=torch.long),
            "spatial_shapes": torch.tensor([[grid, grid]] * count),
        }
    return {"pixel_values": pixels}


def write_pixels(library: Any, folder: Path, kind: str, options: dict[str, Any]) -> None:
    """Write the configuration of an image processor, images, and what it makes of them."""
    shutil.rmtree(folder, ignore_errors=True)
    processor = getattr(library, kind)(**RAW, **options)
    torch.manual_seed(1)
    images = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8)
    pixels = processor(images, return_tensors="pt")["pixel_values"].float()
    processor.save_pretrained(folder)
    written = json.loads((folder / "preprocessor_config.json").read_text())
    assert written["image_processor_type"].startswith(kind)
    save_file({"images": images, "pixels": pixels}, folder / "expected.safetensors")


if __name__ == "__main__":
    main(sys.argv[1:])
