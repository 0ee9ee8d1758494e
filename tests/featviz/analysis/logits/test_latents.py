"""What latents of sparse autoencoders write: direct effects, and units that write the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import featviz
from featviz import FeatvizError, Store
from featviz.analysis.logits.direct_effects import direct_effects
from featviz.analysis.logits.job import logits_to_store
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from tests.patching.autoencoders import LATENTS, autoencoder
from tests.patching.linear_toy import linear_model


def test_a_latent_writes_its_decoder_row_to_the_logits() -> None:
    sae = autoencoder(6, "blocks.1.mlp_out")
    model = linear_model().with_saes({"x": sae})
    found = direct_effects(model, "sae.x:all")
    head = model.module.get_parameter("head.weight").double()
    np.testing.assert_allclose(found.effects, (sae.decoder @ head.T).numpy(), rtol=1e-5)
    # The head reads the mean over four tokens.
    one = direct_effects(model, "sae.x:5@2").effects
    np.testing.assert_allclose(one[0], found.effects[5] / 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("sae", "message"),
    [
        (autoencoder(6, "blocks.1.resid_post", library="transcoder"), "is a transcoder"),
        (autoencoder(10, "blocks.1.mlp_act"), "which is neither the residual stream nor added"),
    ],
)
def test_latents_that_do_not_write_to_the_stream_are_refused_with_the_reason(
    sae: SparseAutoencoder, message: str, tmp_path: Path
) -> None:
    model = linear_model().with_saes({"x": sae})
    with pytest.raises(FeatvizError, match=re.escape(message)):
        logits_to_store(model, "sae.x:all", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_the_units_with_the_highest_cosine_are_stored_nearest_first(tmp_path: Path) -> None:
    sae = autoencoder(6, "blocks.1.resid_post")
    model = linear_model().with_saes({"x": sae})
    store = tmp_path / "store"
    logits_to_store(model, ["sae.x:all", "blocks.0.mlp_act:0"], store)
    rows = list(Store(store).rows("nearest_writers"))
    assert [row["address"] for row in rows] == [f"sae.x:{index}" for index in range(LATENTS)]
    written = {f"sae.x:{index}": row for index, row in enumerate(sae.decoder.numpy())}
    for layer in range(3):
        weight = model.module.get_parameter(f"blocks.{layer}.mlp.fc2.weight").double().numpy()
        written |= {f"blocks.{layer}.mlp_act:{index}": row for index, row in enumerate(weight.T)}

    def cosine(one: str, other: str) -> float:
        a, b = written[one], written[other]
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    for row in rows:
        own = row["address"]
        for kind, prefix in (("latent", "sae"), ("neuron", "blocks")):
            others = [each for each in written if each.startswith(prefix) and each != own]
            right = sorted(others, key=lambda each: -cosine(own, each))[:5]
            assert row[f"{kind}s"].split() == right
            expected = [cosine(own, each) for each in right]
            np.testing.assert_allclose(row[f"{kind}_cosines"], expected, atol=1e-6)


def test_an_atom_that_a_neuron_writes_is_found(tmp_path: Path) -> None:
    sae = autoencoder(6, "blocks.2.resid_post")
    model = linear_model()
    weight = model.module.get_parameter("blocks.0.mlp.fc2.weight")
    sae.decoder[4] = 3 * weight[:, 7]
    model = model.with_saes({"x": sae})
    logits_to_store(model, "sae.x:4", tmp_path / "store")
    (row,) = Store(tmp_path / "store").rows("nearest_writers")
    assert row["neurons"].split()[0] == "blocks.0.mlp_act:7"
    assert row["neuron_cosines"][0] == pytest.approx(1)


def test_the_bundled_yellow_latent_writes_yellow_most() -> None:
    model = featviz.load("cueworld/vit", device="cpu", saes={"s": "cueworld/sae"})
    (effects,) = direct_effects(model, "sae.s:167").effects
    assert model.classes[effects.argmax()] == "yellow"
