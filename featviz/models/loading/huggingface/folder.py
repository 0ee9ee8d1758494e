"""Folders with ``config.json`` and weights, loaded as modules of timm."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.fitting import load_strictly
from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families import (
    beit,
    clip,
    deit,
    dinov2,
    dinov3,
    siglip,
    vit,
)
from featviz.models.loading.huggingface.families.transformer import Built
from featviz.models.loading.huggingface.folder_weights import read_weights
from featviz.models.loading.huggingface.image_processor import (
    CLIP,
    HALF,
    IMAGENET,
    Statistics,
    pixel_statistics,
)
from featviz.models.loading.huggingface.json_config import JsonConfig, read_json
from featviz.models.loading.huggingface.timm_folder import load_timm_folder
from featviz.models.loading.registry import reproducible
from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class _Family:
    """How the models of a `model_type` become modules of timm.

    Attributes
    ----------
    build : callable
        From configuration and weights to a module of timm and its weights.
    statistics : ((float, float, float), (float, float, float))
        Mean and standard deviation of the pixels it was trained on, for a folder without an image
        processor.
    """

    build: Callable[[JsonConfig, State], Built]
    statistics: Statistics


_FAMILIES = {
    "vit": _Family(vit.build, HALF),
    "vit_mae": _Family(vit.build, IMAGENET),
    "vit_msn": _Family(vit.build, IMAGENET),
    "deit": _Family(deit.build, IMAGENET),
    "beit": _Family(beit.build, HALF),
    "dinov2": _Family(dinov2.build, IMAGENET),
    "dinov2_with_registers": _Family(dinov2.build, IMAGENET),
    "dinov3_vit": _Family(dinov3.build, IMAGENET),
    "clip": _Family(clip.build, CLIP),
    "clip_vision_model": _Family(clip.build, CLIP),
    "siglip": _Family(siglip.build, HALF),
    "siglip_vision_model": _Family(siglip.build, HALF),
    "siglip2": _Family(siglip.build, HALF),
    "siglip2_vision_model": _Family(siglip.build, HALF),
}


def load_folder(folder: Path, image_size: int | None = None) -> VisionModel:
    """Load a folder of the transformers library or of timm as a module of timm.

    The tokens after the last norm and the output equal those of the original: logits of a
    classifier, the image embedding of CLIP's projection, or else the pooled tokens. Text towers,
    decoders and tokens of masked training, and the pooler of ViT and DeiT are left out.

    Parameters
    ----------
    folder : Path
        With ``config.json``, weights as `read_weights` describes, and for transformers optionally
        the image processor that `pixel_statistics` reads.
    image_size : int, optional
        Side of the inputs in pixels; by default that of the configuration. Position embeddings are
        resampled as timm does.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If a file is missing or damaged, the model is not one of a known family that reads square
        RGB images, its weights do not match its configuration, or `image_size` does not fit.
    """
    path = folder / "config.json"
    if not path.exists():
        raise FeatvizError(
            f"{folder} has no config.json; a folder must contain a model of transformers or timm"
        )
    config = read_json(path)
    is_timm = "architecture" in config.entries
    model = load_timm_folder(folder, config) if is_timm else _load_transformer(folder, config)
    if image_size not in (None, model.image_size):
        _resize(model, image_size)
    return model


def _load_transformer(folder: Path, config: JsonConfig) -> VisionModel:
    """Load a folder of the transformers library."""
    kind = config.get("model_type")
    family = _FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise config.wrong("model_type", f"one of {', '.join(_FAMILIES)}")
    mean, std = pixel_statistics(folder, family.statistics)
    state, weights = read_weights(folder)
    with reproducible():
        built, state = family.build(config, state)
    load_strictly(built, state, weights)
    module: Any = built
    side, labels = module.patch_embed.img_size[0], _labels(config, module)
    return VisionModel(str(folder), module, side, mean, std, labels)


def _resize(model: VisionModel, image_size: int) -> None:
    """Change the size of the inputs; position embeddings are resampled as timm does."""
    module: Any = model.module
    # Other modules take images of any size.
    if hasattr(module, "set_input_size"):
        try:
            with warnings.catch_warnings():
                # About the speed of the resampling.
                warnings.simplefilter("ignore")
                module.set_input_size((image_size, image_size))
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FeatvizError(
                f"image_size (--image-size) {image_size} does not fit {model.name}: {reason}"
            ) from error
    model.image_size = model.variant["image_size"] = image_size


def _labels(config: JsonConfig, module: Any) -> tuple[str, ...]:
    """Names of the classes; none if they are only numbered or incomplete."""
    names, count = config.inside("id2label").entries, module.num_classes
    labels = tuple(str(names.get(str(index))) for index in range(count))
    numbered = tuple(f"LABEL_{index}" for index in range(count))
    return () if len(names) != count or labels == numbered else labels
