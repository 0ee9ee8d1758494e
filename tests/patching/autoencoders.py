"""Small sparse autoencoders with random weights, for the models that patching is tested on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.normalization import Normalization
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights

LATENTS = 12
ACTIVATIONS: dict[str, nn.Module] = {
    "relu": ReLU(),
    "jumprelu": JumpReLU(torch.linspace(0, 0.3, LATENTS)),
    "topk": TopK(4),
}


def autoencoder(
    width: int,
    site: str,
    activation: str = "relu",
    normalization: Normalization = "none",
    library: str = "standard",
) -> SparseAutoencoder:
    """Make an autoencoder in double precision, whose reconstruction has an error."""
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = Weights(draw(LATENTS, width), draw(LATENTS), draw(LATENTS, width), draw(width))
    origin = Origin("tests", library, "toy", site)
    return SparseAutoencoder(weights, ACTIVATIONS[activation], origin, normalization)
