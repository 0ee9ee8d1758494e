from __future__ import annotations

import pytest
import torch

from featviz import FeatvizError
from featviz.models.sae.normalization import Normalization
from tests.patching.autoencoders import ACTIVATIONS, autoencoder


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_some_latents_have_the_values_that_they_have_among_all(activation: str) -> None:
    sae = autoencoder(6, "blocks.1.resid_post", activation)
    inputs = torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    chosen = [7, 0, 3]
    assert (sae.encode(inputs, chosen) - sae.encode(inputs)[..., chosen]).abs().max() < 1e-12
    with pytest.raises(FeatvizError, match="latent 12 does not exist"):
        sae.encode(inputs, [12])


@pytest.mark.parametrize("normalization", ["none", "layer_norm", "constant_norm"])
def test_a_change_of_latents_changes_the_output_by_its_difference(
    normalization: Normalization,
) -> None:
    sae = autoencoder(6, "blocks.1.resid_post", "relu", normalization)
    generator = torch.Generator().manual_seed(1)
    inputs = 3 + torch.randn(5, 3, 6, generator=generator, dtype=torch.float64)
    change = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64)
    latents = sae.encode(inputs)
    changed = latents.clone()
    changed[..., [4, 1]] += change
    right = sae.decode(changed, inputs) - sae.decode(latents, inputs)
    assert (sae.decode_change(change, inputs, [4, 1]) - right).abs().max() < 1e-12
    assert (sae.decode_change(changed - latents, inputs) - right).abs().max() < 1e-12


def test_an_output_that_does_not_get_the_scale_back_changes_by_the_decoder_row_alone() -> None:
    sae = autoencoder(6, "blocks.1.resid_post", "relu", "layer_norm")
    sae.restores = False
    inputs = torch.full((1, 6), 2.0, dtype=torch.float64)
    assert torch.equal(sae.decode_change(torch.ones(1, 1).double(), inputs, [2])[0], sae.decoder[2])
