"""Direct effects of MLP neurons on logits by hand, in NumPy, for timm's `VisionTransformer`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def state_of(module: Any) -> dict[str, Array]:
    """The weights by name, in float64."""
    return {key: each.double().numpy() for key, each in module.state_dict().items()}


def written(state: dict[str, Array], block: int, neuron: int) -> Array:
    """What a neuron adds to the stream: its column of fc2 times LayerScale."""
    column = state[f"blocks.{block}.mlp.fc2.weight"][:, neuron]
    return column * state.get(f"blocks.{block}.ls2.gamma", np.ones_like(column))


def logits(state: dict[str, Array], token: Array, scale: float) -> Array:
    """Logits of one token, whose LayerNorm multiplies by a given scale."""
    norm = "norm" if "norm.weight" in state else "fc_norm"
    read = (token - token.mean()) * scale * state[f"{norm}.weight"] + state[f"{norm}.bias"]
    found: Array = state["head.weight"] @ read + state["head.bias"]
    return found
