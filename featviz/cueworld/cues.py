"""Transforms that remove one cue: color, texture, or the relation of hue to labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz.cueworld.colors import LUMA


def grayscale(images: Tensor) -> Tensor:
    """Remove color: every channel becomes the luminance.

    Parameters
    ----------
    images : Tensor, shape (N, 3, height, width)
        RGB.

    Returns
    -------
    Tensor, same shape

    Source: ITU-R Recommendation BT.601.
    """
    luma = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return luma.expand_as(images)


def blur(images: Tensor, sigma: float | None = None) -> Tensor:
    """Remove texture with a Gaussian filter, truncated at three sigmas, with reflection padding.

    Parameters
    ----------
    images : Tensor, shape (N, C, height, width)
        Any values.
    sigma : float, optional
        Standard deviation in pixels, above 0; by default 1/24 of the width, which keeps 3 to 29 %
        of the contrast of cueworld's stripes.

    Returns
    -------
    Tensor, same shape

    Raises
    ------
    ValueError
        If sigma is not above 0, or three sigmas exceed the image.
    """
    channels, height, width = images.shape[1:]
    sigma = width / 24 if sigma is None else sigma
    limit = min(height, width) / 3
    if not 0 < sigma < limit:
        raise ValueError(f"blur sigma must be above 0 and below {limit:g} pixels, not {sigma:g}")
    radius = int(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (weights / weights.sum()).to(images.dtype).expand(channels, 1, -1)
    padded = F.pad(images, (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, :, None, :], groups=channels)
    return F.conv2d(rows, kernel[:, :, :, None], groups=channels)


def silhouette(images: Tensor, masks: Tensor) -> Tensor:
    """Remove texture: fill the object with its mean color.

    Parameters
    ----------
    images : Tensor, shape (N, C, height, width)
        Any values.
    masks : Tensor, shape (N, 1, height, width)
        Fraction of each pixel that the object covers, in [0, 1]; pixels with 0 are unchanged.

    Returns
    -------
    Tensor, shape (N, C, height, width)
    """
    area = masks.sum((2, 3), keepdim=True).clamp_min(1e-6)
    mean = (images * masks).sum((2, 3), keepdim=True) / area
    return torch.lerp(images, mean, masks)


def hide_color(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make training data in which hue is independent of the label.

    Half of the images become gray, and every label of the color family is redrawn among its six
    classes.

    Parameters
    ----------
    images : Tensor, shape (N, 3, height, width)
        RGB.
    labels : Tensor, shape (N,)
        Indices into `CLASSES`.
    generator : torch.Generator
        On the device of the images; it is advanced.

    Returns
    -------
    tuple of Tensors
        The images and the labels to train on.
    """
    count, device = len(images), images.device
    gray = torch.rand(count, 1, 1, 1, generator=generator, device=device) < 0.5
    drawn = torch.randint(6, (count,), generator=generator, device=device)
    return torch.where(gray, grayscale(images), images), torch.where(labels < 6, drawn, labels)
