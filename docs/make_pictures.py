"""Make the pictures of the README and the docs; see `make pictures`.

Arguments: the store of the demo's neurons, and optionally one of neurons 0 to 3 of all blocks of
DINOv2 ViT-S/14 at 224 pixels, whose weights `make` cannot download everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from featviz.addressing.selectors import units
from featviz.analysis.filters.filters import filters
from featviz.analysis.filters.images import contact_sheet as filter_sheet
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel
from featviz.rendering.render import render
from featviz.store.reader import Store

HEADS = ("blocks.0,2,5,8.attn.qk:0-1@same",)
BLOCKS, NEURONS = (1, 3, 5, 7, 9, 11), range(8)
GAP = 4
SMALL = 112


def contact_sheet(store: Store) -> Image.Image:
    """Return pictures of the first neurons of every other block, one row per block."""
    rows = []
    for block in BLOCKS:
        pictures = (
            store.row(f"blocks.{block}.mlp.fc1:{neuron}")["images"][0] for neuron in NEURONS
        )
        rows.append(np.concatenate([_framed(picture) for picture in pictures], axis=1))
    return Image.fromarray(np.concatenate(rows, axis=0))


def depth_sheet(store: Store) -> Image.Image:
    """Return small pictures of four neurons of each of twelve blocks, one column per block."""
    columns = []
    for block in range(12):
        pictures = (store.row(f"blocks.{block}.mlp.fc1:{n}")["images"][0] for n in range(4))
        small = (
            np.asarray(Image.fromarray(each).resize((SMALL, SMALL), Image.Resampling.LANCZOS))
            for each in pictures
        )
        columns.append(np.concatenate([_framed(each) for each in small], axis=0))
    return Image.fromarray(np.concatenate(columns, axis=1))


def query_key_sheet(model: VisionModel) -> Image.Image:
    """Return the query image of a few heads above the key image."""
    heads = units(model, *HEADS)
    pictures = render(model, heads, split_qk=True).images[:, 0]
    columns = [np.concatenate([_framed(image) for image in pair], axis=0) for pair in pictures]
    return Image.fromarray(np.concatenate(columns, axis=1))


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


if __name__ == "__main__":
    folder = Path(__file__).parent / "pictures"
    contact_sheet(Store(sys.argv[1])).save(folder / "neurons.webp", quality=85)
    if len(sys.argv) > 2:
        depth_sheet(Store(sys.argv[2])).save(folder / "dinov2.webp", quality=85)
    model = load("cueworld/vit")
    query_key_sheet(model).save(folder / "heads.webp", quality=85)
    sheet = filter_sheet(filters(model))
    Image.fromarray(sheet).save(folder / "filters.webp", lossless=True)
