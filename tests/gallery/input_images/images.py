"""A store of made-up pictures of the bundled model, and images to read its units on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import featviz
from featviz.store.reader import Store
from tests.gallery.made_stores import write_store

SIDE, ROWS = 128, 8
NEURONS = [f"blocks.2.mlp.fc1:{i}" for i in range(5)]
UNITS = ["patch_embed:9", *NEURONS, "blocks.2.mlp.fc1:3@1", "head:0"]


def own_store(path: Path, fingerprint: str | None = None) -> Store:
    """Write a store of cueworld/vit, or of other weights with its name."""
    weights = fingerprint or featviz.load("cueworld/vit").fingerprint
    return write_store(path, UNITS, fingerprint=weights)


def own_image(path: Path, seed: int = 0) -> Path:
    """Write a noise image of the model's input size, without loss."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path
