"""The bundled sparse autoencoder."""

from __future__ import annotations

import pytest
import torch

import featviz
from featviz.analysis.reconstruction.quality import measure_quality
from featviz.cueworld import sae_folder
from featviz.data.datasets import open_data


def test_the_bundled_autoencoder_reads_block_8_of_the_vit_and_is_small() -> None:
    sae = featviz.load_sae("cueworld/sae")
    assert sae.origin.model == "cueworld/vit"
    assert (sae.site, sae.width, sae.latents) == ("blocks.8.resid_post", 128, 512)
    torch.testing.assert_close(sae.decoder.norm(dim=1), torch.ones(512))
    assert sum(path.stat().st_size for path in sae_folder().iterdir()) < 2_000_000


def test_its_quality_on_held_out_images_is_as_documented() -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    found = measure_quality(model, featviz.load_sae("cueworld/sae"), open_data("cueworld:90"))
    assert found.explained_variance > 0.9
    assert found.l0 == pytest.approx(8, abs=1)
    assert found.alive > 0.75
    assert found.dense < 0.05
    assert found.reconstruction.kl is not None
    assert found.reconstruction.same_top1 is not None
    assert found.zero_ablation.kl is not None
    assert found.reconstruction.kl < 0.1 * found.zero_ablation.kl
    assert found.reconstruction.same_top1 > 0.9
