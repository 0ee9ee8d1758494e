"""DINOv2, with and without registers: models, backbones and image classifiers.

Source: ``models/dinov2`` and ``models/dinov2_with_registers`` of Hugging Face transformers; Oquab
et al., "DINOv2: Learning Robust Visual Features without Supervision", 2024; Darcet et al., "Vision
Transformers Need Registers", 2024.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.mlp import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.families import vit
from featviz.models.loading.huggingface.families.transformer import (
    Built,
    rename,
    stack,
    vit_arguments,
)
from featviz.models.loading.huggingface.json_config import JsonConfig

_DEFAULTS = {**vit.DEFAULTS, "layer_norm_eps": 1e-6, "mlp_ratio": 4, "use_swiglu_ffn": False}
"""Those of ``Dinov2Config``, without the patch size."""

_NAMES = {
    **vit.NAMES,
    r"^embeddings\.register_tokens$": "reg_token",
    r"\.mlp\.weights_in\.": ".mlp.fc1.",
    r"\.mlp\.(weights_out|down_proj)\.": ".mlp.fc2.",
}


class Dinov2Classifier(VisionTransformer):
    """A vision transformer whose head reads the class token and the mean over patches.

    Parameters
    ----------
    num_classes : int
    arguments
        Those of ``VisionTransformer``.
    """

    def __init__(self, num_classes: int, **arguments: Any) -> None:
        super().__init__(num_classes=num_classes, **arguments)
        self.head_hidden_size = 2 * self.embed_dim
        self.head = nn.Linear(self.head_hidden_size, num_classes)

    def pool(self, x: Tensor, pool_type: str | None = None) -> Tensor:  # noqa: ARG002
        """Concatenate the class token and the mean over patches.

        Parameters
        ----------
        x : Tensor, shape (N, T, C)
            Tokens after the last norm.
        pool_type : str, optional
            Without effect; an argument of timm.

        Returns
        -------
        Tensor, shape (N, 2 * C)
        """
        return torch.cat([x[:, 0], x[:, self.num_prefix_tokens :].mean(1)], dim=1)


def build(config: JsonConfig, state: State) -> Built:
    """Convert a DINOv2 to timm's ``VisionTransformer``.

    Parameters
    ----------
    config : JsonConfig
    state : dict of str to Tensor
        Its weights. Without a classifier, the output is the class token after the last norm.

    Returns
    -------
    (VisionTransformer, dict of str to Tensor)
        The module of a classifier is a `Dinov2Classifier`.

    Raises
    ------
    FeatvizError
        If an entry of the configuration is invalid.
    """
    kind = config.get("model_type")
    config = config.with_defaults({**_DEFAULTS, "patch_size": 14 if kind == "dinov2" else 16})
    renamed = rename(state, f"{kind}.", _NAMES)
    width = config.positive("hidden_size")
    hidden = int(width * config.number("mlp_ratio"))
    if config.get("use_swiglu_ffn"):
        # Two thirds, rounded up to a multiple of 8; the gate has as many.
        hidden = 2 * ((int(hidden * 2 / 3) + 7) // 8 * 8)
    arguments = {
        **vit_arguments(config, hidden),
        "qkv_bias": bool(config.get("qkv_bias")),
        # Any number: the factors are in the weights.
        "init_values": 1.0,
    }
    if config.get("use_swiglu_ffn"):
        arguments |= {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}
        for index, kind in ((i, k) for i in range(arguments["depth"]) for k in ("weight", "bias")):
            mlp = f"blocks.{index}.mlp"
            stack(
                renamed, [f"{mlp}.gate_proj.{kind}", f"{mlp}.up_proj.{kind}"], f"{mlp}.fc1.{kind}"
            )
    if "reg_token" in renamed:
        arguments |= {"reg_tokens": renamed["reg_token"].shape[1], "no_embed_class": True}
        _move_class_position(renamed)
    if classes := vit.classes_of(renamed):
        return Dinov2Classifier(classes, **arguments), renamed
    return VisionTransformer(num_classes=0, **arguments), renamed


def _move_class_position(state: State) -> None:
    """Add the position of the class token to the token, in place: registers have no positions."""
    positions, token = state.get("pos_embed"), state.get("cls_token")
    if positions is not None and token is not None and positions.ndim == token.ndim == 3:
        state["cls_token"] = token + positions[:, :1]
        state["pos_embed"] = positions[:, 1:]
