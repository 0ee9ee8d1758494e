"""`Weights`: the tensors of a sparse autoencoder, in one layout for all libraries."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """Tensors of a sparse autoencoder or transcoder.

    Attributes
    ----------
    encoder : Tensor, shape (latents, width)
        Row i is what latent i reads.
    encoder_bias : Tensor, shape (latents,)
    decoder : Tensor, shape (latents, output width)
        Row i is what latent i writes.
    decoder_bias : Tensor, shape (output width,)
    center : Tensor, shape (width,), optional
        Subtracted from the normalized input: the decoder bias in most libraries. None for nothing.
    skip : Tensor, shape (output width, width), optional
        The linear map from the input to the output of a skip transcoder.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    center: Tensor | None = None
    skip: Tensor | None = None

    def fold_decoder_norms(self) -> Weights:
        """Give the rows of the decoder unit norm, without changing the reconstruction.

        Each latent is multiplied by the norm of its row, which is at least 1e-8 as in SAELens.

        Returns
        -------
        Weights
        """
        norms = self.decoder.norm(dim=1).clamp(min=1e-8)
        return replace(
            self,
            encoder=self.encoder * norms[:, None],
            encoder_bias=self.encoder_bias * norms,
            decoder=self.decoder / norms[:, None],
        )

    def fold_input(self, scale: float, mean: Tensor | None = None) -> Weights:
        """Take inputs as the model computes them in place of ``(inputs - mean) * scale``.

        Parameters
        ----------
        scale : float
            Not 0.
        mean : Tensor, shape (width,), optional
            By default 0. Only of an autoencoder whose output is its input.

        Returns
        -------
        Weights
            The decoder writes in the units of the model too.
        """
        center, decoder_bias = self.center, self.decoder_bias / scale
        if center is not None:
            center = center / scale
        if mean is not None:
            center = mean if center is None else center + mean
            decoder_bias = decoder_bias + mean
        return replace(
            self,
            encoder=self.encoder * scale,
            decoder=self.decoder / scale,
            decoder_bias=decoder_bias,
            center=center,
        )

    @property
    def width(self) -> int:
        """Width of the input."""
        return self.encoder.shape[1]


def gated(weights: Weights, magnitude: Tensor, magnitude_bias: Tensor) -> tuple[Weights, Tensor]:
    """Write a gated encoder as one whose latents open at thresholds.

    Gate and magnitude read the same rows: the gate opens where ``u + gate_bias > 0``, and the
    magnitude is ``exp(magnitude) * u + magnitude_bias``. So the gate is open where the magnitude
    exceeds ``magnitude_bias - exp(magnitude) * gate_bias``.

    Parameters
    ----------
    weights : Weights
        Its encoder bias is the bias of the gate.
    magnitude, magnitude_bias : Tensor, shape (latents,)

    Returns
    -------
    Weights
        Its pre-activations are the magnitudes.
    Tensor, shape (latents,)
        The thresholds.

    Source: Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders",
    2024, arXiv:2404.16014, appendix E.
    """
    scale = torch.exp(magnitude)
    thresholds = magnitude_bias - scale * weights.encoder_bias
    encoder = weights.encoder * scale[:, None]
    return replace(weights, encoder=encoder, encoder_bias=magnitude_bias), thresholds
