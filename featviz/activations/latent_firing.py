"""Firing of latents: on how many tokens of an image each latent is not 0, with its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.activation_readers import full_reader
from featviz.activations.latent_reader import LatentReader
from featviz.activations.readout import Readout
from featviz.activations.token_pooling import TokenPooling
from featviz.addressing.address import Unit
from featviz.models.hooks import Context
from featviz.models.sae.load import trained_tokens

if TYPE_CHECKING:
    from featviz.activations.layer_readers import LayerReader
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

MAX_VALUES = 2**22
"""Pre-activations in memory at once, unless a single image has more: 16 MB of float32."""


class FiringReader(LatentReader):
    """Reads pre-activations, and counts the tokens on which latents fire.

    All latents of the sparse autoencoder are computed, since in a top-k each depends on the others.

    Parameters
    ----------
    module, site, units
        See `LatentReader`.
    tokens : slice
        The tokens that count; see `featviz.models.sae.load.trained_tokens`.

    Attributes
    ----------
    latents : list of int
        The latents of the units, each once.
    fired : Tensor of int32, shape (N, latents)
        On how many tokens of each image of the last `read_all` they were not 0.
    """

    def __init__(self, module: nn.Module, site: Site, units: Sequence[Unit], tokens: slice) -> None:
        if site.sae is None or site.read is None:
            raise ValueError(f"{site.path} has no latents")
        device = next(module.parameters()).device
        self._sae, self._whole = site.sae, full_reader(module, site.read, [])
        self._tokens, self._device = tokens, device
        indices = [int(str(unit.index)) for unit in units]
        self.latents = list(dict.fromkeys(indices))
        self._columns = torch.tensor(indices, device=device)
        self._latents = torch.tensor(self.latents, device=device)
        self.pooling = TokenPooling(site, units, device)
        self.fired = torch.zeros(0, len(self.latents), dtype=torch.int32, device=device)

    def read_all(self, inputs: Tensor, context: Context) -> Tensor:
        """See `LayerReader.read_all`; sets `fired`."""
        vectors = self.vectors(inputs, context)
        size = max(1, MAX_VALUES // (vectors.shape[1] * self._sae.latents))
        values = vectors.new_empty(len(vectors), len(self._columns))
        self.fired = self.fired.new_empty(len(vectors), len(self.latents))
        # Into one tensor each: small ones between large temporary ones fragment the memory.
        for start in range(0, len(vectors), size):
            part = slice(start, start + size)
            self._read(vectors[part], values[part], self.fired[part])
        return values

    def _read(self, vectors: Tensor, values: Tensor, fired: Tensor) -> None:
        """Write values (N, units) and counts of tokens (N, latents)."""
        sae = self._sae
        every = F.linear(vectors.to(sae.encoder), sae.encoder, sae.encoder_bias)
        fires = sae.activation(every[:, self._tokens]) != 0
        fired[:] = fires.sum(1, dtype=torch.int32).to(self._device)[:, self._latents]
        for position, columns in self.pooling.groups():
            pooled = self.pooling.pool_at(every, position).to(values)
            values[:, columns] = pooled[:, self._columns[columns]]


class FiringReadout(Readout):
    """A readout that also counts the tokens on which latents fire.

    Parameters
    ----------
    model, units
        See `Readout`.
    """

    def __init__(self, model: VisionModel, units: Sequence[Unit]) -> None:
        self._counters: dict[str, FiringReader] = {}
        super().__init__(model, units)

    def fired(self, latents: Sequence[str]) -> Tensor:
        """Return on how many tokens of each image of the last call latents were not 0.

        Parameters
        ----------
        latents : sequence of str
            Latents of the units, such as ``sae.x:7``.

        Returns
        -------
        Tensor of int32, shape (N, latents)
        """
        columns = [
            f"{site}:{latent}"
            for site, reader in self._counters.items()
            for latent in reader.latents
        ]
        every = torch.cat([reader.fired for reader in self._counters.values()], 1)
        if latents == columns:
            return every
        position = {latent: column for column, latent in enumerate(columns)}
        return every[:, [position[latent] for latent in latents]]

    def _reader(self, site: Site, units: Sequence[Unit]) -> LayerReader:
        if site.sae is None:
            return super()._reader(site, units)
        tokens = trained_tokens(self.model, site.sae, site.prefix)
        reader = FiringReader(self.model.module, site, units, tokens)
        self._counters[site.path] = reader
        return reader
