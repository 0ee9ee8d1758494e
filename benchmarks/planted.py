"""How often validation gets planted neurons right, whose part in the network is known.

``python -m benchmarks.planted --seeds 100`` prints one JSON line: for each planted neuron the
number of seeds with the right verdict, and for the ordinary neurons beside them how many were
tested, how many claims were made, and how many are expected by rank. Every seed makes another
network, other marks of the classes, and other images. The network is a vision transformer of timm
with random weights, two blocks, and 64 neurons an MLP. In its first MLP

- neuron 0 is *needed*: it reads the mark that images of class 0 carry in some of their patches, and
  writes along the weights of that class's logit;
- neuron 1 only *correlates*: it reads the same, and writes as much in a direction that no logit
  reads;
- neuron 2 is *dead*: its bias keeps it at 0.

The others are random, and some of them are validated too. The claims are those that
`featviz.evidence` makes of the store: false discoveries are controlled over its neurons, and the
intervals count. The right ones are that neuron 0 is necessary and sufficient for class 0, that
neuron 1 is neither, for any class, and that neuron 2 is silent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from benchmarks.machine import describe
from featviz import Store, VisionModel
from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from featviz.data.datasets import Dataset
from featviz.store.columns import Row
from featviz.store.jobs import open_writer
from patching.validation.job import validate_to_store

SIDE, PATCH, WIDTH, CLASSES = 32, 8, 64, 4
PLANTED = ("needed", "correlates", "dead")
SITE = "blocks.0.mlp.fc1"
COUNT = 160
"""Images of a seed, 40 of each class."""

ORDINARY = range(8, 16)
"""Random neurons that are validated beside the planted ones."""


@dataclass
class Marked:
    """Gray noise, with the mark of its class in four of its sixteen patches.

    Attributes
    ----------
    marks : Tensor, shape (CLASSES, 3, PATCH, PATCH)
    seed : int
    """

    marks: Tensor
    seed: int
    classes: tuple[str, ...] = tuple(f"mark {number}" for number in range(CLASSES))
    in_turn: bool = True

    def __len__(self) -> int:
        """Count the images."""
        return COUNT

    def fingerprint(self) -> str:
        """Digest of what is there."""
        return f"marked-{self.seed}"

    def label(self, number: int) -> int:
        """Return the class of an image."""
        return number % CLASSES

    def read(self, number: int, size: int) -> tuple[Tensor, int]:
        """Draw an image."""
        generator = torch.Generator().manual_seed(self.seed * COUNT + number)
        image = 0.5 + 0.08 * torch.randn(3, size, size, generator=generator)
        grid, label = size // PATCH, self.label(number)
        for place in torch.randperm(grid**2, generator=generator)[:4].tolist():
            top, left = (PATCH * each for each in divmod(place, grid))
            image[:, top : top + PATCH, left : left + PATCH] += self.marks[label]
        return image.clamp(0, 1), label


def planted(seed: int, plant: bool = True, ratio: int = 1) -> tuple[VisionModel, Dataset]:
    """Make a network and images with its classes' marks.

    Parameters
    ----------
    plant : bool
        Without it every neuron is random.
    ratio : int
        Neurons of an MLP, in widths of the stream, which is 64.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        module: Any = timm.create_model(
            "vit_tiny_patch16_224",
            img_size=SIDE,
            patch_size=PATCH,
            embed_dim=WIDTH,
            depth=2,
            num_heads=2,
            mlp_ratio=ratio,
            num_classes=CLASSES,
            class_token=False,
            global_pool="avg",
            fc_norm=False,
        )
    _randomise(module, generator)
    marks = 0.2 * torch.randn(CLASSES, 3, PATCH, PATCH, generator=generator).sign()
    if plant:
        with torch.no_grad():
            _plant(module, marks, generator)
    sublayer = (0.5, 0.5, 0.5)
    module.eval().requires_grad_(False)
    source = Marked(marks, seed)
    model = VisionModel(
        f"planted-{seed}", module, SIDE, sublayer, sublayer, source.classes, untrained=True
    )
    return model, Dataset(f"marked-{seed}", source.classes, source)


