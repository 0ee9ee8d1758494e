"""What a store holds of the latents of a picture: their values after the threshold, and ranks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from featviz import Store, VisionModel, load_sae, units
from featviz.activations.latent_ranks import latent_ranks
from featviz.analysis.evidence.unit_evidence import read_evidence
from featviz.models.sae.activation_functions import TopK
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from tests.featviz.models.sae.files import write_random
from tests.featviz.toys import toy_vit


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> SparseAutoencoder:
    return load_sae(write_random(tmp_path_factory.mktemp("sae") / "gated", 16, layer=2))


@pytest.fixture(scope="module")
def model(sae: SparseAutoencoder) -> VisionModel:
    return toy_vit().with_saes({"x": sae})


def _stream(model: VisionModel, picture: npt.NDArray[np.uint8]) -> torch.Tensor:
    """The vectors that the autoencoder reads, (tokens, width), by a hook."""
    found: list[torch.Tensor] = []
    block = model.module.get_submodule("blocks.2")
    hook = block.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    with torch.no_grad():
        model(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)
    hook.remove()
    return found[0][0]


def test_a_store_holds_latent_and_rank_at_the_token_of_each_picture(
    model: VisionModel, sae: SparseAutoencoder, tmp_path: Path
) -> None:
    single = ["sae.x:3", "sae.x:4", "sae.x:5@max", "sae.x:5@cls", "sae.x:7@2"]
    recipe = make_recipe(model, steps=2, samples=2)
    render_to_store(model, [*single, "sae.x:3+-1~sae.x:4", "head:0"], recipe, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert sorted(store.addresses("latents")) == sorted(single)
    ranks = []
    for unit in units(model, *single):
        assert isinstance(unit.index, int)
        pictures, row = store.row(str(unit))["images"], store.row(str(unit), "latents")
        for sample, picture in enumerate(pictures):
            stream = _stream(model, picture)
            before, after = (f(stream).numpy() for f in (sae.pre_activations, sae.encode))
            patch = 1 + int(before[1:, unit.index].argmax())
            token = 0 if unit.token == "cls" else 2 if unit.token == 2 else patch
            order = np.argsort(-before[token]).tolist()
            assert row["rank"][sample] == order.index(unit.index) + 1
            wanted = after[token, unit.index]
            assert row["latent"][sample] == pytest.approx(wanted, rel=1e-3, abs=1e-4)
        ranks += row["rank"].tolist()
        evidence = read_evidence(store, str(unit))
        assert evidence.picture.rank == row["rank"][evidence.best]
    assert len(set(ranks)) > 2


def test_a_latent_of_top_k_is_0_exactly_where_its_rank_is_above_k(
    sae: SparseAutoencoder, model: VisionModel
) -> None:
    images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    # Their biases are raised, so that all pre-activations are positive.
    sae = load_sae(sae.origin.path)
    sae.encoder_bias += 100
    sae.activation = TopK(4)
    top = model.with_saes({"top": sae})
    found = latent_ranks(top, units(top, "sae.top:all@cls"), images)
    assert 0 < int((found.ranks <= 4).sum()) < 20
    assert torch.equal(found.latents > 0, found.ranks <= 4)


def test_latents_are_ranked_among_those_of_their_own_token(model: VisionModel) -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    chosen = units(model, "sae.x:all@cls")
    found = latent_ranks(model, chosen, image.expand(20, -1, -1, -1))
    assert sorted(found.ranks.tolist()) == list(range(1, 21))
    (patch,) = units(model, "sae.x:3@2")
    other = latent_ranks(model, [replace(patch, token="cls")], image)
    assert other.ranks[0] == found.ranks[3]
