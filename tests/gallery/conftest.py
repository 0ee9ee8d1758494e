"""A gallery of two models, exported once."""

from __future__ import annotations

from pathlib import Path

import pytest

import gallery
from tests.gallery.made_stores import write_store

NEURONS = [f"blocks.2.mlp.fc1:{i}" for i in range(30)]
TOKENS = [f"blocks.10.mlp.fc1:3@{token}" for token in ("0", "2", "10", "cls")]
UNITS = ["patch_embed:9", "patch_embed:10", *NEURONS, "blocks.10.mlp.fc1:3", *TOKENS, "head:0"]
DIVERSE = NEURONS[7]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    stores = [
        write_store(folder / "a", UNITS[::-1], failures={"head:1": "the value became NaN"}),
        write_store(folder / "b", [DIVERSE], settings={"samples": 4, "diversity": 1.0}),
        write_store(folder / "c", UNITS[:3], model="cueworld/mixer", fingerprint="ab" * 32),
    ]
    gallery.export(stores, folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def model_page(site: Path) -> Path:
    (found,) = site.glob("cueworld-vit-*.html")
    return found
