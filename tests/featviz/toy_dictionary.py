"""A model whose activations are sparse combinations of known atoms, and its exact autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from featviz.data.datasets import Dataset
from featviz.models.sae.activation_functions import JumpReLU
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights
from featviz.models.vision_model import VisionModel

PATCH, GRID, ATOMS, WIDTH, ACTIVE = 4, 3, 20, 24, 3
SIDE = PATCH * GRID


@dataclass
class Images:
    """Images by index: a `featviz.data.source.Source`."""

    images: Tensor
    classes: tuple[str, ...] = ()
    wordnet_ids: tuple[str, ...] = ()
    interleaved: bool = True

    def __len__(self) -> int:
        return len(self.images)

    def fingerprint(self) -> str:
        return "images"

    def read(self, index: int, size: int) -> tuple[Tensor, int]:
        assert self.images.shape[-1] == size
        return self.images[index], -1

    def label(self, _index: int) -> int:
        return -1


def dataset(images: Tensor) -> Dataset:
    """Return a dataset of images (N, 3, H, W)."""
    return Dataset("images", (), Images(images))


@dataclass
class ToyDictionary:
    """Patches are gray with a few orthonormal atoms; the model is a random linear map of each.

    Attributes
    ----------
    atoms : Tensor, shape (ATOMS, 3, PATCH, PATCH)
        Orthonormal.
    model : VisionModel
        Activations ``0``, the mean over the patches, and two logits.
    sae : SparseAutoencoder
        Latent i of a patch is the coefficient of atom i.
    """

    atoms: Tensor
    model: VisionModel
    sae: SparseAutoencoder

    def images(self, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Draw images and coefficients, (count, patches, ATOMS), at most `ACTIVE` of them not 0."""
        generator = torch.Generator().manual_seed(seed)
        shape = (count, GRID * GRID, ATOMS)
        chosen = torch.rand(shape, generator=generator).argsort(-1) < ACTIVE
        coefficients = chosen * (0.1 + 0.2 * torch.rand(shape, generator=generator))
        patches = 0.5 + torch.einsum("npa,achw->npchw", coefficients, self.atoms)
        grid = patches.reshape(count, GRID, GRID, 3, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5)
        return grid.reshape(count, 3, SIDE, SIDE), coefficients


def toy_dictionary() -> ToyDictionary:
    """Make the model and its exact autoencoder."""
    generator = torch.Generator().manual_seed(0)
    pixels = 3 * PATCH * PATCH
    square = torch.randn(pixels, pixels, generator=generator)
    atoms = torch.linalg.qr(square).Q[:, :ATOMS].T.contiguous()
    embedding = torch.randn(WIDTH, pixels, generator=generator) / pixels**0.5
    module = nn.Sequential(
        nn.Conv2d(3, WIDTH, PATCH, PATCH),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, 2),
    )
    directions = atoms @ embedding.T
    # The embedding of what no atom spans is removed, so that a latent reads its atom only.
    embedding = embedding @ atoms.T @ atoms
    with torch.no_grad():
        layer = module[0]
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        layer.weight.copy_(embedding.view(WIDTH, 3, PATCH, PATCH))
        layer.bias.zero_()
    module.eval().requires_grad_(False)
    # Where pixels are normalized to -0.5 ... 0.5, gray patches are 0.
    model = VisionModel("toy dictionary", module, SIDE, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    weights = Weights(
        torch.linalg.pinv(directions).T.contiguous(),
        torch.zeros(ATOMS),
        directions,
        torch.zeros(WIDTH),
    )
    origin = Origin("tests", "jumprelu", "toy dictionary", "0")
    sae = SparseAutoencoder(weights, JumpReLU(torch.full((ATOMS,), 0.05)), origin)
    return ToyDictionary(atoms.view(ATOMS, 3, PATCH, PATCH), model, sae)
