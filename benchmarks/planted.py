"""How often a validation is right about planted neurons, whose role in the network is known.

``python -m benchmarks.planted --seeds 100`` prints one JSON line: for each planted neuron the
number of seeds with the right verdict; for ordinary neurons the number tested, the number of
claims, and the number expected by rank. Every seed makes another network, other marks of the
classes and other images. The network is a vision transformer of timm with random weights, two
blocks, and 64 neurons per MLP. In its first MLP

- neuron 0 is *needed*: it reads the mark that images of class 0 carry in some of their patches, and
  writes along the weights of that class's logit;
- neuron 1 only *correlates*: it reads the same mark, and writes with the same norm in a direction
  that no logit reads;
- neuron 2 is *dead*: its bias keeps it at 0.

The other neurons are random; some of them are validated as the ordinary ones. Claims are those of
`featviz.analysis.evidence.claims`, which controls false discoveries over the neurons of a store and
requires confidence intervals above 0. With ``--latents``, the units are latents of a sparse
autoencoder of what the MLP adds to the stream, which recovers the activations of its neurons. The
right verdicts: neuron 0 is necessary and sufficient for class 0; neuron 1 is neither, for any
class; neuron 2 is silent.
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
from featviz._util.images import to_uint8
from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from featviz.data.datasets import Dataset
from featviz.models.loading.options import LoadOptions
from featviz.models.sae.activation_functions import JumpReLU
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights
from featviz.store.columns import Row
from featviz.store.jobs import open_writer
from patching.validation.job import validate_to_store

SIDE, PATCH, WIDTH, CLASSES = 32, 8, 64, 4
PLANTED = ("needed", "correlates", "dead")
SITE = "blocks.0.mlp.fc1"
COUNT = 160
"""Images of a seed, 40 of each class."""

ORDINARY = range(8, 16)
"""Random neurons that are validated together with the planted ones."""


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
    classes: tuple[str, ...] = tuple(f"mark {label}" for label in range(CLASSES))
    wordnet_ids: tuple[str, ...] = ()
    interleaved: bool = True

    def __len__(self) -> int:
        """Return the number of images."""
        return COUNT

    def fingerprint(self) -> str:
        """Return a digest of the images."""
        return f"marked-{self.seed}"

    def label(self, index: int) -> int:
        """Return the class of an image."""
        return index % CLASSES

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        """Draw an image."""
        generator = torch.Generator().manual_seed(self.seed * COUNT + index)
        image = 0.5 + 0.08 * torch.randn(3, size, size, generator=generator)
        grid, label = size // PATCH, self.label(index)
        for patch in torch.randperm(grid**2, generator=generator)[:4].tolist():
            top, left = (PATCH * each for each in divmod(patch, grid))
            image[:, top : top + PATCH, left : left + PATCH] += self.marks[label]
        return image.clamp(0, 1), label


def planted(
    seed: int, plant: bool = True, ratio: int = 1, norm: float = 2
) -> tuple[VisionModel, Dataset]:
    """Make a network, and images with the marks of its classes.

    Parameters
    ----------
    seed : int
    plant : bool
        Whether to plant neurons; if not, every neuron is random.
    ratio : int
        Neurons of an MLP, relative to the width of the residual stream, `WIDTH`.
    norm : float
        Norm of what planted neurons write, relative to the mean of the others.
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
    _randomize(module, generator)
    marks = 0.2 * torch.randn(CLASSES, 3, PATCH, PATCH, generator=generator).sign()
    if plant:
        with torch.no_grad():
            _plant(module, marks, generator, norm)
    module.eval().requires_grad_(False)
    source, half = Marked(marks, seed), (0.5, 0.5, 0.5)
    untrained = LoadOptions(untrained=True)
    model = VisionModel(f"planted-{seed}", module, SIDE, half, half, source.classes, untrained)
    return model, Dataset(f"marked-{seed}", source.classes, source)


def _randomize(module: nn.Module, generator: torch.Generator) -> None:
    """Draw weights that keep the scale of each layer's input; attention and positions add little.

    Norms keep their defaults.
    """
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "norm" in name:
                continue
            fan = weight[0].numel() if weight.ndim > 1 else 100
            scale = 0.2 if "attn.proj" in name or name == "pos_embed" else 1.0
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale / fan**0.5)


def _plant(module: Any, marks: Tensor, generator: torch.Generator, size: float) -> None:
    mlp, head = module.blocks[0].mlp, module.head.weight
    # What the mark adds to a token: the model's normalization doubles the pixels.
    mark = torch.einsum("cxhw,xhw->c", module.patch_embed.proj.weight, 2 * marks[0])
    mark = mark - mark.mean()
    norm = mlp.fc2.weight.norm(dim=0).mean()
    along = head[0] - head[1:].mean(0)
    along = along - along.mean()
    read = torch.linalg.qr(torch.cat([head, torch.ones(1, WIDTH)]).T).Q
    unread = torch.randn(WIDTH, generator=generator)
    unread = unread - read @ (read.T @ unread)
    for index, direction in enumerate((along, unread)):
        # Tokens have norm sqrt(WIDTH) here: those with the mark exceed the threshold.
        mlp.fc1.weight[index] = 2 * mark / mark.norm()
        mlp.fc1.bias[index] = -(WIDTH**0.5)
        mlp.fc2.weight[:, index] = size * norm * direction / direction.norm()
    mlp.fc1.bias[2] = -50


