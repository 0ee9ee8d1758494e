"""Statistics of a sparse autoencoder over tokens, summed batch by batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from featviz.models.sae.sparse_autoencoder import SparseAutoencoder

MAX_VALUES = 2**24
"""Latents in memory at once: 64 MB of float32."""

DENSE = 0.1
"""A latent is dense if it fires on more than this share of the tokens.

Source: Sun et al., "Dense SAE Latents Are Features, Not Bugs", 2025, arXiv:2506.15679."""


class TokenStatistics:
    """Sums over tokens, in memory that does not grow with their number.

    Parameters
    ----------
    sae : SparseAutoencoder
        Not a transcoder.

    Attributes
    ----------
    tokens : int
        Number of tokens so far.
    fired : Tensor of int64, shape (latents,)
        On how many of them each latent is not 0.
    """

    def __init__(self, sae: SparseAutoencoder) -> None:
        device = sae.encoder.device
        self._sae = sae
        self.tokens = 0
        self.fired = torch.zeros(sae.latents, dtype=torch.int64, device=device)
        self._mean = torch.zeros(sae.width, dtype=torch.float64, device=device)
        self._total = self._residual = 0.0

    def reconstruct(self, inputs: Tensor) -> Tensor:
        """Reconstruct some tokens, and count them.

        Parameters
        ----------
        inputs : Tensor, shape (tokens, width)
            On any device.

        Returns
        -------
        Tensor, shape (tokens, width)
            On the device of the sparse autoencoder.
        """
        size = max(1, MAX_VALUES // self._sae.latents)
        parts = torch.split(inputs.to(self._mean.device), size)
        return torch.cat([self._reconstruct(part) for part in parts])

    def _reconstruct(self, inputs: Tensor) -> Tensor:
        latents = self._sae.encode(inputs)
        outputs = self._sae.decode(latents, inputs)
        self.fired += (latents != 0).sum(0)
        self._residual += float((inputs.double() - outputs.double()).square().sum())
        self._add_variance(inputs.double())
        return outputs

    def _add_variance(self, inputs: Tensor) -> None:
        """Update mean and sum of squared deviations, as Chan et al. combine two samples.

        Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
        Sample Variances", 1979.
        """
        count, mean = len(inputs), inputs.mean(0)
        shift, total = mean - self._mean, self.tokens + count
        self._total += float((inputs - mean).square().sum())
        self._total += float(shift.square().sum()) * self.tokens * count / total
        self._mean += shift * (count / total)
        self.tokens = total

    @property
    def explained_variance(self) -> float:
        """1 - sum of squared errors / sum of squared deviations from the mean token.

        NaN if all tokens are equal.
        """
        return 1 - self._residual / self._total if self._total else math.nan

    @property
    def l0(self) -> float:
        """Mean number of latents that fire on a token."""
        return float(self.fired.sum()) / self.tokens

    @property
    def alive(self) -> float:
        """Share of the latents that fire on at least one token."""
        return float((self.fired > 0).double().mean())

    @property
    def dense(self) -> float:
        """Share of the latents that fire on more than `DENSE` of the tokens."""
        return float((self.fired > DENSE * self.tokens).double().mean())
