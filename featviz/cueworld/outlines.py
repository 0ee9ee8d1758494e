"""Outlines of objects as signed distances, negative inside, in units of the object's radius.

Only the zero level is exact for all outlines. Elsewhere the value is a distance up to a factor near
one, which is sufficient for an edge one pixel wide.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def local(
    x: Tensor, y: Tensor, center: Tensor, radius: Tensor, angle: Tensor
) -> tuple[Tensor, Tensor]:
    """Transform image coordinates to the coordinates of objects.

    Parameters
    ----------
    x, y : Tensor, shape (size, size)
        Image coordinates in [-1, 1], y pointing down.
    center : Tensor, shape (N, 2)
        Center of each object in image coordinates.
    radius, angle : Tensor, shape (N,)
        Unit length of each object in image coordinates, and its rotation in radians.

    Returns
    -------
    tuple of two Tensors, shape (N, size, size)
        The object's own coordinates u and v.
    """
    dx = (x - center[:, 0, None, None]) / radius[:, None, None]
    dy = (y - center[:, 1, None, None]) / radius[:, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return cos * dx + sin * dy, cos * dy - sin * dx


def coverage(distance: Tensor, radius: Tensor) -> Tensor:
    """Compute the fraction of each pixel inside an outline.

    Parameters
    ----------
    distance : Tensor, shape (N, size, size)
        Signed distance to the outline, in units of the radius.
    radius : Tensor, shape (N,)
        Unit length of each object in image coordinates.

    Returns
    -------
    Tensor, shape (N, size, size)
        In [0, 1], with an edge about one pixel wide.
    """
    return torch.sigmoid(-distance * radius[:, None, None] * distance.shape[-1] * 0.8)


def blob(u: Tensor, v: Tensor, wobble: Tensor) -> Tensor:
    """Compute the signed distance to a circle of radius 0.8 deformed by three sinusoids.

    Parameters
    ----------
    u, v : Tensor, shape (N, size, size)
        Object coordinates.
    wobble : Tensor, shape (N, 3, 2)
        Amplitude and phase, in [0, 1], of the sinusoids with 2, 3 and 4 periods per turn.

    Returns
    -------
    Tensor, shape (N, size, size)
    """
    theta = torch.atan2(v, u)
    edge = torch.full_like(theta, 0.8)
    for k in range(3):
        amplitude = 0.12 * wobble[:, k, 0, None, None]
        phase = 2 * math.pi * wobble[:, k, 1, None, None]
        edge = edge + amplitude * torch.cos((k + 2) * theta + phase)
    return (u**2 + v**2).sqrt() - edge


def outlines(u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """Compute signed distances to triangle, square, star, ring, cross and crescent, in this order.

    Parameters
    ----------
    u, v : Tensor, any shape
        Object coordinates.

    Returns
    -------
    tuple of six Tensors, same shape
    """
    rho, theta = (u**2 + v**2).sqrt(), torch.atan2(v, u)
    triangle = rho * torch.cos(_fold(theta, 3)) - 0.5
    square = torch.maximum(u.abs(), v.abs()) - 0.72
    spoke = _fold(theta, 5).abs()
    star = rho * (torch.cos(spoke) + torch.sin(spoke) * 1.75) - 0.95
    ring = (rho - 0.7).abs() - 0.2
    upright = torch.maximum(u.abs() - 0.95, v.abs() - 0.27)
    level = torch.maximum(v.abs() - 0.95, u.abs() - 0.27)
    cross = torch.minimum(upright, level)
    crescent = torch.maximum(rho - 0.9, 0.68 - ((u - 0.42) ** 2 + v**2).sqrt())
    return triangle, square, star, ring, cross, crescent


def _fold(theta: Tensor, count: int) -> Tensor:
    """Angle to the nearest of `count` spokes, in [-pi / count, pi / count)."""
    return torch.remainder(theta + math.pi / count, 2 * math.pi / count) - math.pi / count
