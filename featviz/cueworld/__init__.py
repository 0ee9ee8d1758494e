"""A world of images in which the deciding cue is known, and small models trained on it."""

from featviz.cueworld.architectures import MEAN, STD, WEIGHTS, build, weights
from featviz.cueworld.cues import blur, grayscale, hide_colour, silhouette
from featviz.cueworld.report import report
from featviz.cueworld.stream import batches, draw
from featviz.cueworld.world import (
    CLASSES,
    COLOURS,
    FAMILIES,
    SHAPES,
    SIZE,
    TEXTURES,
    Batch,
    sample,
)

__all__ = [
    "CLASSES",
    "COLOURS",
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
    "hide_colour",
    "report",
    "sample",
    "silhouette",
    "weights",
]
