"""Decorrelated colors."""

from __future__ import annotations

import torch
from torch import Tensor

# Square root of the covariance of RGB in natural images, columns from light-dark to the two
# chromatic axes. Source: Lucid, ``optvis/param/color.py`` (measured on ImageNet).
COLOR_COVARIANCE_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def color_mixing() -> Tensor:
    """Matrix (3, 3) from decorrelated colors to RGB; its largest column has norm one.

    Source: Lucid, ``optvis/param/color.py``.
    """
    root = torch.tensor(COLOR_COVARIANCE_ROOT)
    return root.div(root.norm(dim=0).max())
