"""ViT: ``ViTForImageClassification``, ``ViTModel`` and ``ViTForMaskedImageModeling``.

Source: ``models/vit`` of Hugging Face transformers; Dosovitskiy et al., "An Image is Worth 16x16
Words", 2021.
"""

from __future__ import annotations

from timm.models.vision_transformer import VisionTransformer

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families.transformer import (
    Built,
    rename,
    vit_arguments,
)
from featviz.models.loading.huggingface.json_config import JsonConfig

DEFAULTS = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "qkv_bias": True,
}
"""Those of ``ViTConfig``."""

NAMES = {
    # The token of masked training, its decoder, and the pooler, which the logits do not read.
    r"^(embeddings\.mask_token$|decoder\.|pooler\.).*": "",
    r"^embeddings\.cls_token$": "cls_token",
    r"^embeddings\.position_embeddings$": "pos_embed",
    r"^embeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"^layernorm\.": "norm.",
    r"^classifier\.": "head.",
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert a ViT to timm's ``VisionTransformer``.

    Parameters
    ----------
    config : JsonConfig
    state : dict of str to Tensor
        Its weights. Without a classifier, the output is the class token after the last norm.

    Returns
    -------
    (VisionTransformer, dict of str to Tensor)

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    config = config.with_defaults(DEFAULTS)
    renamed = rename(state, "vit.", NAMES)
    module = VisionTransformer(
        num_classes=classes_of(renamed),
        qkv_bias=bool(config.get("qkv_bias")),
        **vit_arguments(config),
    )
    return module, renamed


def classes_of(state: State) -> int:
    """Return the number of outputs of the head, 0 without one.

    Parameters
    ----------
    state : dict of str to Tensor
        Under timm's names.

    Returns
    -------
    int
    """
    return len(state["head.weight"]) if "head.weight" in state else 0
