"""The protocol of parametrizations: what is optimized, and how it decodes to images."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

EDGE = 1e-3
"""Distance from 0 and 1 at which `logits` clips images, which a sigmoid never reaches."""


class Parametrization(Protocol):
    """An image as free parameters.

    `featviz.render` takes one of your own: ``param=MyParametrization``, called with height and
    width. Only `initial` and `decode` are needed; `encode` is for a start image and `frequencies`
    for a frequency schedule.
    """

    def initial(self, generator: torch.Generator, /) -> Tensor:
        """Draw the parameters at which the optimization of one image starts.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU, seeded for this image alone.

        Returns
        -------
        Tensor
            On the CPU, floating-point, of any shape.
        """
        ...

    def decode(self, parameters: Tensor, /) -> Tensor:
        """Decode parameters to images, differentiably.

        Parameters
        ----------
        parameters : Tensor, shape (N, ...)
            N times the shape that `initial` returns.

        Returns
        -------
        Tensor, shape (N, 3, height, width)
            RGB in [0, 1].
        """
        ...


class Encoder(Protocol):
    """A parametrization in which a given image can be expressed."""

    def encode(self, images: Tensor, /) -> Tensor:
        """Return the parameters that decode to images, as nearly as possible.

        Parameters
        ----------
        images : Tensor, shape (N, 3, height, width)
            RGB in [0, 1].

        Returns
        -------
        Tensor, shape (N, ...)
        """
        ...


class FrequencyParametrization(Protocol):
    """A parametrization whose parameters belong to spatial frequencies."""

    def frequencies(self) -> Tensor:
        """Return the spatial frequency of each parameter, in cycles per pixel.

        Returns
        -------
        Tensor
            On the CPU, broadcastable to the shape that `initial` returns.
        """
        ...


def logits(images: Tensor) -> Tensor:
    """Invert the sigmoid that ends each parametrization.

    Parameters
    ----------
    images : Tensor
        In [0, 1]; clipped to [0.001, 0.999].

    Returns
    -------
    Tensor
        Of the same shape.
    """
    return images.clamp(EDGE, 1 - EDGE).logit()
