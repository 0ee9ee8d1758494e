"""The command line on trained weights of DINOv2: rendering, and what it says of a wrong use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import featviz
from featviz.data.datasets import open_data
from featviz.store.reader import Store
from tests.cli.running import Run

pytestmark = pytest.mark.slow

ARCH = "vit_small_patch14_dinov2"
NEURONS = [f"blocks.{block}.mlp.fc1:0" for block in (1, 6, 10)]


def test_images_of_neurons_of_all_depths_exceed_every_image_of_cueworld(
    weights: Path, run: Run, tmp_path: Path
) -> None:
    words = ["render", weights, "--arch", ARCH, "--image-size", 224, *NEURONS]
    assert run(*words, "--steps", 64, "--device", "cpu", "-o", tmp_path / "store").status == 0
    store = Store(tmp_path / "store")
    assert store.load == {"untrained": False, "arch": ARCH, "image_size": 224}
    rendered = torch.tensor([float(store.row(each)["activation"][0]) for each in NEURONS])
    model = featviz.load(str(weights), arch=ARCH, image_size=224, device="cpu")
    with torch.no_grad():
        found = featviz.readout(model, NEURONS)(open_data("cueworld:64").images(range(64), 224))
    assert (rendered > found.amax(0)).all()


def longer(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add a token to the positions."""
    return state | {"pos_embed": torch.cat([state["pos_embed"], state["pos_embed"][:, :1]], 1)}


@pytest.mark.parametrize(
    ("change", "words", "line"),
    [
        (
            None,
            f"--arch {ARCH} --image-size 500",
            "image_size (--image-size) 500 is not a multiple of the 14 pixels of a patch of "
            "{path}; use 490 or 504",
        ),
        (
            None,
            "--arch vit_small_patch14_reg4_dinov2",
            "{path} does not fit vit_small_patch14_reg4_dinov2: tensors 1 missing: reg_token; 1 "
            "mis-shaped: pos_embed is (1, 1370, 384), not (1, 1369, 384); it fits --arch "
            f"{ARCH}",
        ),
        (
            longer,
            f"--arch {ARCH} --image-size 224",
            f"{{path}} does not fit {ARCH}: tensors 1 mis-shaped: pos_embed is (1, 1371, 384), "
            "not (1, 257, 384); its positions are of 1371 tokens, 1 more than those of 37 x 37 "
            "patches and 1 prefix token",
        ),
    ],
    ids=["a wrong size", "another architecture", "one token too many"],
)
def test_trained_weights_that_do_not_fit_are_refused_in_one_line(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None,
    words: str,
    line: str,
    weights: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    path = weights
    if change is not None:
        path = tmp_path / "it.pth"
        torch.save(change(load_file(weights)), path)
    assert run("units", path, *words.split()).refusal() == f"Error: {line.format(path=path)}"
