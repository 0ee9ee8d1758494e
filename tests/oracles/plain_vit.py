"""A vision transformer in NumPy that loops over heads, from timm's state dict.

It supports class, distillation and register tokens, position embeddings with and without prefix,
norms of queries and keys, LayerScale, pre-norm and post-norm, and class-token and average pooling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Array = npt.NDArray[np.float64]
EPSILON = 1e-6
Edits = Mapping[tuple[str, int], Callable[[Array], Array]]
"""By kind and block: a function from an activation (N, T, G, D) to its replacement."""


@dataclass
class PlainViT:
    """A vision transformer; `activations` holds those of the last `run`, each (N, T, G, D)."""

    weights: Mapping[str, Array]
    heads: int
    average: bool = False
    post_norm: bool = False
    activations: dict[tuple[str, int], Array] = field(default_factory=dict)

    def run(self, inputs: Array, edits: Edits) -> Array:
        """Return the logits of normalized images (N, 3, H, W), with edited activations."""
        self.activations = {}
        x = self._embed(inputs, edits)
        block = 0
        while f"blocks.{block}.mlp.fc1.weight" in self.weights:
            path = f"blocks.{block}"
            x = self._stream(x, "resid_pre", block, edits)
            added = self._sublayer(path, 1, x, partial(self._attention, block, edits))
            x = x + self._stream(added, "attn_out", block, edits)
            x = self._stream(x, "resid_mid", block, edits)
            added = self._sublayer(path, 2, x, partial(self._mlp, block, edits))
            x = x + self._stream(added, "mlp_out", block, edits)
            x = self._stream(x, "resid_post", block, edits)
            block += 1
        return self._head(self._norm("norm", x))

    def _edit(self, value: Array, kind: str, block: int, edits: Edits) -> Array:
        if (kind, block) in edits:
            value = edits[kind, block](value)
        self.activations[kind, block] = value
        return value

    def _stream(self, x: Array, kind: str, block: int, edits: Edits) -> Array:
        return self._edit(x[:, :, None], kind, block, edits)[:, :, 0]

    def _embed(self, inputs: Array, edits: Edits) -> Array:
        kernel, bias = self._pair("patch_embed.proj")
        size = kernel.shape[-1]
        images, rows, columns = len(inputs), inputs.shape[2] // size, inputs.shape[3] // size
        patches = np.empty((images, rows * columns, len(kernel)))
        for row in range(rows):
            for column in range(columns):
                window = inputs[
                    :, :, row * size : (row + 1) * size, column * size : (column + 1) * size
                ]
                patches[:, row * columns + column] = (
                    window.reshape(images, -1) @ kernel.reshape(len(kernel), -1).T + bias
                )
        learned = [
            self.weights[name][0]
            for name in ("cls_token", "dist_token", "reg_token")
            if name in self.weights
        ]
        prefix = np.concatenate(learned)
        positions = self.weights["pos_embed"][0]
        missing = len(prefix) + patches.shape[1] - len(positions)
        positions = np.concatenate([np.zeros((missing, len(kernel))), positions])
        tokens = np.concatenate([np.zeros((images, *prefix.shape)), patches], 1)
        tokens = self._stream(tokens, "patch_embed", 0, edits)
        embedded = np.repeat(positions[None], images, 0)
        x = tokens + self._stream(embedded, "pos_embed", 0, edits)
        x[:, : len(prefix)] += prefix
        return x

    def _sublayer(self, path: str, index: int, x: Array, core: Callable[[Array], Array]) -> Array:
        name = f"{path}.norm{index}"
        out = self._norm(name, core(x)) if self.post_norm else core(self._norm(name, x))
        return out * self.weights.get(f"{path}.ls{index}.gamma", np.ones(1))

    def _attention(self, block: int, edits: Edits, x: Array) -> Array:
        path = f"blocks.{block}.attn"
        qkv = self._linear(f"{path}.qkv", x)
        width = qkv.shape[-1] // 3
        size = width // self.heads
        split = [
            qkv[..., part * width : (part + 1) * width].reshape(*x.shape[:2], self.heads, size)
            for part in range(3)
        ]
        q = self._edit(self._norm(f"{path}.q_norm", split[0]), "q", block, edits)
        k = self._edit(self._norm(f"{path}.k_norm", split[1]), "k", block, edits)
        v = self._edit(split[2], "v", block, edits)
        pattern = np.empty((*x.shape[:2], self.heads, x.shape[1]))
        for image in range(len(x)):
            for head in range(self.heads):
                logits = q[image, :, head] @ k[image, :, head].T / np.sqrt(size)
                powers = np.exp(logits - logits.max(1, keepdims=True))
                pattern[image, :, head] = powers / powers.sum(1, keepdims=True)
        pattern = self._edit(pattern, "pattern", block, edits)
        z = np.empty_like(v)
        for image in range(len(x)):
            for head in range(self.heads):
                z[image, :, head] = pattern[image, :, head] @ v[image, :, head]
        z = self._edit(z, "z", block, edits)
        return self._linear(f"{path}.proj", z.reshape(*x.shape[:2], width))

    def _mlp(self, block: int, edits: Edits, x: Array) -> Array:
        path = f"blocks.{block}.mlp"
        before = self._linear(f"{path}.fc1", x)
        neurons = before * (1 + erf(before / np.sqrt(2))) / 2
        neurons = self._edit(neurons[..., None], "neurons", block, edits)[..., 0]
        return self._linear(f"{path}.fc2", neurons)

    def _head(self, x: Array) -> Array:
        if "head_dist.weight" in self.weights:
            logits = self._linear("head", x[:, 0]), self._linear("head_dist", x[:, 1])
            return (logits[0] + logits[1]) / 2
        prefix = sum(
            self.weights[name].shape[1]
            for name in ("cls_token", "reg_token")
            if name in self.weights
        )
        pooled = x[:, prefix:].mean(1) if self.average else x[:, 0]
        pooled = self._norm("fc_norm", pooled)
        return self._linear("head", pooled) if "head.weight" in self.weights else pooled

    def _pair(self, path: str) -> tuple[Array, Array]:
        weight = self.weights[f"{path}.weight"]
        return weight, self.weights.get(f"{path}.bias", np.zeros(len(weight)))

    def _linear(self, path: str, x: Array) -> Array:
        weight, bias = self._pair(path)
        return x @ weight.T + bias

    def _norm(self, path: str, x: Array) -> Array:
        if f"{path}.weight" not in self.weights:
            return x
        gain, bias = self._pair(path)
        centered = x - x.mean(-1, keepdims=True)
        spread: Array = np.sqrt((centered**2).mean(-1, keepdims=True) + EPSILON)
        scaled: Array = centered / spread * gain + bias
        return scaled
