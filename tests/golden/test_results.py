"""What version 0.1 computed comes out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
import patching
from featviz import Store
from tests.golden.commands import GOLDEN, READ, STORES, words
from tests.golden.rows import ABSOLUTE, COARSE, RELATIVE, differing, unlike
from tests.golden.running import featviz as run
from tests.golden.running import golden, unpack
from tests.golden.test_stores import lines

MODELS = {
    "evidence": "cueworld/vit",
    "mixer": "cueworld/mixer",
    "resnet": "cueworld/resnet",
    "attention": "./model",
}


@pytest.mark.parametrize("store", STORES)
def test_the_commands_make_the_same_store_anew(store: str, folder: Path) -> None:
    then = unpack(store, folder / "then")
    for line in STORES[store]:
        run(*words(line, store))
    manifests = [json.loads((at / "store.json").read_text()) for at in (then, folder / store)]
    manifests[1].pop("location", None)  # of a model in a folder, which 0.1 did not record
    known = manifests[0]["sites"]  # without the activations of blocks, which 0.1 did not have
    manifests[1]["sites"] = [site for site in manifests[1]["sites"] if site in known]
    kinds = manifests[1]["configuration"]  # without those that 0.1 did not have
    manifests[1]["configuration"] = {
        kind: each for kind, each in kinds.items() if kind not in ("example_maps", "profiles")
    }
    assert manifests[0] == manifests[1]
    assert list(differing(Store(then), Store(store))) == []


@pytest.mark.parametrize("store", MODELS)
def test_render_gives_the_pictures_of_the_store(store: str, folder: Path) -> None:
    then = Store(unpack(store, folder))
    model = featviz.load(MODELS[store], device="cpu")
    settings = then.configuration["renders"]
    found = featviz.render(
        model,
        featviz.units(model, *then.addresses()),
        steps=settings["steps"],
        size=settings["size"],
        precision="float32",
    )
    assert [str(unit) for unit in found.units] == then.addresses()
    for place, row in enumerate(then.rows()):
        assert unlike(row["images"], found.images[place]) == ""
        for column, relative in ("activation", COARSE["activation"]), ("trajectory", RELATIVE):
            here = getattr(found, column)[place]
            np.testing.assert_allclose(here, row[column], relative, ABSOLUTE)


def test_the_readout_of_stored_pictures_is_their_activation(folder: Path) -> None:
    then = Store(unpack("attention", folder))
    model = featviz.load("./model", device="cpu")
    rows = list(then.rows())
    pictures = torch.from_numpy(np.stack([row["images"][0] for row in rows]))
    with torch.no_grad():
        read = featviz.readout(model, featviz.units(model, *then.addresses()))
        values = read(pictures.permute(0, 3, 1, 2) / 255)
    stored = [row["activation"][0] for row in rows]
    np.testing.assert_allclose(values.diagonal(), stored, RELATIVE, ABSOLUTE)


def test_the_readout_of_an_image_has_the_values_of_then(folder: Path) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    printed = golden("printed")[""][READ]
    units = featviz.units(model, *(one["address"] for one in printed))
    image = torch.from_numpy(np.asarray(Image.open("stripes.png"), np.float32) / 255)
    with torch.no_grad():
        values = featviz.readout(model, units)(image.permute(2, 0, 1)[None])[0]
    np.testing.assert_allclose(values, [one["activation"] for one in printed], RELATIVE, ABSOLUTE)


def test_a_sweep_over_an_image_has_the_effects_of_then(folder: Path) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    image = np.asarray(Image.open("stripes.png"), np.float32) / 255
    clean = torch.from_numpy(np.stack([image, image[::-1].copy()])).permute(0, 3, 1, 2)
    gray = clean.mean(1, keepdim=True).expand_as(clean)
    table = patching.sweep(model, clean, gray, torch.tensor([0, 5]), window=[1, 3], layers="3-5")
    table.to_csv("today.csv")
    then, today = lines(GOLDEN / "sweep.csv"), lines(folder / "today.csv")
    assert [line[:8] for line in then] == [line[:8] for line in today]
    found, expected = (np.array([line[8:] for line in some[1:]], float) for some in (today, then))
    np.testing.assert_allclose(found, expected, RELATIVE, ABSOLUTE)
