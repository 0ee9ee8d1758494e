"""Training a sparse autoencoder on tokens whose atoms are known."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.train_sae import count_pure, train
from tests.featviz.toy_dictionary import ACTIVE, ATOMS, toy_dictionary


def test_training_finds_the_atoms_of_sparse_tokens() -> None:
    toy = toy_dictionary()
    _, coefficients = toy.images(2000)
    tokens = coefficients.flatten(0, 1) @ toy.sae.decoder
    state = train(tokens, latents=2 * ATOMS, k=ACTIVE, steps=1000, batch=256, rate=5e-3, seed=0)
    decoder, atoms = state["W_dec"], toy.sae.decoder
    torch.testing.assert_close(decoder.norm(dim=1), torch.ones(2 * ATOMS))
    best = torch.cosine_similarity(atoms[:, None], decoder, -1).amax(1)
    assert float(best.min()) > 0.9

    open_ = (tokens - state["b_dec"]) @ state["W_enc"] + state["b_enc"]
    latents = open_ * (open_ > state["threshold"])
    residual = tokens - latents @ decoder - state["b_dec"]
    assert residual.square().sum() < 0.02 * (tokens - tokens.mean(0)).square().sum()
    assert abs(float((latents > 0).sum(1).float().mean()) - ACTIVE) < 0.1


def test_pure_latents_fire_strongly_on_one_class_only() -> None:
    labels = torch.tensor([0] * 10 + [1] * 10)

    def latent(first: float, second: float) -> Tensor:
        return torch.tensor([first] * 10 + [second] * 10)

    one, weak, both, never = latent(2, 0), latent(2, 0.9), latent(2, 1.1), latent(0, 0)
    few = one * (torch.arange(20) < 9)
    highest = torch.stack([one, weak, both, never, few], 1)
    assert count_pure(highest, labels) == 2
    assert count_pure(highest[:, 2:], labels) == 0
