"""Activation functions of sparse autoencoders: from pre-activations to latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ReLU(nn.ReLU):
    """Positive pre-activations."""

    def select(self, _latents: Sequence[int]) -> ReLU:
        """Return the activation function of some latents only."""
        return self


class JumpReLU(nn.Module):
    """Positive pre-activations that exceed the threshold of their latent.

    Parameters
    ----------
    threshold : Tensor, shape (latents,) or ()
    """

    threshold: Tensor

    def __init__(self, threshold: Tensor) -> None:
        super().__init__()
        self.register_buffer("threshold", threshold)

    def forward(self, values: Tensor) -> Tensor:
        """Return the latents.

        Parameters
        ----------
        values : Tensor, shape (..., latents)
            Pre-activations.

        Returns
        -------
        Tensor, shape (..., latents)
        """
        return torch.relu(values) * (values > self.threshold)

    def select(self, latents: Sequence[int]) -> JumpReLU:
        """Return the activation function of some `latents` only, by index."""
        return JumpReLU(self.threshold[list(latents)]) if self.threshold.ndim else self


class TopK(nn.Module):
    """The largest pre-activations of each token.

    Parameters
    ----------
    k : int
        Number of latents that are kept.
    keeps_negative : bool
        Whether those among them that are negative stay so; by default they become 0.
    """

    def __init__(self, k: int, keeps_negative: bool = False) -> None:
        super().__init__()
        self.k, self.keeps_negative = k, keeps_negative

    def forward(self, values: Tensor) -> Tensor:
        """Return the latents.

        Parameters
        ----------
        values : Tensor, shape (..., latents)
            Pre-activations.

        Returns
        -------
        Tensor, shape (..., latents)
        """
        largest, indices = torch.topk(values, self.k, dim=-1, sorted=False)
        if not self.keeps_negative:
            largest = torch.relu(largest)
        return torch.zeros_like(values).scatter(-1, indices, largest)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"k={self.k}, keeps_negative={self.keeps_negative}"