def with_latents(model: VisionModel) -> VisionModel:
    """Add an autoencoder of what the MLP adds, whose latents are the activations of its neurons.

    Negative and small ones are 0, and remain in the error.
    """
    last: Any = model.module.get_submodule("blocks.0.mlp.fc2")
    encoder = torch.linalg.pinv(last.weight.double()).to(last.weight)
    zero, bias = torch.zeros(len(encoder)), last.bias.clone()
    weights = Weights(encoder, zero, last.weight.T.contiguous(), bias, center=bias)
    origin = Origin("planted", "jumprelu", model.name, "blocks.0.mlp_out")
    sae = SparseAutoencoder(weights, JumpReLU(torch.full_like(zero, 0.05)), origin)
    return model.with_saes({"planted": sae})


def store_renders(
    model: VisionModel, dataset: Dataset, store: Path, neurons: Iterable[int], site: str = SITE
) -> None:
    """Store images of class 0, 1, 2, ... as the renders of units of a site."""
    chosen = list(neurons)
    images = torch.stack([dataset.image(index % CLASSES, SIDE) for index in range(len(chosen))])
    writer = open_writer(model, store, "renders", {"steps": 0})
    flat = np.zeros((len(chosen), 1), np.float32)
    writer.add(
        {
            "address": [f"{site}:{neuron}" for neuron in chosen],
            "images": to_uint8(images)[:, None].numpy(),
            "activation": flat,
            "trajectory": flat[:, :, None],
        }
    )


@dataclass(frozen=True)
class Verdict:
    """The result of validating one neuron.

    Attributes
    ----------
    row : Row
    claims : frozenset of str
        Names of the claims that hold.
    tested : frozenset of str
        Names of the claims that could be tested.
    """

    row: Row
    claims: frozenset[str]
    tested: frozenset[str]


def verdicts_of(store: Path) -> list[Verdict]:
    """Decide the claims about all neurons of a validated store, in its order."""
    opened = Store(store)
    rows = list(opened.rows("validations"))
    found = claims(rows, opened.configuration["validations"]["doses"])
    return [
        Verdict(
            row,
            frozenset(name for name, claim in found[row["address"]].items() if claim.holds),
            frozenset(name for name, claim in found[row["address"]].items() if claim.p == claim.p),
        )
        for row in rows
    ]


def is_right(name: str, verdict: Verdict) -> bool:
    """Return whether the verdict on a planted neuron, one of `PLANTED`, is right."""
    if name == "needed":
        both = {"necessary", "sufficient"} <= verdict.claims
        return both and int(verdict.row["class"]) == 0
    return bool(verdict.row["silent"]) == (name == "dead") and not verdict.claims


def validate_planted(seed: int, latents: bool = False) -> tuple[dict[str, Verdict], list[Verdict]]:
    """Validate the planted neurons or latents of a seed, by name, and ordinary ones."""
    # Of norm 2, what some needed latents write is not above random directions: the norm of the
    # stream changes so much that each of them lowers margins.
    model, dataset = planted(seed, norm=1 if latents else 2)
    model, site = (with_latents(model), "sae.planted") if latents else (model, SITE)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        store_renders(model, dataset, store, [*range(len(PLANTED)), *ORDINARY], site)
        validate_to_store(model, store, dataset, seed=seed)
        found = verdicts_of(store)
    return dict(zip(PLANTED, found, strict=False)), found[len(PLANTED) :]


def counts(verdicts: Iterable[Verdict]) -> dict[str, dict[str, float]]:
    """Count, for each claim, the neurons tested, the claims, and those expected by rank."""
    every = list(verdicts)
    found = {}
    for name in CLAIMS:
        tested = sum(name in each.tested for each in every)
        held = sum(name in each.claims for each in every)
        found[name] = {"tested": tested, "made": held, "by_rank": expected_by_rank(tested)}
    return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--latents", action="store_true")
    arguments = parser.parse_args()
    seeds = arguments.seeds
    start, count = time.perf_counter(), dict.fromkeys(PLANTED, 0)
    ordinary: list[Verdict] = []
    for seed in range(seeds):
        found, others = validate_planted(seed, arguments.latents)
        ordinary += others
        for name, verdict in found.items():
            count[name] += is_right(name, verdict)
    seconds = (time.perf_counter() - start) / seeds
    report = {"seeds": seeds, "right": count, "ordinary": counts(ordinary), "seconds": seconds}
    print(json.dumps({**report, **describe()}))


if __name__ == "__main__":
    main()
