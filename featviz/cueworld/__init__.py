"""A procedural image world with known cues, and small models trained on it.

Independent of the rest of featviz.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featviz._util.lazy import lazy_names

if TYPE_CHECKING:
    from featviz.cueworld.architectures import MEAN, STD, WEIGHTS, build, sae_folder, weights
    from featviz.cueworld.cues import blur, grayscale, hide_color, silhouette
    from featviz.cueworld.evaluation import report
    from featviz.cueworld.image_stream import batches, draw
    from featviz.cueworld.world import (
        CLASSES,
        COLORS,
        CUES,
        FAMILIES,
        SHAPES,
        SIZE,
        TEXTURES,
        Batch,
        sample,
    )

__all__ = [
    "CLASSES",
    "COLORS",
    "CUES",
    "FAMILIES",
    "MEAN",
    "SHAPES",
    "SIZE",
    "STD",
    "TEXTURES",
    "WEIGHTS",
    "Batch",
    "batches",
    "blur",
    "build",
    "draw",
    "grayscale",
    "hide_color",
    "report",
    "sae_folder",
    "sample",
    "silhouette",
    "weights",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Batch": "world",
        "CLASSES": "world",
        "COLORS": "world",
        "CUES": "world",
        "FAMILIES": "world",
        "MEAN": "architectures",
        "SHAPES": "world",
        "SIZE": "world",
        "STD": "architectures",
        "TEXTURES": "world",
        "WEIGHTS": "architectures",
        "batches": "image_stream",
        "blur": "cues",
        "build": "architectures",
        "draw": "image_stream",
        "grayscale": "cues",
        "hide_color": "cues",
        "report": "evaluation",
        "sae_folder": "architectures",
        "sample": "world",
        "silhouette": "cues",
        "weights": "architectures",
    },
)
