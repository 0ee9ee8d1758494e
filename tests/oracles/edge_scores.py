"""Edge attribution in NumPy: one edge at a time, by a complex step, on timm's state dict.

The derivative of the metric along an edge is the imaginary part of the metric when the receiver
reads its stream plus a tiny imaginary multiple of the difference of the sender's outputs. It is
exact to rounding, and needs no backward pass.

Source: Squire and Trapp, "Using Complex Variables to Estimate Derivatives of Real Functions", 1998.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Array = npt.NDArray[np.complex128]
EPSILON = 1e-6
STEP = 1e-30
Receiver = tuple[int, str, int]
"""Block, one of q, k, v, mlp, logits, and head (0 if there is none)."""
Metric = Callable[[Array], Array]


def layer_norm(weights: Mapping[str, Array], path: str, x: Array) -> Array:
    if f"{path}.weight" not in weights:
        return x
    centered = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centered**2).mean(-1, keepdims=True) + EPSILON)
    scaled: Array = centered / spread * weights[f"{path}.weight"] + weights[f"{path}.bias"]
    return scaled


def head_output(
    weights: Mapping[str, Array], block: int, head: int, heads: int, read: Mapping[str, Array]
) -> Array:
    """What one head adds to the stream, from the streams that its q, k and v read."""
    path = f"blocks.{block}.attn"
    width = weights[f"{path}.qkv.weight"].shape[1]
    size = width // heads
    rows = {
        kind: slice(part * width + head * size, part * width + (head + 1) * size)
        for part, kind in enumerate("qkv")
    }
    found = {}
    for kind in "qkv":
        normed = layer_norm(weights, f"blocks.{block}.norm1", read[kind])
        weight, bias = weights[f"{path}.qkv.weight"], weights[f"{path}.qkv.bias"]
        value = normed @ weight[rows[kind]].T + bias[rows[kind]]
        found[kind] = layer_norm(weights, f"{path}.{kind}_norm", value)
    logits = found["q"] @ found["k"].transpose(0, 2, 1) / np.sqrt(size)
    powers = np.exp(logits - logits.real.max(-1, keepdims=True))
    z = (powers / powers.sum(-1, keepdims=True)) @ found["v"]
    own = z @ weights[f"{path}.proj.weight"][:, head * size : (head + 1) * size].T
    scaled: Array = own * weights.get(f"blocks.{block}.ls1.gamma", np.ones(1))
    return scaled


def mlp_output(weights: Mapping[str, Array], block: int, read: Array) -> Array:
    path = f"blocks.{block}.mlp"
    normed = layer_norm(weights, f"blocks.{block}.norm2", read)
    before = normed @ weights[f"{path}.fc1.weight"].T + weights[f"{path}.fc1.bias"]
    neurons = before * (1 + erf(before / np.sqrt(2))) / 2
    own = neurons @ weights[f"{path}.fc2.weight"].T + weights[f"{path}.fc2.bias"]
    scaled: Array = own * weights.get(f"blocks.{block}.ls2.gamma", np.ones(1))
    return scaled


def forward(
    weights: Mapping[str, Array],
    heads: int,
    start: Array,
    added: Mapping[Receiver, Array],
) -> tuple[list[Array], Array]:
    """Return the outputs of all senders in order, and the logits of the class token (or itself)."""
    outputs, stream, block = [start], start, 0
    while f"blocks.{block}.mlp.fc1.weight" in weights:
        own = [
            head_output(
                weights,
                block,
                head,
                heads,
                {kind: stream + added.get((block, kind, head), 0) for kind in "qkv"},
            )
            for head in range(heads)
        ]
        outputs += own
        scale = weights.get(f"blocks.{block}.ls1.gamma", np.ones(1))
        stream = stream + sum(own) + weights[f"blocks.{block}.attn.proj.bias"] * scale
        outputs.append(mlp_output(weights, block, stream + added.get((block, "mlp", 0), 0)))
        stream = stream + outputs[-1]
        block += 1
    last = layer_norm(weights, "norm", stream + added.get((block, "logits", 0), 0))
    pooled = last[:, 0]
    if "head.weight" in weights:
        pooled = pooled @ weights["head.weight"].T + weights["head.bias"]
    return outputs, pooled


def edge_score(
    weights: Mapping[str, Array],
    heads: int,
    clean: Array,
    corrupted: Array,
    metric: Metric,
    steps: int,
    edge: tuple[int, Receiver],
    tokens: list[int],
) -> npt.NDArray[np.float64]:
    """Score one edge on each image; see `patching.circuits.edge_attribution.edge_scores`."""
    sender, receiver = edge
    sent = [forward(weights, heads, start, {})[0][sender] for start in (clean, corrupted)]
    difference = np.zeros_like(clean)
    difference[:, tokens] = (sent[0] - sent[1])[:, tokens]
    found = []
    for share in [(step + 0.5) / steps for step in range(steps)] or [1.0]:
        start = corrupted + (clean - corrupted) * share
        # The rest of the stream is not moved: the step is what this receiver alone reads.
        logits = forward(weights, heads, start, {receiver: 1j * STEP * difference})[1]
        found.append(metric(logits).imag / STEP)
    mean: npt.NDArray[np.float64] = np.mean(found, 0)
    return mean
