"""Latent reader: from the input of a module to pre-activations of a sparse autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.activation_readers import full_reader
from featviz.activations.layer_readers import LinearReader
from featviz.activations.token_pooling import TokenPooling
from featviz.addressing.address import Unit
from featviz.models.hooks import Context
from featviz.models.sites import Site


class LatentReader(LinearReader):
    """Reads pre-activations of latents, from the rows of the encoder that belong to them.

    The value of a latent is its pre-activation, which does not depend on other latents and has a
    gradient where the latent is closed.

    Parameters
    ----------
    module : nn.Module
        The whole model.
    site : Site
        Of kind ``"latents"``.
    units : sequence of Unit
        Units of the site.
    """

    def __init__(self, module: nn.Module, site: Site, units: Sequence[Unit]) -> None:
        if site.sae is None or site.read is None:
            raise ValueError(f"{site.path} has no latents")
        parameter = next(module.parameters())
        device = parameter.device
        # On the device of the model: a copy in every step would wait for a GPU.
        self._sae, self._whole = site.sae.on(device), full_reader(module, site.read, [])
        rows = torch.tensor([unit.index for unit in units], device=self._sae.encoder.device)
        # Of the wider dtype, as the vectors: a model in half precision has latents in float32.
        dtype = torch.promote_types(parameter.dtype, self._sae.encoder.dtype)
        self.weight = self._sae.encoder[rows].to(device, dtype)
        self.bias = self._sae.encoder_bias[rows].to(device, dtype)
        self.pooling = TokenPooling(site, units, device)

    def vectors(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LinearReader.vectors`."""
        return self._sae.center_inputs(self._whole.output(inputs, context))

    def output(self, inputs: Tensor, context: Context) -> Tensor:
        """Compute the pre-activations of the units at all positions.

        Parameters
        ----------
        inputs : Tensor
            Input of the site's owner.
        context : mapping
            Keyword arguments of its call.

        Returns
        -------
        Tensor, shape (N, positions, units)
        """
        return F.linear(self.vectors(inputs, context), self.weight, self.bias)

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """Return the cosine of unit i's encoder row and the centered vectors on image i.

        See `LayerReader.cosines`; a latent is a direction of the space that it reads.
        """
        vectors = self.vectors(inputs, context)
        positions = self.pooling.locate(vectors, self.weight)
        cosines = F.cosine_similarity(vectors, self.weight[:, None], -1)
        return self.pooling.pool_rows(cosines[..., None], positions)[:, 0]

    def features(self, inputs: Tensor) -> Tensor:
        """See `LayerReader.features`."""
        return self._whole.features(inputs)
