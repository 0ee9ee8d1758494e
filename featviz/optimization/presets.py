"""Named choices of image, views and steps, and which of them suits a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from featviz.models.token_grid import patch_grid
from featviz.optimization.augmentations import Augmentation

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Preset:
    """A named choice of image parameters, views and steps.

    Attributes
    ----------
    param : str
        ``"fourier"``, ``"pixel"`` or ``"maco"``.
    augmentation : Augmentation
        What the pictures must survive.
    decay : float
        Exponent of the spectrum of Fourier and Maco images; natural images fall a little faster
        than 1.
    learning_rate : float
        Of Adam, at the start; it falls to zero along half a cosine.
    frequency_schedule : float
        Of Fourier images, see `featviz.optimization.recipe.Recipe`. Maco's fine waves have their magnitude
        either way, and pixels are no waves.
    """

    param: str
    augmentation: Augmentation
    decay: float = 1.0
    learning_rate: float = 0.05
    frequency_schedule: float = 0.0


PRESETS = {
    # Shifts by a whole patch either way let every part of a picture land anywhere on the patch
    # grid, so that the grid leaves no trace; `fit` makes whole patches of the 16 pixels.
    # Color shift and noise: Ghiasi et al., "What do Vision Transformers Learn?" and "Plug-In
    # Inversion", both 2022.
    "vit": Preset(
        "fourier",
        Augmentation(
            shift=16, zoom=0.1, rotation=10, colour_shift=0.1, colour_gain=0.1, noise=0.05
        ),
        decay=1.75,
        learning_rate=0.01,
        frequency_schedule=0.5,
    ),
    # Lucid's list, drawn evenly: jitter by 8 and 4 pixels, scale 0.9-1.1, rotate by up to 10
    # degrees. Source: Lucid, ``optvis/transform.py``, ``standard_transforms``.
    # At three times the learning rate pictures excite a ResNet a fifth more, in garish colors.
    "cnn": Preset(
        "fourier", Augmentation(shift=6, zoom=0.1, rotation=10), decay=1.75, learning_rate=0.01
    ),
    "naive": Preset("pixel", Augmentation()),
}


def family(model: VisionModel) -> str:
    """Name the preset that suits a model: ``vit`` if it cuts images into patches, else ``cnn``."""
    return "cnn" if patch_grid(model) is None else "vit"


def fit(views: Augmentation, patch: int) -> Augmentation:
    """Widen the shift to whole patches, so that every phase of the patch grid is as likely."""
    return replace(views, shift=math.ceil(views.shift / patch) * patch)
