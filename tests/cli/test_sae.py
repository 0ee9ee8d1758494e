"""`--sae NAME=PATH[@SITE]`: latents of sparse autoencoders on the command line, and in stores."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
from featviz._util.image_files import read_image
from featviz.data.datasets import open_data
from featviz.models.loading.model_of_store import load_model_of
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from featviz.store.reader import Store
from gallery.units.reproduce import render_command
from tests.cli.running import Run, tree
from tests.featviz.models.sae.files import random_state, saev_header, write_random, write_saev

SITE = "blocks.5.resid_post"
RENDER = ("render", "cueworld/vit", "--size", "16", "--steps", "2", "-o", "store")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two autoencoders of 20 latents and one of another width."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("gated", "other")):
        write_random(tmp_path / name, 128, layer=5, seed=seed)
    write_random(tmp_path / "narrow", 8, layer=5)
    return tmp_path


def _saev() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header and weights of six latents, in a file of saev that does not state its site."""
    shapes = {"W_enc": (128, 6), "b_enc": (6,), "W_dec": (6, 128), "b_dec": (128,)}
    header = saev_header(5, "Relu")
    header["cfg"] |= {"d_model": 128, "d_sae": 6}
    return header, random_state(shapes)


def test_activations_are_pre_activations(run: Run, vit: VisionModel) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("a.png")
    words = "activations cueworld/vit --sae x=gated sae.x:3,9@max --image a.png --json"
    found = json.loads(run(*words.split()).out)
    assert [each["address"] for each in found] == ["sae.x:3@max", "sae.x:9@max"]
    image = read_image("a.png", vit.image_size)[None]
    vectors = [
        featviz.readout(vit, featviz.units(vit, f"{SITE}:all@{token}"))(image)
        for token in range(vit.prefix_tokens, vit.site(SITE).positions)
    ]
    latents = featviz.load_sae("gated").pre_activations(torch.cat(vectors), [3, 9])
    wanted = latents.amax(0).tolist()
    assert [each["activation"] for each in found] == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_a_store_records_the_autoencoder_and_needs_no_option_afterwards(
    run: Run, tmp_path: Path
) -> None:
    words = (*RENDER, "sae.x:3@max", "head:0", "--sae", "x=gated")
    assert run(*words).status == 0
    sae, store = featviz.load_sae("gated"), Store("store")
    path = str(Path("gated/weights.pt"))
    assert store.load["saes"] == {"x": {"path": path, "site": SITE, "digest": sae.digest}}
    assert store.addresses() == ["sae.x:3@max", "head:0"]  # in forward order
    assert "0 units rendered, 2 already stored" in run(*words).err
    assert run("score", "store").status == 0

    settings = store.configuration["renders"]
    line = render_command(store.model, "sae.x:3@max", store.load, settings) or ""
    assert f"--sae x=gated/weights.pt@{SITE}" in line
    assert "--sae" not in (render_command(store.model, "head:0", store.load, settings) or "")
    again = shlex.split(line)
    assert run(*again[1:]).status == 0
    rows = (Store(each).row("sae.x:3@max") for each in ("store", again[again.index("-o") + 1]))
    np.testing.assert_array_equal(*(row["images"] for row in rows))


def test_a_store_records_the_facts_that_the_files_of_an_autoencoder_lack(
    run: Run, vit: VisionModel
) -> None:
    write_saev(Path("sae.pt"), *_saev())
    mean, scale = np.linspace(-1, 1, 128), np.float64(0.3)
    sae = featviz.load_sae("sae.pt", SITE, input_mean=mean, input_scale=scale)
    model = vit.with_saes({"x": sae})
    recipe = make_recipe(model, steps=2, size=16)
    render_to_store(model, "sae.x:3@max", recipe, "store")
    store = Store("store")
    assert store.load["saes"]["x"]["facts"] == {
        "input_mean": mean.tolist(),
        "input_scale": 0.3,
    }
    assert load_model_of(store).saes["x"].digest == sae.digest
    assert run("score", "store").status == 0
    # --sae has no place for them.
    settings = store.configuration["renders"]
    assert render_command(store.model, "sae.x:3@max", store.load, settings) is None

    text = Path("store/store.json").read_text()
    Path("store/store.json").write_text(text.replace("input_scale", "input_size"))
    refusal = run("score", "store").refusal()
    assert "no argument 'input_size' for loading the sparse autoencoder x; use a newer" in refusal


def test_the_bundled_autoencoder_is_recorded_by_its_name(run: Run) -> None:
    assert run(*RENDER, "sae.x:0", "--sae", "x=cueworld/sae").status == 0
    assert Store("store").load["saes"]["x"]["path"] == "cueworld/sae"
    assert run("score", "store").status == 0


