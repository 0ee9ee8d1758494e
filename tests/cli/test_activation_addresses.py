"""Units of activations of blocks, from rendering to the gallery and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

import featviz
from tests.cli.running import Run

MODEL = "cueworld/vit"
SELECTORS = (
    "blocks.2.resid_mid:5@max",
    "blocks.2.attn.z:7",
    "blocks.2.mlp_act:3@max",
    "blocks.2.attn.q:9@cls",
    "blocks.2.resid_post:1",
)
IN_ORDER = [SELECTORS[index] for index in (3, 1, 0, 2, 4)]
"""As a forward pass computes them."""


def test_they_are_rendered_found_in_images_scored_and_shown(run: Run, tmp_path: Path) -> None:
    store, site = tmp_path / "store", tmp_path / "site"
    settings = ("--steps", "4", "--seed", "7")
    run("render", MODEL, *SELECTORS, *settings, "-o", store)
    assert featviz.Store(store).addresses() == IN_ORDER
    run("examples", MODEL, *SELECTORS, "--data", "cueworld:24", "-o", store)
    assert featviz.Store(store).addresses("examples") == IN_ORDER
    run("score", store)
    assert featviz.Store(store).addresses("scores") == IN_ORDER
    run("gallery", store, "-o", site)
    text = "".join(path.read_text() for path in site.rglob("*.js"))
    for address in SELECTORS:
        assert address.partition(":")[0] in text
    again = tmp_path / "again"
    run("render", MODEL, SELECTORS[0], *settings, "-o", again)
    first, second = (
        next(iter(featviz.Store(each).rows("renders", [SELECTORS[0]]))) for each in (store, again)
    )
    assert np.abs(first["images"].astype(int) - second["images"].astype(int)).max() <= 1


def test_values_of_images_are_printed(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    result = run("activations", MODEL, *SELECTORS, "--image", tmp_path / "a.png", "--json")
    assert SELECTORS[0] in json.dumps(json.loads(result.out))
