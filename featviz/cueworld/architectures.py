"""Bundled models: architectures and trained weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import safetensors.torch
from timm.models.mlp_mixer import MlpMixer
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from featviz.cueworld.world import CLASSES, SIZE

WEIGHTS = ("vit", "vit_colourblind", "mixer", "resnet")
"""Names of the bundled models."""

MEAN = STD = 0.5
"""Inputs are ``(images - MEAN) / STD`` with RGB in [0, 1], the same for every channel."""


def build(name: str, size: int = SIZE) -> nn.Module:
    """Build an untrained model for the 18 classes.

    Parameters
    ----------
    name : str
        ``vit`` and ``vit_colourblind`` (12 blocks of width 128, 4 heads, patches of 16 pixels, a
        class token), ``mixer`` (8 blocks of width 128, patches of 16 pixels) or ``resnet``
        (ResNet-18 with 24 to 192 channels).
    size : int
        Side of the images in pixels.

    Returns
    -------
    nn.Module
        A module of timm; its initial weights are drawn from torch's global random state.

    Raises
    ------
    ValueError
        If the name is not one of these.

    Source: the geometries of timm's ``vision_transformer``, ``mlp_mixer`` and ``resnet``, scaled
    down from Dosovitskiy et al., 2021; Tolstikhin et al., 2021; He et al., 2016.
    """
    _check(name)
    classes = len(CLASSES)
    if name == "mixer":
        return MlpMixer(classes, size, patch_size=16, num_blocks=8, embed_dim=128)
    if name == "resnet":
        widths = (24, 48, 96, 192)
        # timm's annotation is an instance of the block, but the class is expected.
        return ResNet(BasicBlock, (2, 2, 2, 2), classes, channels=widths)  # type: ignore[arg-type]
    return VisionTransformer(size, 16, num_classes=classes, embed_dim=128, depth=12, num_heads=4)


def weights(name: str) -> dict[str, Tensor]:
    """Read the trained weights of a bundled model.

    Parameters
    ----------
    name : str
        One of `WEIGHTS`.

    Returns
    -------
    dict of str to Tensor
        State dict for ``build(name)``, on the CPU, float32 where it is floating-point.

    Raises
    ------
    ValueError
        If the name is not one of these.
    """
    _check(name)
    file = resources.files("featviz.cueworld") / "weights" / f"{name}.safetensors"
    return widen(safetensors.torch.load(file.read_bytes()))


def sae_folder() -> Path:
    """Return the folder of the bundled sparse autoencoder of ``vit``, in the format of SAELens."""
    return Path(str(resources.files("featviz.cueworld"))) / "weights" / "sae"


def widen(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a copy of a `state` dict with floating-point tensors in float32."""
    return {key: part.float() if part.is_floating_point() else part for key, part in state.items()}


def _check(name: str) -> None:
    if name not in WEIGHTS:
        raise ValueError(f"cueworld has no model {name!r}; available are {', '.join(WEIGHTS)}")
