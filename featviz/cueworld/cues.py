"""What removes a cue from images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz.cueworld.paint import LUMA
from featviz.errors import FeatvizError


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
    """Remove texture: a Gaussian cut off at three sigmas, the image mirrored at its border.

    Parameters
    ----------
    images : Tensor, shape (N, C, height, width)
        Any values.
    sigma : float, optional
        Standard deviation in pixels, above 0; by default 1/24 of the width, which leaves 3 to 29 %
        of the contrast of cueworld's stripes.

    Returns
    -------
    Tensor, same shape

    Raises
    ------
    FeatvizError
        If sigma is not above 0, or three sigmas reach across the image.
    """
    channels, height, width = images.shape[1:]
    sigma = width / 24 if sigma is None else sigma
    limit = min(height, width) / 3
    if not 0 < sigma < limit:
        raise FeatvizError(f"blur sigma must be above 0 and below {limit:g} pixels, not {sigma:g}")
    reach = int(3 * sigma)
    taps = torch.exp(-(torch.arange(-reach, reach + 1, device=images.device) ** 2) / (2 * sigma**2))
    kernel = (taps / taps.sum()).to(images.dtype).expand(channels, 1, -1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, :, None, :], groups=channels)
    return F.conv2d(rows, kernel[:, :, :, None], groups=channels)


def silhouette(images: Tensor, masks: Tensor) -> Tensor:
    """Remove texture: fill the object with its mean color.

    Parameters
    ----------
    images : Tensor, shape (N, C, height, width)
        Any values.
    masks : Tensor, shape (N, 1, height, width)
        Share of each pixel that the object covers, in [0, 1]; where it covers none, the image
        stays as it is.

    Returns
    -------
    Tensor, shape (N, C, height, width)
    """
    area = masks.sum((2, 3), keepdim=True).clamp_min(1e-6)
    mean = (images * masks).sum((2, 3), keepdim=True) / area
    return torch.lerp(images, mean, masks)


def hide_colour(
    images: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Make training data in which hue tells nothing about the label.

    Half of the images become gray, and every label of the color family is drawn anew among its
    six classes.

    Parameters
    ----------
    images : Tensor, shape (N, 3, height, width)
        RGB.
    labels : Tensor, shape (N,)
        Indices into `CLASSES`.
    generator : torch.Generator
        On the device of the images; it moves on.

    Returns
    -------
    tuple of Tensors
        The images and the labels to train on.
    """
    count, device = len(images), images.device
    gray = torch.rand(count, 1, 1, 1, generator=generator, device=device) < 0.5
    drawn = torch.randint(6, (count,), generator=generator, device=device)
    return torch.where(gray, grayscale(images), images), torch.where(labels < 6, drawn, labels)
