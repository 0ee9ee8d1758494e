"""Quality of pictures with the default settings, on a few units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import featviz
from featviz import cueworld
from featviz.addressing.address import Unit
from featviz.analysis.scores.metrics import fine_share, grid_share
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import make_recipe

LAYERS = (1, 5, 10)


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


def neurons(model: VisionModel, layer: int, count: int) -> list[Unit]:
    return featviz.units(model, f"blocks.{layer}.mlp.fc1:0-{count - 1}")


@pytest.mark.parametrize(
    ("count", "steps", "images"),
    [(4, 96, 250), pytest.param(8, 256, 1000, marks=pytest.mark.slow)],
)
def test_nine_in_ten_pictures_exceed_the_activation_of_every_natural_image(
    vit: VisionModel, count: int, steps: int, images: int
) -> None:
    units = [unit for layer in LAYERS for unit in neurons(vit, layer, count)]
    readout, best = featviz.readout(vit, units), torch.full((len(units),), -torch.inf)
    with torch.no_grad():
        for batch in cueworld.batches(images, seed=11):
            best = torch.maximum(best, readout(batch.images).amax(0))
    recipe = make_recipe(vit, steps=steps)
    rendered = [optimize(vit, neurons(vit, layer, count), recipe) for layer in LAYERS]
    activation = torch.cat([pictures.activation[:, 0] for pictures in rendered])
    assert (activation > best).double().mean() >= 0.9


def test_naive_pictures_have_more_high_frequencies_and_show_the_patch_grid(
    vit: VisionModel,
) -> None:
    for layer in LAYERS[:2]:
        units = neurons(vit, layer, 4)
        default = optimize(vit, units, make_recipe(vit, steps=96))
        naive = optimize(vit, units, make_recipe(vit, steps=96, preset="naive"))
        assert mean_share(naive, fine_share) >= 2 * mean_share(default, fine_share)
        assert mean_share(naive, grid_share) >= 20 * mean_share(default, grid_share)


def mean_share(pictures: Pictures, share: Callable[[NDArray[np.uint8]], float]) -> float:
    shares = [share(picture) for picture in pictures.images[:, 0].numpy()]
    return sum(shares) / len(shares)
