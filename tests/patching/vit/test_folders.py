"""Models from folders of transformers are patched like those of timm."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from featviz.models.loading.load import load
from patching.vit.residual_vit import residual_vit

ORACLES = Path(__file__).parents[2] / "oracles" / "huggingface"


@pytest.mark.parametrize(
    ("case", "read_tokens"),
    [
        ("beit/classifier", 17),
        ("clip/both", 1),
        ("clip/classifier", 17),
        ("deit/teacher", 2),
        ("dinov2/classifier", 17),
        ("dinov2/registers", 4),
        ("dinov3/gated", 1),
        ("siglip/both", 16),
        ("vit/mae", 1),
    ],
)
def test_sublayers_and_head_reproduce_the_output(case: str, read_tokens: int) -> None:
    model = load(str(ORACLES / case), device="cpu")
    vit = residual_vit(model)
    assert (vit.depth, vit.read_tokens) == (2, read_tokens)
    images = torch.rand(2, 3, model.image_size, model.image_size)
    with torch.no_grad():
        output = vit.finish(vit.run(vit.embed(images)))
        torch.testing.assert_close(output, model(images), rtol=1e-4, atol=1e-5)
