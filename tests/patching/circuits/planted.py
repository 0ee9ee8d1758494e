"""Attention networks that are built by hand, so that their circuits are known.

Tokens have named channels. Weights that the circuit does not use are small random numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from featviz.models.vision_model import VisionModel
from patching.circuits.graph_forward import GraphViT, Run, graph_vit
from patching.vit.residual_vit import residual_vit

TOKENS, SIZE = 4, 8
CHANNELS = ("content", "key", "constant", "payload", "out", "p0", "p1", "p2", "p3", "x", "y", "z")
PLACE = {name: index for index, name in enumerate(CHANNELS)}
WIDTH, HEADS = len(CHANNELS), 2
SHARP = 30.0
"""Attention logits, before the root of the head size, of a head that reads one token."""


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_heads = HEADS
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.attn_drop = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        pattern = self.attn_drop((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1))
        mixed: Tensor = self.proj((pattern @ v).transpose(1, 2).flatten(2))
        return mixed


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(WIDTH, 6), nn.GELU(), nn.Linear(6, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.Identity(), nn.Identity()
        self.attn, self.mlp = Attention(), Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Network(nn.Module):
    """Two blocks of two heads; the logit is the mean of `out` over tokens."""

    def __init__(self, noise: float, seed: int) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, WIDTH, SIZE, SIZE)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.norm, self.head = nn.Identity(), nn.Linear(WIDTH, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for each in self.parameters():
                each.copy_(torch.randn(each.shape, generator=generator) * noise)
            self.head.weight[0, PLACE["out"]] += 1

    def forward_head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.mean(1))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.forward_head(self.norm(x))

    def add(self, block: int, head: int, part: str, row: int, channel: str, size: float) -> None:
        """Let a row of a head's queries, keys, values or output use a channel."""
        own: Any = self.blocks[block]
        attention = own.attn
        start = head * (WIDTH // HEADS) + row
        with torch.no_grad():
            if part == "out":
                attention.proj.weight[PLACE[channel], start] += size
            else:
                attention.qkv.weight["qkv".index(part) * WIDTH + start, PLACE[channel]] += size

    def attend_to_itself(self, block: int, head: int) -> None:
        for token in range(TOKENS):
            self.add(block, head, "q", token, f"p{token}", SHARP)
            self.add(block, head, "k", token, f"p{token}", 1)


def keys_only(seed: int, noise: float = 0.02) -> GraphViT:
    """A head copies `content` to `key`; one in the next block reads the payload of that token.

    The first head acts on the second through its keys only.
    """
    network = Network(noise, seed)
    network.attend_to_itself(0, 0)
    network.add(0, 0, "v", 0, "content", 1)
    network.add(0, 0, "out", 0, "key", 1)
    network.add(1, 0, "q", 0, "constant", SHARP / 3)
    network.add(1, 0, "k", 0, "key", 1)
    network.add(1, 0, "v", 0, "payload", 1)
    network.add(1, 0, "out", 0, "out", 1)
    return _graph(network)


KEYS_ONLY = (
    "embed -> blocks.0.attn:0.v",
    "blocks.0.attn:0 -> blocks.1.attn:0.k",
    "embed -> blocks.1.attn:0.v",
    "blocks.1.attn:0 -> logits",
)


def redundant(seed: int, noise: float = 0.02) -> GraphViT:
    """Two heads write the same `key`; either is enough for the MLP of their block to fire.

    The MLP is the difference of two GELUs of steep slope: 0 without a key, 1 from half a key on.
    """
    network = Network(noise, seed)
    for head in range(HEADS):
        network.attend_to_itself(0, head)
        network.add(0, head, "v", 0, "content", 1)
        network.add(0, head, "out", 0, "key", 1)
    block: Any = network.blocks[0]
    mlp = block.mlp
    with torch.no_grad():
        for row, (bias, sign) in enumerate(((-1.0, 1), (-5.0, -1))):
            mlp.fc1.weight[row, PLACE["key"]] += 10
            mlp.fc1.bias[row] += bias
            mlp.fc2.weight[PLACE["out"], row] += sign / 4
    return _graph(network)


REDUNDANT = (
    "embed -> blocks.0.attn:0.v",
    "embed -> blocks.0.attn:1.v",
    "blocks.0.attn:0 -> blocks.0.mlp",
    "blocks.0.attn:1 -> blocks.0.mlp",
    "blocks.0.mlp -> logits",
)


def runs_of(model: GraphViT, seed: int, content: float, count: int = 32) -> tuple[Run, Run]:
    """Run clean and corrupted tokens.

    Clean images have `content` and a payload of 1 at one random token; corrupted ones have neither.
    """
    generator = torch.Generator().manual_seed(seed)
    found = []
    for size in (1.0, 0.0):
        tokens = torch.zeros(count, TOKENS, WIDTH)
        tokens[..., PLACE["constant"]] = 1
        for token in range(TOKENS):
            tokens[:, token, PLACE[f"p{token}"]] = 1
        if size:
            chosen = torch.randint(TOKENS, (count,), generator=generator)
            tokens[torch.arange(count), chosen, PLACE["content"]] = content
            tokens[torch.arange(count), chosen, PLACE["payload"]] = 1
        with torch.no_grad():
            found.append(model.run(tokens))
    return found[0], found[1]


def _graph(network: Network) -> GraphViT:
    network.eval().requires_grad_(False)
    half = (0.5, 0.5, 0.5)
    with torch.no_grad():
        return graph_vit(residual_vit(VisionModel("planted", network, 2 * SIZE, half, half)))
