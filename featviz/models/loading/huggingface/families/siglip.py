"""Vision towers of SigLIP and SigLIP 2: both towers, the vision tower alone, and classifiers.

Source: ``models/siglip`` and ``models/siglip2`` of Hugging Face transformers; Zhai et al., "Sigmoid
Loss for Language Image Pre-Training", 2023; Tschannen et al., "SigLIP 2", 2025.
"""

from __future__ import annotations

import math

from timm.models.vision_transformer import VisionTransformer

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families import vit
from featviz.models.loading.huggingface.families.transformer import (
    Built,
    rename,
    vit_arguments,
)
from featviz.models.loading.huggingface.json_config import JsonConfig

_DEFAULTS = {
    **vit.DEFAULTS,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
    "num_patches": 256,
}
"""Those of ``SiglipVisionConfig`` and ``Siglip2VisionConfig``."""

_NAMES = {
    # The text tower, and constants of old files.
    r"^(text_model\.|logit_scale$|logit_bias$|embeddings\.position_ids$).*": "",
    r"^embeddings\.position_embedding\.weight$": "pos_embed",
    r"^embeddings\.patch_embedding\.": "patch_embed.proj.",
    r"^post_layernorm\.": "norm.",
    r"^classifier\.": "head_.",
    r"^head\.probe$": "attn_pool.latent",
    r"^head\.attention\.out_proj\.": "attn_pool.proj.",
    r"^head\.attention\.in_proj_": "attn_pool.qkv.",
    r"^head\.layernorm\.": "attn_pool.norm.",
    r"^head\.mlp\.": "attn_pool.mlp.",
    r"^head_\.": "head.",
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert the vision tower of a SigLIP to timm's ``VisionTransformer``.

    Parameters
    ----------
    config : JsonConfig
        Of both towers, or of the vision tower. SigLIP 2 with a flexible resolution is given the
        square of its ``num_patches``.
    state : dict of str to Tensor
        Its weights. The output is that of the attention pooling, or the logits of a classifier,
        which reads the mean over patches.

    Returns
    -------
    (VisionTransformer, dict of str to Tensor)

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    kind = str(config.get("model_type"))
    if kind in ("siglip", "siglip2"):
        config = config.inside("vision_config")
    if kind.startswith("siglip2"):
        config = _square(config.with_defaults(_DEFAULTS))
    config = config.with_defaults(_DEFAULTS)
    is_classifier = "classifier.weight" in state
    renamed = rename(state, "vision_model.", _NAMES)
    if is_classifier:
        # The attention pooling of the model that was trained further.
        renamed = {name: part for name, part in renamed.items() if not name.startswith("attn_pool")}
    arguments = vit_arguments(config)
    _reshape(renamed, arguments["patch_size"])
    has_pool = "attn_pool.latent" in renamed
    module = VisionTransformer(
        num_classes=vit.classes_of(renamed),
        global_pool="map" if has_pool else "avg",
        class_token=False,
        fc_norm=False,
        **arguments,
    )
    return module, renamed


def _square(config: JsonConfig) -> JsonConfig:
    """Add the image size of a square grid of patches."""
    count, patch = config.positive("num_patches"), config.side("patch_size")
    if math.isqrt(count) ** 2 != count:
        raise config.wrong("num_patches", "a square number")
    return JsonConfig(
        config.path, {**config.entries, "image_size": math.isqrt(count) * patch}, config.parent
    )


def _reshape(state: State, patch: int) -> None:
    """Give the positions, a linear patch embedding and the attention pooling timm's shapes."""
    if "pos_embed" in state:
        state["pos_embed"] = state["pos_embed"][None]
    linear = state.get("patch_embed.proj.weight")
    if linear is not None and linear.ndim == 2 and linear.shape[1] == 3 * patch**2:
        state["patch_embed.proj.weight"] = linear.view(-1, patch, patch, 3).permute(0, 3, 1, 2)
    for kind in ("weight", "bias"):
        stacked = state.pop(f"attn_pool.qkv.{kind}", None)
        if stacked is not None:
            width = len(stacked) // 3
            state[f"attn_pool.q.{kind}"] = stacked[:width]
            state[f"attn_pool.kv.{kind}"] = stacked[width:]