def test_latents_are_added_to_a_store_of_the_model_alone(run: Run) -> None:
    assert run(*RENDER, "head:0").status == 0
    assert "saes" not in Store("store").load
    assert run(*RENDER, "sae.x:0", "--sae", "x=gated").status == 0
    assert run(*RENDER, "sae.y:0", "--sae", "y=other").status == 0
    assert run(*RENDER, "head:1").status == 0
    assert list(Store("store").load["saes"]) == ["x", "y"]
    assert set(Store("store").addresses()) == {"head:0", "head:1", "sae.x:0", "sae.y:0"}


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_store_takes_no_latents_of_another_autoencoder_of_the_name(
    run: Run, more: tuple[str, ...], tmp_path: Path
) -> None:
    assert run(*RENDER, "sae.x:0", "--sae", "x=gated").status == 0
    shutil.copytree("gated", "moved")
    assert run(*RENDER, "sae.x:0", "--sae", "x=moved", *more).status == 0
    before = tree(Path("store"))
    refusal = run(*RENDER, "sae.x:0", "--sae", "x=other", *more).refusal()
    assert "store has latents of another sparse autoencoder: sae.x.digest is " in refusal
    assert tree(Path("store")) == before


def test_force_sets_the_store_of_another_autoencoder_aside(run: Run) -> None:
    assert run(*RENDER, "sae.x:0", "--sae", "x=gated").status == 0
    assert run(*RENDER, "sae.x:1", "--sae", "x=other", "--force").status == 0
    assert Store("store").addresses() == ["sae.x:1"]
    assert Store("store").load["saes"]["x"]["path"] == "other/weights.pt"
    assert len(list(Path().glob("store*"))) == 2


def test_a_store_whose_autoencoder_has_changed_is_not_read_with_it(run: Run) -> None:
    assert run(*RENDER, "sae.x:0", "--sae", "x=gated").status == 0
    shutil.copy("other/weights.pt", "gated/weights.pt")
    said = "gated/weights.pt is another sparse autoencoder than x was: its digest is "
    assert said in run("score", "store").refusal()
    shutil.rmtree("gated")
    assert "gated/weights.pt does not exist: " in run("score", "store").refusal()


def test_examples_are_the_images_with_the_largest_pre_activation(
    run: Run, vit: VisionModel
) -> None:
    data = ["--data", "cueworld:24"]
    words = ["examples", "cueworld/vit", "sae.x:4,7@cls", *data, "-o", "store", "--sae", "x=gated"]
    assert run(*words).status == 0
    dataset = open_data("cueworld:24")
    images = dataset.images(range(24), vit.image_size)
    stream = featviz.readout(vit, featviz.units(vit, f"{SITE}:all@cls"))(images)
    latents = featviz.load_sae("gated").pre_activations(stream, [4, 7])
    for column, unit in enumerate(("sae.x:4@cls", "sae.x:7@cls")):
        row = Store("store").row(unit, "examples")
        assert row["top"][0] == latents[:, column].argmax()


@pytest.mark.parametrize(("changes", "token"), [({}, "max"), ({"cls_token_only": True}, "cls")])
def test_rendering_the_mean_over_patches_of_latents_suggests_a_token(
    changes: dict[str, bool], token: str, run: Run
) -> None:
    config = Path("gated/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    plan = (*RENDER, "--sae", "x=gated", "--dry-run", "head:0", "sae.x:5@cls")
    assert "mean over patches" not in run(*plan).err
    said = f"mean over patches: sae.x:3 and 1 more; latents fire on few tokens, so sae.x:3@{token} "
    assert said in run(*plan, "sae.x:3-4").err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("sae.x:0", "sae.x is not loaded: --sae x=PATH loads a sparse autoencoder"),
        ("sae.y:0 --sae x=gated", "loads a sparse autoencoder; loaded are sae.x"),
        ("sae.x:20 --sae x=gated", "sae.x has latents 0-19, not 20"),
        ("sae.x:0 --sae x=narrow", f"of width 8; {SITE} has width 128"),
        ("sae.x:0 --sae x=missing", "missing does not exist: give the folder or file"),
        ("sae.x:0 --sae x=gated@blocks.4.resid_post", "states site='blocks.5.resid_post'"),
        ("sae.x:0 --sae x=gated --sae x=other", "--sae needs different names, got x, x"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: str, complaint: str, run: Run) -> None:
    assert complaint in run("units", "cueworld/vit", *words.split()).refusal()


@pytest.mark.parametrize("text", ["gated", "x=", "x=gated@", "a.b=gated", "=gated"])
def test_an_option_of_another_form_is_a_usage_error(text: str, run: Run) -> None:
    result = run("units", "cueworld/vit", "--sae", text)
    assert result.status == 2
    assert "NAME=PATH" in result.err


def test_a_site_that_the_files_lack_is_given_after_the_path(run: Run) -> None:
    write_saev(Path("sae.pt"), *_saev())
    words = ("units", "cueworld/vit", "sae.x:all")
    assert "--sae NAME=PATH@blocks.N.resid_post" in run(*words, "--sae", "x=sae.pt").refusal()
    result = run(*words, "--sae", f"x=sae.pt@{SITE}")
    assert result.out.split() == [f"sae.x:{index}" for index in range(6)]


def test_latents_are_compared_with_latents_of_the_other_model(run: Run) -> None:
    words = ["compare", "cueworld/vit", "cueworld/vit", "sae.x:3", "--data", "cueworld:20"]
    words += ["--sae-a", "x=gated"]
    complaint = "has no sparse autoencoder to compare sae.x with"
    assert complaint in run(*words, "-o", "refused").refusal()
    assert run(*words, "--sae-b", "y=gated", "-o", "compared").status == 0
    row = Store("compared").row("sae.x:3", "matches")
    assert row["match"] == "sae.y:3"  # the same autoencoder
    assert row["correlation"] == pytest.approx(1)
