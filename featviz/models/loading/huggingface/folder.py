"""Folders of a Hugging Face ``ViTForImageClassification``, loaded as timm's vision transformer."""

from __future__ import annotations

import json
from functools import partial, reduce
from pathlib import Path
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints import load_strictly, read_state_dict
from featviz.models.vision_model import Rgb, VisionModel

# Hugging Face's name of an activation -> timm's.
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}

# Parts of Hugging Face's parameter names -> timm's, replaced in this order.
_RENAMED = {
    "vit.embeddings.cls_token": "cls_token",
    "vit.embeddings.position_embeddings": "pos_embed",
    "vit.embeddings.patch_embeddings.projection": "patch_embed.proj",
    "vit.encoder.layer": "blocks",
    "layernorm_before": "norm1",
    "attention.attention": "attn",
    "attention.output.dense": "attn.proj",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "vit.layernorm": "norm",
    "classifier": "head",
}

# Old files have a pooler, which is not used for the logits, or the token of masked training.
_UNUSED = ("vit.pooler.", "vit.embeddings.mask_token")


def load_folder(folder: Path) -> VisionModel:
    """Load ``config.json`` and ``model.safetensors`` of an image classifier as a module of timm.

    The logits equal those of the original. Mean and standard deviation of the pixels are read from
    ``preprocessor_config.json``; without this file they are 0.5, as for the original.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If a file is missing or damaged, the model is not a ViT that classifies square RGB images,
        or its weights do not match its configuration.

    Source: ``models/vit`` of Hugging Face transformers; Dosovitskiy et al., "An Image is Worth
    16x16 Words", 2021.
    """
    config = _Json(folder / "config.json")
    _refuse_other_models(config, folder)
    weights = folder / "model.safetensors"
    state = _to_timm(read_state_dict(weights))
    classes = state["head.weight"].shape[0] if "head.weight" in state else 0
    # Initial weights must not be drawn from the caller's random state.
    with torch.random.fork_rng(devices=[]):
        module = _build(config, classes)
    load_strictly(module, state, weights)
    size = config.side("image_size", 224)
    mean, std = _pixel_statistics(folder / "preprocessor_config.json")
    return VisionModel(str(folder), module, size, mean, std, _labels(config, classes))


class _Json:
    """A JSON object in a file, with validated access to its entries."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.entries = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise FeatvizError(
                f"{path.parent} has no {path.name}; a folder must contain a Hugging Face ViT"
            ) from error
        except (OSError, ValueError) as error:
            raise FeatvizError(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(self.entries, dict):
            raise FeatvizError(f"{path} is not a JSON object")

    def get(self, key: str, default: Any = None) -> Any:
        return self.entries.get(key, default)

    def positive(self, key: str, default: int) -> int:
        """Return a positive integer."""
        value = self.get(key, default)
        if type(value) is not int or value < 1:
            raise self.wrong(key, "a positive integer")
        return value

    def side(self, key: str, default: int) -> int:
        """Return the side of a square in pixels, given as a number or as height and width."""
        value = self.get(key, default)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            value = value[0]
        if type(value) is not int or value < 1:
            raise self.wrong(key, "the side of a square in pixels")
        return value

    def rgb(self, key: str) -> Rgb:
        """Return three numbers, one per channel."""
        value = self.get(key, [0.5] * 3)
        numbers = isinstance(value, list) and all(type(part) in (int, float) for part in value)
        if not numbers or len(value) != 3:
            raise self.wrong(key, "three numbers")
        red, green, blue = map(float, value)
        return red, green, blue

    def wrong(self, key: str, right: str) -> FeatvizError:
        return FeatvizError(f"{self.path}: {key} is {self.get(key)!r}, not {right}")


def _refuse_other_models(config: _Json, folder: Path) -> None:
    if "architecture" in config.entries:
        raise FeatvizError(
            f"{folder} is a model of timm; load its model.safetensors "
            f"with --arch {config.get('architecture')}"
        )
    if config.get("model_type") != "vit":
        raise config.wrong("model_type", "'vit', the only one that featviz reads from a folder")
    kinds = config.get("architectures") or ["ViTForImageClassification"]
    if "ViTForImageClassification" not in kinds:
        raise config.wrong("architectures", "ViTForImageClassification")
    if config.positive("num_channels", 3) != 3:
        raise config.wrong("num_channels", "3: featviz needs a model of RGB images")


def _build(config: _Json, classes: int) -> VisionTransformer:
    """Build the module; missing entries of the configuration have the defaults of ``ViTConfig``."""
    width, heads = config.positive("hidden_size", 768), config.positive("num_attention_heads", 12)
    size, patch = config.side("image_size", 224), config.side("patch_size", 16)
    if width % heads:
        raise config.wrong("num_attention_heads", f"a divisor of hidden_size {width}")
    if size % patch:
        raise config.wrong("patch_size", f"a divisor of image_size {size}")
    activation, epsilon = config.get("hidden_act", "gelu"), config.get("layer_norm_eps", 1e-12)
    if activation not in _ACTIVATIONS:
        raise config.wrong("hidden_act", f"one of {', '.join(_ACTIVATIONS)}")
    if type(epsilon) not in (int, float) or epsilon < 0:
        raise config.wrong("layer_norm_eps", "a number >= 0")
    # timm truncates ``width * mlp_ratio``.
    ratio = (config.positive("intermediate_size", 3072) + 0.5) / width
    return VisionTransformer(
        img_size=size,
        patch_size=patch,
        num_classes=classes,
        embed_dim=width,
        depth=config.positive("num_hidden_layers", 12),
        num_heads=heads,
        mlp_ratio=ratio,
        qkv_bias=bool(config.get("qkv_bias", True)),
        act_layer=_ACTIVATIONS[activation],
        norm_layer=partial(nn.LayerNorm, eps=epsilon),
    )


def _to_timm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters and stack queries, keys and values, as timm has them."""
    renamed = {
        reduce(lambda text, pair: text.replace(*pair), _RENAMED.items(), name): part
        for name, part in state.items()
        if not name.startswith(_UNUSED)
    }
    for name in [name for name in renamed if ".attn.query." in name]:
        names = [name.replace("query", part) for part in ("query", "key", "value")]
        # If one is missing or has another shape, the names stay and `load_strictly` raises.
        if len({renamed[part].shape if part in renamed else None for part in names}) == 1:
            stacked = torch.cat([renamed.pop(part) for part in names])
            renamed[name.replace("query", "qkv")] = stacked
    return renamed


def _labels(config: _Json, classes: int) -> tuple[str, ...]:
    """Names of the classes; none if they are only numbered or incomplete."""
    names = config.get("id2label") or {}
    labels = tuple(str(names.get(str(index))) for index in range(classes))
    numbered = tuple(f"LABEL_{index}" for index in range(classes))
    return () if len(names) != classes or labels == numbered else labels


def _pixel_statistics(path: Path) -> tuple[Rgb, Rgb]:
    if not path.exists():
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    config = _Json(path)
    if config.get("do_normalize") is False:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    mean, std = config.rgb("image_mean"), config.rgb("image_std")
    if min(std) <= 0:
        raise config.wrong("image_std", "three positive numbers")
    return mean, std
