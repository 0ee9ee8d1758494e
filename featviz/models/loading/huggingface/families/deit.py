"""DeiT with a distillation token: the model, and classifiers with one head or two.

A DeiT without distillation is a ViT for Hugging Face.

Source: ``models/deit`` of Hugging Face transformers; Touvron et al., "Training data-efficient image
transformers & distillation through attention", 2021.
"""

from __future__ import annotations

from typing import Any

from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families import vit
from featviz.models.loading.huggingface.families.transformer import (
    Built,
    rename,
    vit_arguments,
)
from featviz.models.loading.huggingface.json_config import JsonConfig

_NAMES = {
    **vit.NAMES,
    r"^cls_classifier\.": "head.",
    r"^distillation_classifier\.": "head_dist.",
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert a DeiT to timm's ``VisionTransformerDistilled`` or ``VisionTransformer``.

    Parameters
    ----------
    config : JsonConfig
    state : dict of str to Tensor
        Its weights. With two classifiers, the output is their mean. With one or none, only the
        class token is read, and the distillation token is a register of the module.

    Returns
    -------
    (VisionTransformer, dict of str to Tensor)

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    config = config.with_defaults(vit.DEFAULTS)
    renamed = rename(state, "deit.", _NAMES)
    distilled = "head_dist.weight" in renamed
    token = renamed.pop("embeddings.distillation_token", None)
    if token is not None:
        renamed["dist_token" if distilled else "reg_token"] = token
    arguments = {
        **vit_arguments(config),
        "num_classes": vit.classes_of(renamed),
        "qkv_bias": bool(config.get("qkv_bias")),
    }
    if not distilled:
        return VisionTransformer(reg_tokens=1, **arguments), renamed
    kind: Any = VisionTransformerDistilled
    return kind(**arguments), renamed
