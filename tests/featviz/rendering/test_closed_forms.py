"""Units of first layers are linear in the pixels, so their best images are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

import featviz
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from tests.featviz.toy_dictionary import GRID, PATCH, toy_dictionary
from tests.oracles.linear import best_in_the_box, pixel_weights

MIXER, RESNET, STRIDED = "cueworld/mixer", "cueworld/resnet", "strided"


def strided() -> VisionModel:
    """Return a convolution with a bias, whose last positions are padded on one side only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3, padding=2), nn.ReLU())
    module.eval().requires_grad_(False)
    return VisionModel(STRIDED, module, 33, (0.5, 0.4, 0.3), (0.2, 0.25, 0.5))


@pytest.fixture(scope="module")
def models() -> dict[str, VisionModel]:
    bundled = {name: featviz.load(name, device="cpu") for name in (MIXER, RESNET)}
    return {**bundled, STRIDED: strided()}


def pixel_weights_and_bias(
    model: VisionModel, index: int, position: int | None
) -> tuple[NDArray[np.float64], float]:
    """Return the weight of each pixel for a unit of the first layer, and its bias."""
    layer = next(part for part in model.module.modules() if isinstance(part, nn.Conv2d))
    kernel = layer.weight[index].detach().double().numpy()
    bias = 0.0 if layer.bias is None else float(layer.bias[index])
    stride, padding = layer.stride[0], int(layer.padding[0])
    return pixel_weights(kernel, stride, padding, model.image_size, position), bias


def test_pixel_weights_agree_with_an_example_computed_by_hand() -> None:
    """Three taps, with stride 2 over four pixels and one zero on each side."""
    kernel = np.array([[[1.0, 10.0, 100.0]] * 3] * 3)
    kernel[:, [0, 2]] = 0
    first = pixel_weights(kernel, 2, 1, 4, 0)
    assert first[0].tolist() == [[10, 100, 0, 0], [0] * 4, [0] * 4, [0] * 4]
    mean = pixel_weights(kernel, 2, 1, 4, None)
    row = [10 / 4, 101 / 4, 10 / 4, 100 / 4]
    assert mean[2].tolist() == [row, [0] * 4, row, [0] * 4]


@pytest.mark.parametrize(
    ("name", "site", "position"),
    [(MIXER, "stem", 27), (RESNET, "conv1", 2000), (STRIDED, "0", 0), (STRIDED, "0", 65)],
)
def test_the_closed_form_gives_the_value_of_any_image(
    models: dict[str, VisionModel], name: str, site: str, position: int
) -> None:
    model = models[name]
    images = torch.rand(2, 3, model.image_size, model.image_size, dtype=torch.float64)
    for at, token in ((position, f"@{position}"), (None, "")):
        values = featviz.readout(model, featviz.units(model, f"{site}:3{token}"))(images)
        weights, bias = pixel_weights_and_bias(model, 3, at)
        mean, std = (np.reshape(each, (3, 1, 1)) for each in (model.mean, model.std))
        expected = (weights * (images.numpy() - mean) / std).sum((1, 2, 3)) + bias
        np.testing.assert_allclose(values[:, 0].detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "site", "position", "param", "steps", "share"),
    [
        (MIXER, "stem", 27, "fourier", 192, 0.9),
        (RESNET, "conv1", 2000, "fourier", 160, 0.9),
        (STRIDED, "0", 60, "fourier", 256, 0.9),
        # For the mean over positions, the best image has the period of the stride, which needs
        # pixel images.
        (MIXER, "stem", None, "pixel", 256, 0.95),
        (RESNET, "conv1", None, "pixel", 256, 0.95),
        (STRIDED, "0", None, "pixel", 256, 0.95),
        (STRIDED, "0", 0, "pixel", 256, 0.95),
        (STRIDED, "0", 60, "pixel", 256, 0.95),
    ],
)
def test_pictures_of_first_layers_reach_most_of_the_maximum(
    models: dict[str, VisionModel],
    name: str,
    site: str,
    position: int | None,
    param: str,
    steps: int,
    share: float,
) -> None:
    model = models[name]
    token = "" if position is None else f"@{position}"
    units = featviz.units(model, f"{site}:0-1{token}")
    pictures = optimize(model, units, make_recipe(model, preset="naive", param=param, steps=steps))
    for index, reached in enumerate(pictures.activation[:, 0].tolist()):
        best = best_in_the_box(
            *pixel_weights_and_bias(model, index, position), model.mean, model.std
        )
        assert share * best <= reached <= best * (1 + 1e-5), units[index]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("token", ["", "@max", "@4"])
def test_the_picture_of_a_latent_reaches_the_optimum_of_its_atom(token: str, seed: int) -> None:
    """A latent of the toy is the product of a patch, in [-0.5, 0.5], with its atom."""
    toy = toy_dictionary()
    model = toy.model.with_saes({"toy": toy.sae})
    chosen = [0, 3, 7, 19]
    selector = f"sae.toy:{','.join(map(str, chosen))}{token}"
    found = featviz.render(model, selector, steps=192, preset="naive", seed=seed)
    atoms = toy.atoms[chosen]
    optimum = atoms.abs().flatten(1).sum(1).numpy() / 2
    assert (found.activation[:, 0] > 0.95 * optimum).all()
    assert (found.activation[:, 0] <= optimum * (1 + 1e-5)).all()
    # The patch with the largest value is the sign of the atom.
    pixels = torch.from_numpy(found.images[:, 0]).permute(0, 3, 1, 2) / 255 - 0.5
    patches = F.unfold(pixels, PATCH, stride=PATCH).view(len(chosen), -1, GRID * GRID)
    values = torch.einsum("npg,np->ng", patches, atoms.flatten(1))
    best = patches[range(len(chosen)), :, values.argmax(1)]
    saturated = atoms.flatten(1).abs() > 0.03
    assert torch.equal(best.sign()[saturated], atoms.flatten(1).sign()[saturated])
