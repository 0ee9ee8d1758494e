"""Sparse autoencoders, and latents without a picture, in the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import gallery
from featviz.store.reader import Store
from gallery.sections.autoencoders import density_histogram
from tests.gallery.browsing import fits, open_page
from tests.gallery.made_stores import picture, write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data
from tests.gallery.units.test_natural_images import examples, images, webp

DIGEST = "ab" * 32
LOAD: dict[str, Any] = {
    "untrained": False,
    "arch": None,
    "saes": {"x": {"path": "sae", "site": "blocks.2.resid_post", "digest": DIGEST}},
}
MODEL: dict[str, Any] = {"load": LOAD, "sites": ["patch_embed", "sae.x"]}
LATENTS = [f"sae.x:{i}@max" for i in range(4)]
DENSITIES = [0.2, 0.0, 0.001, 0.004]
DATA = {"data": {"name": "cueworld:100", "fingerprint": "f"}, "images": 100}
EXAMPLES = {**DATA, "classes": ["disc", "bar"], "top": 2, "quantiles": [0.5, 0.9], "bins": 8}


def latents_store(path: Path, rendered: list[str]) -> Store:
    """Write examples of four latents, of which latent 1 is dead, and pictures of some."""
    if rendered:
        write_store(path, rendered, **MODEL)
    found = examples(LATENTS, [[7, 3], [3, 7], [3, 7], [3, 7]])
    write_results(path, "examples", found, EXAMPLES, **MODEL)
    firing = {
        "address": LATENTS,
        "tokens": np.array(DENSITIES, np.float32),
        "images": np.array([0.5, 0, 0.01, 0.02], np.float32),
        "quantiles": np.tile(np.arange(9, dtype=np.float32), (4, 1)),
    }
    write_results(path, "firing", firing, DATA, **MODEL)
    quality = {"address": [DIGEST], "library": ["SAELens"], "architecture": ["topk"]}
    numbers = {"explained_variance": 0.75, "l0": 8.0, "alive": 0.75, "dense": 0.25}
    counts = {"images": np.array([100]), "tokens": np.array([6500])}
    outputs = {
        "reconstruction": np.array([[0.125, 0.9, 0.99]]),
        "zero_ablation": np.array([[8.0, 0.1, -0.5]]),
    }
    columns = quality | counts | outputs | {"latents": np.array([4], np.int32)}
    columns |= {name: np.array([number]) for name, number in numbers.items()}
    write_results(path, "sae_quality", columns, DATA, **MODEL)
    files = {str(number): webp(picture("photo", number)) for number in (3, 7)}
    return write_results(path, "example_images", images(files), DATA, **MODEL)


def test_densities_are_counted_in_quarters_of_a_decade() -> None:
    """The logarithms of 0.001, 0.0015, 0.5 and 1 are -3, -2.82, -0.30 and 0."""
    found = density_histogram([0.001, 0.0015, 0.5, 1, 0, 0])
    assert (found["latents"], found["dead"]) == (6, 2)
    assert found["edges"][:2] == [-3.0, -2.75]
    assert found["edges"][-1] == 0
    assert found["counts"] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert density_histogram([0.0, 0.0])["counts"] == [0, 0, 0, 0]


def test_a_latent_without_a_picture_has_its_best_natural_image_and_a_dead_one_is_left_out(
    tmp_path: Path,
) -> None:
    latents_store(tmp_path / "s", ["sae.x:2@max"])
    exported = gallery.export(tmp_path / "s", tmp_path / "site")
    assert exported.warnings == ()
    units, model = (data(tmp_path / "site", f"1/{name}") for name in ("units", "model"))
    assert units["suffixes"] == [":0@max", ":2@max", ":3@max"]
    natural = [group["natural"] for group in model["groups"]]
    assert natural == [False, True]
    # The picture of latent 2 was rendered; those of the others are images 7 and 3.
    assert [renders[0][::3] for renders in units["renders"]] == [[1, 7], [0, 0], [1, 3]]
    assert units["metrics"]["density"] == [0.2, 0.001, 0.004]
    assert units["metrics"]["firing_median"] == [3, 3, 3]
    folder = tmp_path / "site/data-1/1"
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == ["1-0.webp"]
    assert {path.name for path in (folder / "examples").iterdir()} == {"3.webp", "7.webp"}


def test_natural_images_in_place_of_pictures_are_reused_by_the_next_export(tmp_path: Path) -> None:
    store = latents_store(tmp_path / "s", [])
    gallery.export(store, tmp_path / "site")
    again = gallery.export(store, tmp_path / "site", thumbnails_only=True)
    assert again.reused == 3
    gallery.export(store, tmp_path / "fresh", thumbnails_only=True)
    one, other = (
        {path.name: path.read_bytes() for path in (folder / "1").rglob("*") if path.is_file()}
        for folder in (tmp_path / "site/data-2", tmp_path / "fresh/data-1")
    )
    assert one == other


@pytest.mark.parametrize("width", [390, 1280])
def test_the_section_has_densities_that_lead_to_latents_and_the_quality(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    latents_store(tmp_path / "s", [])
    gallery.export(tmp_path / "s", tmp_path / "site")
    (path,) = (tmp_path / "site").glob("cueworld-vit-*.html")
    page = browser.new_page(viewport={"width": width, "height": 800})
    open_page(page, path, "#autoencoders")
    section = page.get_by_role("region", name="sae.x", exact=True)
    expect(section).to_contain_text("4 latents of blocks.2.resid_post")
    expect(section).to_contain_text("Dead, firing on no token: 1 (25.0\u00a0%)")
    expect(section.get_by_role("row", name="Explained variance")).to_contain_text("0.75")
    expect(section.get_by_role("row", name="Same top-1")).to_contain_text("90.0\u00a0%")
    fits(page, width)
    section.get_by_text("Latents by density").click()
    section.get_by_role("row", name="0.178 to 0.316").get_by_role("link").click()
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator(".cell")).to_contain_text("0.2")
    page.locator(".cell").click()
    expect(page.get_by_text("best natural image, activation")).to_be_visible()
    expect(page.get_by_text("of the tokens on which it fires")).to_be_visible()
    expect(page.get_by_text("How it was made")).to_have_count(0)
    page.close()
