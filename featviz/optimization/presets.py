"""Presets: parametrization, augmentations and constants, and the preset that suits a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from featviz.models.token_grid import patch_grid
from featviz.optimization.augmentations import Augmentation

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Preset:
    """A named choice of parametrization, augmentations and constants.

    Attributes
    ----------
    param : str
        ``"fourier"``, ``"pixel"`` or ``"maco"``.
    augmentation : Augmentation
        Its shift is for images of `side` pixels; see `fit`.
    side : int
        In pixels.
    decay : float
        Exponent of the Fourier scale and of MaCo's default spectrum; the amplitude of natural
        images falls a little faster than with 1.
    learning_rate : float
        Of Adam in the first step; see `featviz.optimization.schedule.learning_rate`.
    cooldown : float
        Fraction of the steps in which the learning rate of Fourier images falls; that of others
        falls in all.
    frequency_schedule : float
        Fraction of the steps over which the frequency cutoff of Fourier images rises. Other
        parametrizations have none by default: MaCo's high frequencies have a fixed magnitude, and
        pixels have no frequency.
    """

    param: str
    augmentation: Augmentation
    side: int = 224
    decay: float = 1.0
    learning_rate: float = 0.05
    cooldown: float = 1.0
    frequency_schedule: float = 0.0


PRESETS = {
    # Shifts by up to a whole patch let every part of a picture fall anywhere on the patch grid,
    # so that the grid is not visible; `fit` makes the 16 pixels whole patches.
    # Color shift and noise: Ghiasi et al., "What do Vision Transformers Learn?" and "Plug-In
    # Inversion", both 2022.
    "vit": Preset(
        "fourier",
        Augmentation(shift=16, zoom=0.1, rotation=10, color_shift=0.1, color_gain=0.1, noise=0.05),
        decay=1.75,
        learning_rate=0.01,
        cooldown=0.5,
        frequency_schedule=0.75,
    ),
    # Lucid's augmentations for its images of 128 pixels, drawn uniformly: jitter by 8 and 4 pixels,
    # scale 0.9-1.1, rotation by up to 10 degrees. Source: Lucid, ``optvis/transform.py``,
    # ``standard_transforms``.
    # With three times the learning rate activations of a ResNet are a fifth higher, and colors
    # are oversaturated.
    "cnn": Preset(
        "fourier",
        Augmentation(shift=6, zoom=0.1, rotation=10),
        side=128,
        decay=1.75,
        learning_rate=0.01,
    ),
    "naive": Preset("pixel", Augmentation()),
}


def preset_for(model: VisionModel) -> str:
    """Return the name of the preset that suits a model.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    str
        ``"vit"`` if the model divides images into patches, else ``"cnn"``.
    """
    return "cnn" if patch_grid(model) is None else "vit"


def fit(preset: Preset, image_size: int, patch: int) -> Augmentation:
    """Scale the shift of a preset to the input of a model.

    Parameters
    ----------
    preset : Preset
    image_size : int
        Side of the model's input in pixels.
    patch : int
        Side of a patch in pixels; 1 without patches.

    Returns
    -------
    Augmentation
        With a shift proportional to the input. Of patches, it is the nearest whole number, at least
        one: then all offsets to the patch grid are as likely.
    """
    shift = preset.augmentation.shift * image_size / preset.side
    if shift and patch > 1:
        shift = max(1, round(shift / patch)) * patch
    return replace(preset.augmentation, shift=shift)
