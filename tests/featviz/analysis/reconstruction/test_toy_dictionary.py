"""Latents of known atoms: what they encode and which images maximize them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import featviz
from featviz.analysis.reconstruction.quality import measure_quality
from tests.featviz.toy_dictionary import (
    ACTIVE,
    ATOMS,
    PATCH,
    ToyDictionary,
    dataset,
    toy_dictionary,
)
from tests.oracles.linear import best_in_the_box

TOKEN, ROW, COLUMN = 5, 1, 2  # of a grid of 3 x 3
SETTINGS: dict[str, Any] = {
    "param": "pixel",
    "preset": "naive",
    "steps": 192,
    "precision": "float32",
}


@pytest.fixture(scope="module")
def toy() -> ToyDictionary:
    return toy_dictionary()


def test_latents_are_the_coefficients_of_the_atoms(toy: ToyDictionary) -> None:
    images, coefficients = toy.images(4)
    read = featviz.readout(toy.model, f"0:all@{TOKEN}")
    torch.testing.assert_close(
        toy.sae.encode(read(images)), coefficients[:, TOKEN], rtol=1e-4, atol=1e-5
    )


def test_the_exact_autoencoder_has_perfect_quality(toy: ToyDictionary) -> None:
    images, coefficients = toy.images(40)
    found = measure_quality(toy.model, toy.sae, dataset(images))
    assert found.explained_variance == pytest.approx(1, abs=1e-8)
    assert found.l0 == ACTIVE
    assert found.alive == float((coefficients > 0).any((0, 1)).float().mean()) == 1
    assert found.reconstruction.kl == pytest.approx(0, abs=1e-9)
    assert found.reconstruction.same_top1 == 1
    assert found.zero_ablation.kl is not None
    assert found.zero_ablation.kl > 1e-5


def test_the_image_of_a_latent_reaches_95_percent_of_its_maximum_and_shows_its_atom(
    toy: ToyDictionary,
) -> None:
    """The value of latent i is the product of patch and atom, so the best patch is its sign."""
    read = featviz.readout(toy.model, f"0:all@{TOKEN}")
    atoms = toy.atoms.flatten(1)
    for index in (0, ATOMS // 2, ATOMS - 1):

        def latent(images: Tensor, _activations: Tensor, index: int = index) -> Tensor:
            return toy.sae.pre_activations(read(images), [index])[:, 0]

        picture = featviz.render(toy.model, f"0:0@{TOKEN}", objective=latent, **SETTINGS)
        pixels = torch.from_numpy(picture.images[0, 0].astype(np.float32) / 255).movedim(-1, 0)
        reached = float(latent(pixels[None], torch.empty(0)))
        best = best_in_the_box(toy.atoms[index].double().numpy(), 0.0, 0.5, 1.0)
        assert 0.95 * best <= reached <= best * (1 + 1e-5)

        top, left = ROW * PATCH, COLUMN * PATCH
        patch = pixels[:, top : top + PATCH, left : left + PATCH].flatten() - 0.5
        cosines = torch.cosine_similarity(patch[None], atoms, 1)
        assert int(cosines.argmax()) == index
        # The sign of a vector that is equally distributed over the sphere: sqrt(2 / pi).
        assert cosines[index] > 0.7
