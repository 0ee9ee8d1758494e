"""BEiT: ``BeitForImageClassification``, ``BeitModel`` and ``BeitForMaskedImageModeling``.

Source: ``models/beit`` of Hugging Face transformers; Bao et al., "BEiT: BERT Pre-Training of Image
Transformers", 2022.
"""

from __future__ import annotations

from timm.models.beit import Beit

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families import vit
from featviz.models.loading.huggingface.families.transformer import (
    Built,
    layer_norm,
    mlp_ratio,
    rename,
    require,
    shared_arguments,
)
from featviz.models.loading.huggingface.json_config import JsonConfig

_DEFAULTS = {
    **vit.DEFAULTS,
    "use_absolute_position_embeddings": False,
    "use_relative_position_bias": False,
    "use_shared_relative_position_bias": False,
    "layer_scale_init_value": 0.1,
    "use_mean_pooling": True,
}
"""Those of ``BeitConfig``."""

_TABLE = "relative_position_bias_table"
_NAMES = {
    # Recomputed, not learned; old files have it.
    r".*relative_position_index$": "",
    r"^(encoder\.relative_position_bias|shared_position_bias)\.": "rel_pos_bias.",
    rf"\.(attention\.attention\.)?relative_position_bias\.{_TABLE}$": f".attn.{_TABLE}",
    r"\.lambda_([12])$": r".gamma_\1",
    r"^pooler\.layernorm\.": "fc_norm.",
    **vit.NAMES,
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert a BEiT to timm's ``Beit``.

    Parameters
    ----------
    config : JsonConfig
    state : dict of str to Tensor
        Its weights. The head of masked training is left out.

    Returns
    -------
    (Beit, dict of str to Tensor)
        The module reads the mean over patches, or the class token, as the configuration says.

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    config = config.with_defaults(_DEFAULTS)
    require(config, "hidden_act", "gelu")
    arguments = {**shared_arguments(config), "norm_layer": layer_norm(config)}
    is_masked = any(name.startswith("lm_head.") for name in state)
    mean = bool(config.get("use_mean_pooling")) and not is_masked
    if is_masked:
        state = _without_head(state)
    renamed = rename(state, "beit.", _NAMES)
    for index in range(arguments["depth"]):
        attention = f"blocks.{index}.attn"
        # Keys have no bias.
        for part in ("q", "v"):
            if (bias := renamed.pop(f"{attention}.{part}.bias", None)) is not None:
                renamed[f"{attention}.{part}_bias"] = bias
    module = Beit(
        num_classes=vit.classes_of(renamed),
        global_pool="avg" if mean else "token",
        mlp_ratio=mlp_ratio(config.positive("intermediate_size"), arguments["embed_dim"]),
        init_values=config.number("layer_scale_init_value"),
        use_abs_pos_emb=bool(config.get("use_absolute_position_embeddings")),
        use_rel_pos_bias=bool(config.get("use_relative_position_bias")),
        use_shared_rel_pos_bias=bool(config.get("use_shared_relative_position_bias")),
        **arguments,
    )
    return module, renamed


def _without_head(state: State) -> State:
    """Leave out the head of masked training; its norm is the last one if the model has none."""
    own = any(name.startswith("beit.layernorm.") for name in state)
    return {
        name: part
        for name, part in state.items()
        if not name.startswith("lm_head.") and not (own and name.startswith("layernorm."))
    }
