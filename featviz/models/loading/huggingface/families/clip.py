"""Vision towers of CLIP: ``CLIPModel``, ``CLIPVisionModel``, with projection, and classifiers.

Source: ``models/clip`` of Hugging Face transformers; Radford et al., "Learning Transferable Visual
Models From Natural Language Supervision", 2021.
"""

from __future__ import annotations

import torch
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
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "patch_size": 32,
}
"""Those of ``CLIPVisionConfig``."""

_NAMES = {
    # The text tower, and constants of old files.
    r"^(text_model\.|text_projection\.|logit_scale$|embeddings\.position_ids$).*": "",
    r"^embeddings\.class_embedding$": "cls_token",
    r"^embeddings\.position_embedding\.weight$": "pos_embed",
    r"^embeddings\.patch_embedding\.": "patch_embed.proj.",
    r"^pre_layrnorm\.": "norm_pre.",
    r"^post_layernorm\.": "norm.",
    r"^(visual_projection|classifier)\.": "head.",
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert the vision tower of a CLIP to timm's ``VisionTransformer``.

    Parameters
    ----------
    config : JsonConfig
        Of both towers, or of the vision tower.
    state : dict of str to Tensor
        Its weights. The output is the image embedding before its normalization, the logits of a
        classifier, or else the class token after the last norm.

    Returns
    -------
    (VisionTransformer, dict of str to Tensor)
        A classifier reads the mean over patches without the last norm, as the original does.

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    if config.get("model_type") == "clip":
        # Old configurations have the entries twice, and the second ones take precedence.
        first, second = config.inside("vision_config"), config.inside("vision_config_dict")
        config = JsonConfig(config.path, {**first.entries, **second.entries}, first.parent)
    config = config.with_defaults(_DEFAULTS)
    is_classifier = "classifier.weight" in state
    renamed = rename(state, "vision_model.", _NAMES)
    if "cls_token" in renamed:
        renamed["cls_token"] = renamed["cls_token"].reshape(1, 1, -1)
    if "pos_embed" in renamed:
        renamed["pos_embed"] = renamed["pos_embed"][None]
    if "head.weight" in renamed:
        # The projection has no bias, but the head of timm's module.
        renamed.setdefault("head.bias", torch.zeros(len(renamed["head.weight"])))
    if is_classifier:
        renamed = {name: part for name, part in renamed.items() if not name.startswith("norm.")}
    module = VisionTransformer(
        num_classes=vit.classes_of(renamed),
        global_pool="avg" if is_classifier else "token",
        final_norm=not is_classifier,
        pre_norm=True,
        **vit_arguments(config),
    )
    return module, renamed
