"""Make the pictures of the README and the docs; see `make pictures`.

Arguments: the store of the demo's neurons, and optionally those of DINOv2, whose weights `make`
cannot download everywhere: neurons 0 to 3 of all blocks, heads 0 to 2 of blocks 1, 4, 7 and 10, the
folder of the stores of `python -m benchmarks.recipes`, and latents of an autoencoder ``d``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from featviz._util.images import to_uint8
from featviz.activations.readout import Readout
from featviz.addressing.selectors import units
from featviz.analysis.filters.filters import filters
from featviz.analysis.filters.images import contact_sheet as filter_sheet
from featviz.data.datasets import open_data
from featviz.models.loading.load import VisionModel, load
from featviz.rendering.render import render
from featviz.store.reader import Store

HEADS = ("blocks.0,2,5,8.attn.qk:0-1@same",)
BLOCKS, NEURONS = (1, 3, 5, 7, 9, 11), range(8)
LATENTS = (4, 35, 45, 73, 128, 167, 170, 172, 187, 241, 274, 282, 345, 380, 446, 507)
"""Latents of ``cueworld/sae`` that are pure for one class, see docs/sae.md."""
DINOV2_LATENTS = (
    *(89, 292, 1201, 1342, 1483, 1640, 1849, 2314, 2330, 2505, 2568, 2923),
    *(3065, 3144, 3278, 3550, 3841, 4423, 4450, 5304, 5920, 5925, 5605, 97),
)
"""See docs/dinov2.md."""
GAP = 4
SMALL = 112
RECIPES = (
    "fourier-vit-1.75-progressive-cooldown",
    "fourier-vit-1.75-progressive",
    "fourier-vit-1.75",
    "fourier-cnn-1.75",
    "fourier-vit-1.5",
    "maco-vit-data",
    "fourier-none-1.75",
)
RECIPE_UNITS = (
    *(f"blocks.{block}.mlp.fc1:{n}" for block, n in ((1, 0), (7, 0), (7, 1), (10, 0), (10, 1))),
    *(f"blocks.10.mlp.fc1:{n}@cls" for n in range(2)),
    *(f"blocks.5.attn.qk:{n}@same" for n in range(2)),
    "patch_embed:0",
)


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
        columns.append(np.concatenate([_framed(_small(each)) for each in pictures], axis=0))
    return Image.fromarray(np.concatenate(columns, axis=1))


def recipe_sheet(stores: Path) -> Image.Image:
    """Return small pictures of ten units of DINOv2, one row per recipe."""
    rows = []
    for name in RECIPES:
        store = Store(stores / name)
        small = (_small(store.row(each)["images"][0]) for each in RECIPE_UNITS)
        rows.append(np.concatenate([_framed(each) for each in small], axis=1))
    return Image.fromarray(np.concatenate(rows, axis=0))


def dinov2_latent_sheet(store: Store) -> Image.Image:
    """Return small pictures of latents of DINOv2, twelve in a row."""
    small = [
        _framed(_small(store.row(f"sae.d:{latent}@max")["images"][0])) for latent in DINOV2_LATENTS
    ]
    rows = [np.concatenate(small[start : start + 12], axis=1) for start in (0, 12)]
    return Image.fromarray(np.concatenate(rows, axis=0))


def query_key_sheet(pictures: Iterable[Iterable[np.ndarray]]) -> Image.Image:
    """Return the query images of heads above their key images."""
    columns = [np.concatenate([_framed(image) for image in pair], axis=0) for pair in pictures]
    return Image.fromarray(np.concatenate(columns, axis=1))


def latent_sheet(model: VisionModel) -> Image.Image:
    """Return pictures of latents, each left of the best of 1,000 natural images; four per row."""
    data = open_data("cueworld:1000")
    images = data.images(data.indices(), model.image_size)
    numbers = ",".join(map(str, LATENTS))
    either = [units(model, f"sae.x:{numbers}@{token}") for token in ("cls", "max")]
    with torch.no_grad():
        values = [
            torch.cat([Readout(model, some)(batch) for batch in torch.split(images, 100)])
            for some in either
        ]
    # Each latent at the token at which it is larger on natural images.
    highest = torch.stack([each.amax(0) for each in values])
    token = highest.argmax(0).tolist()
    chosen = [either[at][column] for column, at in enumerate(token)]
    pictures = render(model, chosen).images[:, 0]
    best = [int(values[at][:, column].argmax()) for column, at in enumerate(token)]
    natural = to_uint8(images[best]).numpy()
    pairs = [
        np.concatenate([_small(picture), _small(image)], axis=1)
        for picture, image in zip(pictures, natural, strict=True)
    ]
    rows = [
        np.concatenate([_framed(pair) for pair in pairs[start : start + 4]], axis=1)
        for start in range(0, len(pairs), 4)
    ]
    return Image.fromarray(np.concatenate(rows, axis=0))


def _small(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((SMALL, SMALL), Image.Resampling.LANCZOS))


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


if __name__ == "__main__":
    folder = Path(__file__).parent / "pictures"
    contact_sheet(Store(sys.argv[1])).save(folder / "neurons.webp", quality=85)
    if len(sys.argv) > 2:
        neurons, heads, recipes, latents = map(Path, sys.argv[2:])
        depth_sheet(Store(neurons)).save(folder / "dinov2.webp", quality=85)
        pairs = ([_small(side) for side in row["images"][0]] for row in Store(heads).rows("sides"))
        query_key_sheet(pairs).save(folder / "dinov2_heads.webp", quality=85)
        recipe_sheet(recipes).save(folder / "dinov2_recipes.webp", quality=80)
        latent_picture = dinov2_latent_sheet(Store(latents))
        latent_picture.save(folder / "dinov2_latents.webp", quality=85)
    model = load("cueworld/vit", saes={"x": "cueworld/sae"})
    latent_sheet(model).save(folder / "latents.webp", quality=85)
    pictures = render(model, units(model, *HEADS), split_qk=True).images[:, 0]
    query_key_sheet(pictures).save(folder / "heads.webp", quality=85)
    sheet = filter_sheet(filters(model))
    Image.fromarray(sheet).save(folder / "filters.webp", lossless=True)
