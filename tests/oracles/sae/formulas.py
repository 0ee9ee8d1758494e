"""Latents and outputs of ViT-Prisma and saev, written by hand after their sources, in float64.

ViT-Prisma 2: `StandardSparseAutoencoder`, `GatedSparseAutoencoder` and `Transcoder`. saev: the
revisions that write schemas 1 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = Mapping[str, Array]


def prisma(config: Mapping[str, Any], state: State, inputs: Array) -> tuple[Array, Array]:
    """Return latents and outputs."""
    kind = config["normalize_activations"]
    mean, scale = np.zeros((len(inputs), 1)), np.ones((len(inputs), 1))
    sae_in = inputs
    if kind == "layer_norm":
        mean = inputs.mean(1, keepdims=True)
        scale = inputs.std(1, ddof=1, keepdims=True)
        sae_in = (inputs - mean) / (scale + 1e-5)
    elif kind == "constant_norm_rescale":
        scale = np.linalg.norm(inputs, axis=1, keepdims=True) / np.sqrt(inputs.shape[1])
        sae_in = inputs / scale
    sae_in = sae_in - state["b_dec"]
    if config["architecture"] == "gated":
        gate = sae_in @ state["W_enc"] + state["b_gate"] > 0
        magnitude = sae_in @ (state["W_enc"] * np.exp(state["r_mag"])) + state["b_mag"]
        latents: Array = np.where(gate, np.maximum(magnitude, 0), 0)
    else:
        latents = np.maximum(sae_in @ state["W_enc"] + state["b_enc"], 0)
    if config["activation_fn_str"] == "topk":
        latents = keep_largest(latents, config["activation_fn_kwargs"]["k"])
    outputs = latents @ state["W_dec"]
    if config.get("is_transcoder"):
        outputs = outputs + state["b_dec_out"]
        if config["transcoder_with_skip_connection"]:
            outputs = outputs + inputs @ state["W_skip"].T
    else:
        outputs = outputs + state["b_dec"]
    return latents, outputs * scale + mean


def saev(
    name: str, k: int, state: State, inputs: Array, subtract_decoder_bias: bool
) -> tuple[Array, Array]:
    """Return latents and outputs."""
    centered = inputs - state["b_dec"] if subtract_decoder_bias else inputs
    values = centered @ state["W_enc"] + state["b_enc"]
    if "activation.threshold" in state:
        threshold = max(float(state["activation.threshold"]), 0.0)
        latents = np.where(values > threshold, values, 0)
    elif name == "Relu":
        latents = np.maximum(values, 0)
    else:
        latents = keep_largest(values, k)
    return latents, latents @ state["W_dec"] + state["b_dec"]


def keep_largest(values: Array, k: int) -> Array:
    """Set all but the k largest values of each row to 0."""
    kept = np.zeros_like(values)
    for row, each in enumerate(values):
        largest = np.argsort(each)[-k:]
        kept[row, largest] = each[largest]
    return kept
