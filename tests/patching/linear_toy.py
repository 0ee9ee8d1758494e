"""A network without one nonlinearity, in the form of a vision transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from featviz.models.vision_model import VisionModel


class Mixing(nn.Module):
    """Heads with fixed patterns: linear in the tokens, which attention is not."""

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.v_proj = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)
        self.attn_drop = nn.Identity()
        self.pattern = nn.Parameter((torch.randn(heads, tokens, tokens) / 2).softmax(-1))

    def forward(self, x: Tensor) -> Tensor:
        values = self.v_proj(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        pattern = self.attn_drop(self.pattern.expand(len(x), -1, -1, -1))
        mixed: Tensor = self.proj((pattern @ values).transpose(1, 2).flatten(2))
        return mixed


class Mlp(nn.Module):
    def __init__(self, width: int, neurons: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, neurons), nn.Linear(neurons, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.fc1(x))
        return out


class Block(nn.Module):
    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.Identity(), nn.Identity()
        self.attn, self.mlp = Mixing(width, heads, tokens), Mlp(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Linear(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 6, 8, 8)
        self.blocks = nn.ModuleList(Block(6, 2, 4) for _ in range(depth))
        self.norm = nn.Identity()
        self.head = nn.Linear(6, 5)

    def forward_head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.mean(1))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.forward_head(self.norm(x))


def linear_model(depth: int = 3) -> VisionModel:
    """Make the toy: images of 16 x 16 pixels, 4 tokens, 2 heads, 10 neurons, 5 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = Linear(depth)
    module.eval().requires_grad_(False)
    half = (0.5, 0.5, 0.5)
    return VisionModel("linear toy", module, 16, half, half)
