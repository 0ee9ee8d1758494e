"""DINOv3 vision transformers: ``DINOv3ViTModel`` and its backbone.

Source: ``models/dinov3_vit`` of Hugging Face transformers; Siméoni et al., "DINOv3", 2025.
"""

from __future__ import annotations

import torch
from timm.models.eva import Eva

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
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_attention_heads": 6,
    "layer_norm_eps": 1e-5,
    "rope_theta": 100.0,
    "key_bias": False,
    "use_gated_mlp": False,
}
"""Those of ``DINOv3ViTConfig``."""

_NAMES = {
    r"^embeddings\.mask_token$": "",
    r"^embeddings\.cls_token$": "cls_token",
    r"^embeddings\.register_tokens$": "reg_token",
    r"^embeddings\.patch_embeddings\.": "patch_embed.proj.",
    r"\.layer_scale([12])\.lambda1$": r".gamma_\1",
}


def build(config: JsonConfig, state: State) -> Built:
    """Convert a DINOv3 to timm's ``Eva``.

    Parameters
    ----------
    config : JsonConfig
    state : dict of str to Tensor
        Its weights.

    Returns
    -------
    (Eva, dict of str to Tensor)
        The output is the class token after the last norm.

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid, or keys have a bias.
    """
    config = config.with_defaults(_DEFAULTS)
    is_gated = bool(config.get("use_gated_mlp"))
    require(config, "hidden_act", "silu" if is_gated else "gelu")
    require(config, "key_bias", False)
    arguments = shared_arguments(config)
    if arguments["embed_dim"] // arguments["num_heads"] % 4:
        raise config.wrong("num_attention_heads", "such that heads have a multiple of 4 channels")
    renamed = rename(state, "dinov3_vit.", {**_NAMES, **(_GATED if is_gated else _PLAIN)})
    registers = renamed.get("reg_token", torch.empty(1, 0, 0)).shape[1]
    if not registers:
        renamed.pop("reg_token", None)
    has_bias = _fill_biases(renamed, arguments["depth"])
    module = Eva(
        num_classes=0,
        global_pool="token",
        qkv_bias=has_bias,
        mlp_ratio=mlp_ratio(config.positive("intermediate_size"), arguments["embed_dim"]),
        swiglu_mlp=is_gated,
        # With any alignment, gate and value are two layers, as in timm's own models.
        swiglu_align_to=1,
        norm_layer=layer_norm(config),
        # Any number: the factors are in the weights.
        init_values=1.0,
        num_reg_tokens=registers,
        use_abs_pos_emb=False,
        use_rot_pos_emb=True,
        rope_type="dinov3",
        rope_temperature=config.number("rope_theta"),
        rope_rotate_half=True,
        use_fc_norm=False,
        **arguments,
    )
    return module, renamed


_PLAIN = {r"\.mlp\.up_proj\.": ".mlp.fc1.", r"\.mlp\.down_proj\.": ".mlp.fc2."}
_GATED = {
    r"\.mlp\.gate_proj\.": ".mlp.fc1_g.",
    r"\.mlp\.up_proj\.": ".mlp.fc1_x.",
    r"\.mlp\.down_proj\.": ".mlp.fc2.",
}


def _fill_biases(state: State, depth: int) -> bool:
    """Rename the biases of queries and values, and add zeros where only some layers have one.

    Returns
    -------
    bool
        Whether queries or values have a bias.
    """
    biases = {"attn.q.bias": "attn.q_bias", "attn.v.bias": "attn.v_bias"}
    has_bias = any(f"blocks.0.{name}" in state for name in biases)
    for block in (f"blocks.{index}." for index in range(depth)):
        for name, new in biases.items():
            if has_bias and f"{block}attn.qkv.weight" in state:
                width = len(state[f"{block}attn.qkv.weight"]) // 3
                state[f"{block}{new}"] = state.pop(f"{block}{name}", torch.zeros(width))
        for layer in ("attn.proj", "mlp.fc1", "mlp.fc1_g", "mlp.fc1_x", "mlp.fc2"):
            weight = state.get(f"{block}{layer}.weight")
            if weight is not None:
                state.setdefault(f"{block}{layer}.bias", torch.zeros(len(weight)))
    return has_bias
