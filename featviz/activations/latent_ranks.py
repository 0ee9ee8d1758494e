"""Latents after their threshold, and their ranks among all latents, on images of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz.activations.latent_reader import LatentReader
from featviz.addressing.address import Unit
from featviz.addressing.selectors import site_of
from featviz.models.hooks import Context, eval_mode, run_until

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


class LatentRanks(NamedTuple):
    """How active N latents are, each at one token of an image of its own.

    Attributes
    ----------
    latents : Tensor, shape (N,)
        The latents, after threshold or top-k; 0 where a latent does not fire.
    ranks : Tensor of int64, shape (N,)
        1 plus the number of latents of the autoencoder with a larger pre-activation at that token.
    """

    latents: Tensor
    ranks: Tensor


def is_latent(model: VisionModel, unit: Unit) -> bool:
    """Return whether a unit is a single latent of a sparse autoencoder, and not a sum of units."""
    return type(unit) is Unit and site_of(model, unit).kind == "latents"


def latent_ranks(model: VisionModel, units: Sequence[Unit], images: Tensor) -> LatentRanks:
    """Compute latents and their ranks.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        N latents of one sparse autoencoder, see `is_latent`; of each, its token is read. For a mean
        over patches or a maximum this is the patch with the largest pre-activation.
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1], on the device of the model; H and W are its `image_size`.

    Returns
    -------
    LatentRanks
        On the device of the autoencoder.
    """
    site = site_of(model, units[0])
    assert site.sae is not None
    sae = site.sae
    located = [replace(unit, token="max") if unit.token is None else unit for unit in units]
    reader = LatentReader(model.module, site, located)
    found: list[Tensor] = []

    def take(_path: str, inputs: Tensor, context: Context) -> None:
        vectors = reader.vectors(inputs, context)
        positions = reader.pooling.locate(vectors, reader.weight)
        found.append(reader.pooling.pool_rows(vectors, positions))

    with eval_mode(model.module), torch.no_grad():
        run_until(model, images, [site.owner], take)
        (vectors,) = found
        values = F.linear(vectors.to(sae.encoder), sae.encoder, sae.encoder_bias)
        own = torch.tensor([[unit.index] for unit in units], device=values.device)
        larger = values > values.gather(1, own)
        return LatentRanks(sae.activation(values).gather(1, own)[:, 0], larger.sum(1) + 1)
