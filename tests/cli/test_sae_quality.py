from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
from tests.cli.running import Run
from tests.featviz.models.sae.files import random_state

SAELENS = Path("tests/oracles/sae/saelens")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four noisy images, the last of which cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), np.uint8)
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    damaged = folder / "3.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    return folder


def test_a_file_is_described_without_a_model(run: Run) -> None:
    sae = featviz.load_sae(SAELENS / "jumprelu")
    report = json.loads(run("sae", SAELENS / "jumprelu", "--json").out)
    assert report == {
        "path": str(SAELENS / "jumprelu" / "sae_weights.safetensors"),
        "library": "SAELens",
        "architecture": "jumprelu",
        "model": sae.origin.model,
        "site": "blocks.9.resid_post",
        "tokens": None,
        "width": 8,
        "output_width": 8,
        "latents": 24,
        "normalization": "none",
        "digest": sae.digest,
    }
    lines = run("sae", SAELENS / "jumprelu").out.splitlines()
    assert [line.rsplit("  ", 1)[0].strip() for line in lines] == [
        name.replace("_", " ") for name in report
    ]
    assert lines[5].split("  ")[-1].strip() == "not stated"


def test_a_site_that_the_files_do_not_state_follows_the_path(run: Run, tmp_path: Path) -> None:
    state = random_state({"W_enc": (8, 24), "b_enc": (24,), "W_dec": (24, 8), "b_dec": (8,)})
    folder = tmp_path / "sae@home"
    folder.mkdir()
    (folder / "config.json").write_text('{"trainer": {"dict_class": "AutoEncoderTopK", "k": 3}}')
    torch.save(
        {
            "encoder.weight": state["W_enc"].T.contiguous(),
            "encoder.bias": state["b_enc"],
            "decoder.weight": state["W_dec"].T.contiguous(),
            "b_dec": state["b_dec"],
            "k": torch.tensor(3),
        },
        folder / "ae.pt",
    )
    assert json.loads(run("sae", folder, "--json").out)["site"] is None
    stated = run("sae", f"{folder}@blocks.3.resid_mid", "--json")
    assert json.loads(stated.out)["site"] == "blocks.3.resid_mid"
    line = run("sae", f"{SAELENS / 'topk'}@blocks.3.resid_mid").refusal()
    assert "states site='blocks.9.resid_post', not 'blocks.3.resid_mid'" in line


def test_the_quality_is_measured_on_the_readable_images(run: Run, photos: Path) -> None:
    words = ("sae", "cueworld/sae", "--model", "cueworld/vit", "--data", f"folder:{photos}")
    assert "1 of 4 images of" in run(*words).refusal()
    found = run(*words, "--skip-unreadable", "--json")
    assert "unreadable: 1 images are left out: 3.png" in found.err
    quality = json.loads(found.out)["quality"]
    assert (quality["images"], quality["tokens"]) == (3, 3 * 65)
    printed = run(*words, "--skip-unreadable").out
    for name in ("explained_variance", "l0", "alive", "dense"):
        assert f"  {quality[name]:.4g}\n" in printed
    kl = quality["reconstruction"]["kl"], quality["zero_ablation"]["kl"]
    row = next(line for line in printed.splitlines() if line.startswith("KL divergence"))
    assert row.split()[-2:] == [f"{each:.4g}" for each in kl]


def test_the_model_and_the_data_go_together(run: Run) -> None:
    line = run("sae", "cueworld/sae", "--data", "cueworld").refusal(2)
    assert "--data needs --model" in line
    assert "--model needs --data" in run("sae", "cueworld/sae", "--model", "x").refusal(2)


def test_an_autoencoder_of_another_width_is_refused_in_one_line(run: Run) -> None:
    words = ("sae", SAELENS / "topk", "--model", "cueworld/vit", "--data", "cueworld:2")
    line = run(*words).refusal()
    assert "reads vectors of width 8; blocks.9.resid_post has width 128" in line
