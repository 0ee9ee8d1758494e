"""Firing of latents of known atoms, whose coefficients in every patch are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

import featviz
from featviz import FeatvizError, VisionModel
from featviz.activations import latent_firing
from featviz.activations.latent_firing import FiringReadout
from featviz.analysis.examples.firing import Firing, dead_latents
from featviz.analysis.examples.job import examples_to_store
from featviz.analysis.examples.statistics import QUANTILES
from featviz.models.sae.activation_functions import JumpReLU, TopK
from featviz.store.reader import Store
from tests.featviz.toy_dictionary import ATOMS, ToyDictionary, dataset, toy_dictionary

COUNT = 40  # two blocks of an activation file


@pytest.fixture
def toy() -> ToyDictionary:
    return toy_dictionary()


@pytest.fixture
def model(toy: ToyDictionary) -> VisionModel:
    return toy.model.with_saes({"x": toy.sae})


def known(toy: ToyDictionary) -> tuple[Tensor, npt.NDArray[np.float32]]:
    """Return images, and the coefficient of each atom in each patch."""
    images, coefficients = toy.images(COUNT)
    return images, coefficients.numpy()


def firing(store: Path, address: str) -> Firing:
    return Firing.from_row(Store(store).row(address, "firing"))


def test_density_and_quantiles_are_those_of_the_coefficients(
    toy: ToyDictionary, model: VisionModel, tmp_path: Path
) -> None:
    images, coefficients = known(toy)
    examples_to_store(model, "sae.x:all@max", dataset(images), tmp_path / "s")
    for latent in range(ATOMS):
        own = coefficients[..., latent]
        found = firing(tmp_path / "s", f"sae.x:{latent}@max")
        fires = (own > 0).any(1)
        assert found.tokens == pytest.approx((own > 0).mean(), rel=1e-6)
        assert found.images == pytest.approx(fires.mean(), rel=1e-6)
        right = np.quantile(own.max(1)[fires], QUANTILES)
        np.testing.assert_allclose(found.quantiles, right, atol=1e-5)


def test_firing_is_that_of_the_latent_at_whatever_token_the_unit_reads_it(
    toy: ToyDictionary, model: VisionModel, tmp_path: Path
) -> None:
    images, coefficients = known(toy)
    examples_to_store(model, ["sae.x:3@max", "0:1", "sae.x:3@4"], dataset(images), tmp_path / "s")
    one, other = (firing(tmp_path / "s", f"sae.x:3@{token}") for token in ("max", "4"))
    assert (one.tokens, one.images) == (other.tokens, other.images)
    fires = (coefficients[..., 3] > 0).any(1)
    right = np.quantile(coefficients[fires, 4, 3], QUANTILES)
    np.testing.assert_allclose(other.quantiles, right, atol=1e-5)
    assert set(Store(tmp_path / "s").addresses("firing")) == {"sae.x:3@max", "sae.x:3@4"}


def test_in_a_top_k_latents_compete_with_those_that_are_not_asked_for(
    toy: ToyDictionary, tmp_path: Path
) -> None:
    toy.sae.activation = TopK(1)
    images, coefficients = known(toy)
    model = toy.model.with_saes({"x": toy.sae})
    examples_to_store(model, "sae.x:2-4@max", dataset(images), tmp_path / "s")
    for latent in (2, 3, 4):
        share = (coefficients.argmax(-1) == latent).mean()
        assert firing(tmp_path / "s", f"sae.x:{latent}@max").tokens == pytest.approx(share)


def test_latents_that_never_exceed_their_threshold_are_dead_and_not_alive(
    toy: ToyDictionary, tmp_path: Path
) -> None:
    thresholds = torch.full((ATOMS,), 0.05)
    thresholds[[0, 7]] = 1
    toy.sae.activation = JumpReLU(thresholds)
    model = toy.model.with_saes({"x": toy.sae})
    store = tmp_path / "s"
    examples_to_store(model, "sae.x:all@max", dataset(known(toy)[0]), store)
    assert dead_latents(Store(store)) == {"sae.x:0", "sae.x:7"}
    assert firing(store, "sae.x:7@max").is_dead
    assert np.isnan(firing(store, "sae.x:7@max").quantiles).all()
    alive = featviz.units(model, "sae.x:alive@4", store=store)
    assert [unit.index for unit in alive] == [i for i in range(ATOMS) if i not in (0, 7)]
    assert {str(unit.token) for unit in alive} == {"4"}


def test_alive_names_the_command_that_it_needs(model: VisionModel, tmp_path: Path) -> None:
    said = "run `featviz examples MODEL sae.x:all@max --data DATA -o STORE` first"
    with pytest.raises(FeatvizError, match=rf"^sae.x:alive needs a store with examples.*{said}"):
        featviz.units(model, "sae.x:alive")
    with pytest.raises(FeatvizError, match=r"^there is no store"):
        featviz.units(model, "sae.x:alive", store=tmp_path / "none")
    images = toy_dictionary().images(4)[0]
    examples_to_store(model, "0:1", dataset(images), tmp_path / "s")
    with pytest.raises(FeatvizError, match=f"s has no examples of latents of sae.x: {said}"):
        featviz.units(model, "sae.x:alive", store=tmp_path / "s")
    with pytest.raises(FeatvizError, match="got 'alive'"):
        featviz.units(model, "0:alive", store=tmp_path / "s")


class Stopped(BaseException):
    """An interruption."""


def test_a_job_that_is_interrupted_counts_every_token_once(
    toy: ToyDictionary, model: VisionModel, tmp_path: Path
) -> None:
    data = dataset(known(toy)[0])

    def stop(done: float, _total: int) -> None:
        if done == 32:
            raise Stopped

    with pytest.raises(Stopped):
        examples_to_store(model, "sae.x:all@max", data, tmp_path / "s", progress=stop)
    for store in ("s", "whole"):
        examples_to_store(model, "sae.x:all@max", data, tmp_path / store)
    resumed, whole = (list(Store(tmp_path / name).rows("firing")) for name in ("s", "whole"))
    np.testing.assert_equal(resumed, whole)


@pytest.mark.parametrize("most", [1, 2**23])
def test_values_of_a_readout_that_counts_are_those_of_one_that_does_not(
    toy: ToyDictionary, model: VisionModel, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent_firing, "MAX_VALUES", most)
    images, coefficients = known(toy)
    units = featviz.units(model, "sae.x:5@max", "0:3", "sae.x:5,2", "sae.x:2@1+-1~sae.x:5@1")
    counting = FiringReadout(model, units)
    torch.testing.assert_close(counting(images), featviz.readout(model, units)(images))
    fires = (coefficients > 0).sum(1)
    np.testing.assert_array_equal(counting.fired(["sae.x:2", "sae.x:5"]), fires[:, [2, 5]])
