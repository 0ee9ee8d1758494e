"""Names of tokens."""

from __future__ import annotations

import pytest
import torch

from featviz.errors import FeatvizError
from patching.interventions.token_names import tokens_of, tokens_under
from tests.patching.models import vit


@pytest.mark.parametrize(
    ("kind", "text", "right"),
    [
        ("ViT", "all", None),
        ("ViT", "class", (0,)),
        ("ViT", "cls", (0,)),
        ("ViT", "patches", tuple(range(1, 17))),
        ("ViT", "prefix+patches", None),
        ("ViT", "0-2,5", (0, 1, 2, 5)),
        # Rows 1 and 2 of four, columns 0 and 3, behind the class token.
        ("ViT", "1-2x0,3", (5, 8, 9, 12)),
        ("ViT", "3xall+class", (0, 13, 14, 15, 16)),
        ("DeiT distilled", "prefix", (0, 1)),
        ("DeiT distilled", "0x0", (2,)),
        ("DINOv2 with registers", "registers", (1, 2, 3, 4)),
        ("DINOv2 with registers", "class+patches", (0, *range(5, 21))),
        ("DINOv3", "registers", (1, 2, 3, 4)),
    ],
)
def test_names_are_the_tokens_that_timm_puts_there(
    kind: str, text: str, right: tuple[int, ...] | None
) -> None:
    assert tokens_of(vit(kind), text) == right


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registers", "ViT has no tokens registers; there may be all, class, registers"),
        ("17", "ViT has tokens 0-16, not 17"),
        ("4x0", "ViT has rows 0-3, not 4"),
        ("everything", "got 'everything'"),
    ],
)
def test_tokens_that_are_not_there_are_refused(text: str, message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        tokens_of(vit("ViT"), text)


def test_a_mask_covers_the_patches_that_are_half_under_it() -> None:
    mask = torch.zeros(64, 64)
    mask[16:32, 8:40] = 1
    # Row 1: half of column 0, all of column 1, half of column 2.
    assert tokens_under(vit("ViT"), mask) == (5, 6, 7)
    assert tokens_under(vit("ViT"), mask.bool(), 0.6) == (6,)
    assert tokens_under(vit("ViT"), torch.zeros(64, 64)) == ()
    with pytest.raises(FeatvizError, match="a mask of 63 x 64 cannot be cut into the 4 x 4 patch"):
        tokens_under(vit("ViT"), mask[1:])