def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Let every layer keep the scale of its input, but attention and positions add little.

    Norms stay plain.
    """
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "norm" in name:
                continue
            fan = weight[0].numel() if weight.ndim > 1 else 100
            scale = 0.2 if "attn.proj" in name or name == "pos_embed" else 1.0
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale / fan**0.5)


def _plant(module: Any, marks: Tensor, generator: torch.Generator) -> None:
    mlp, head = module.blocks[0].mlp, module.head.weight
    # What the mark adds to a token, in the normalization of the model: twice the pixels.
    mark = torch.einsum("cxhw,xhw->c", module.patch_embed.proj.weight, 2 * marks[0])
    mark = mark - mark.mean()
    norm = mlp.fc2.weight.norm(dim=0).mean()
    along = head[0] - head[1:].mean(0)
    along = along - along.mean()
    read = torch.linalg.qr(torch.cat([head, torch.ones(1, WIDTH)]).T).Q
    unread = torch.randn(WIDTH, generator=generator)
    unread = unread - read @ (read.T @ unread)
    for number, direction in enumerate((along, unread)):
        # Tokens are of norm sqrt(WIDTH) here: those with the mark lie above the threshold.
        mlp.fc1.weight[number] = 2 * mark / mark.norm()
        mlp.fc1.bias[number] = -(WIDTH**0.5)
        mlp.fc2.weight[:, number] = 2 * norm * direction / direction.norm()
    mlp.fc1.bias[2] = -50


def store_pictures(
    model: VisionModel, dataset: Dataset, store: Path, numbers: Iterable[int]
) -> None:
    """Give neurons pictures: an image of class 0, and of the next classes."""
    chosen = list(numbers)
    images = torch.stack([dataset.image(number % CLASSES, SIDE) for number in range(len(chosen))])
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1)[:, None].numpy()
    writer = open_writer(model, store, "renders", {"steps": 0})
    flat = np.zeros((len(chosen), 1), np.float32)
    writer.add(
        {
            "address": [f"{SITE}:{number}" for number in chosen],
            "images": pixels,
            "activation": flat,
            "trajectory": flat[:, :, None],
        }
    )


@dataclass(frozen=True)
class Found:
    """What is known of a neuron once a store is validated.

    Attributes
    ----------
    row : Row
    claims : frozenset of str
        Those that hold.
    tested : frozenset of str
        Claims that could be tested.
    """

    row: Row
    claims: frozenset[str]
    tested: frozenset[str]


def found_in(store: Path) -> list[Found]:
    """Make the claims of `featviz.evidence` about all neurons of a store, in its order."""
    opened = Store(store)
    rows = list(opened.rows("validations"))
    made = claims(rows, opened.configuration["validations"]["doses"])
    return [
        Found(
            row,
            frozenset(name for name, claim in made[row["address"]].items() if claim.holds),
            frozenset(name for name, claim in made[row["address"]].items() if claim.p == claim.p),
        )
        for row in rows
    ]


def right(name: str, found: Found) -> bool:
    """Tell whether the verdict on a planted neuron is right."""
    if name == "needed":
        both = {"necessary", "sufficient"} <= found.claims
        return both and int(found.row["class"]) == 0
    return bool(found.row["silent"]) == (name == "dead") and not found.claims


def verdicts(seed: int) -> tuple[dict[str, Found], list[Found]]:
    """Validate the planted neurons of a seed, by name, and ordinary ones."""
    model, dataset = planted(seed)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        store_pictures(model, dataset, store, [*range(len(PLANTED)), *ORDINARY])
        validate_to_store(model, store, dataset, seed=seed)
        found = found_in(store)
    return dict(zip(PLANTED, found, strict=False)), found[len(PLANTED) :]


def counts(found: Iterable[Found]) -> dict[str, dict[str, float]]:
    """Count, for each claim, the neurons tested, those it is made of, and those due to rank."""
    every = list(found)
    told = {}
    for name in CLAIMS:
        tested = sum(name in each.tested for each in every)
        made = sum(name in each.claims for each in every)
        told[name] = {"tested": tested, "made": made, "by_rank": expected_by_rank(tested)}
    return told


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    seeds = parser.parse_args().seeds
    start, count = time.perf_counter(), dict.fromkeys(PLANTED, 0)
    ordinary: list[Found] = []
    for seed in range(seeds):
        some, others = verdicts(seed)
        ordinary += others
        for name, found in some.items():
            count[name] += right(name, found)
    seconds = (time.perf_counter() - start) / seeds
    told = {"seeds": seeds, "right": count, "ordinary": counts(ordinary), "seconds": seconds}
    print(json.dumps({**told, **describe()}))


if __name__ == "__main__":
    main()
