"""Which part of an activation a target replaces, and targets that are not there."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.errors import FeatvizError
from patching.interventions.patch_targets import KINDS, PatchTarget, check_targets
from tests.patching.models import vit

indices = st.none() | st.sets(st.integers(0, 5), min_size=1).map(tuple)


@given(tokens=indices, groups=indices)
def test_exactly_the_chosen_tokens_and_groups_are_replaced(
    tokens: tuple[int, ...] | None, groups: tuple[int, ...] | None
) -> None:
    own, other = torch.zeros(2, 6, 6, 3), torch.ones(2, 6, 6, 3)
    found = PatchTarget("z", 0, tokens, groups).replace(own, other)
    for token in range(6):
        for group in range(6):
            inside = (tokens is None or token in tokens) and (groups is None or group in groups)
            assert found[:, token, group].eq(float(inside)).all()
    assert not own.any()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            PatchTarget("atn_out", 0),
            "unknown kind of activation 'atn_out'; did you mean attn_out",
        ),
        (PatchTarget("w", 0), "kind of activation 'w'; choose from patch_embed, .*, neurons"),
        (PatchTarget("z", 2), "ViT has blocks 0-1, not 2"),
        (PatchTarget("z", -1), "ViT has blocks 0-1, not -1"),
        (PatchTarget("patch_embed", 1), "patch_embed comes before block 0, not before block 1"),
        (PatchTarget("z", 1, (0, 17)), "z of block 1 of ViT has tokens 0-16, not 17"),
        (PatchTarget("z", 1, (-1,)), "tokens 0-16, not -1"),
        (PatchTarget("z", 1, ()), "z of block 1 of ViT: no tokens are selected"),
        (PatchTarget("z", 0, None, (3,)), "z of block 0 of ViT has heads 0-2, not 3"),
        (
            PatchTarget("neurons", 0, None, (768,)),
            "neurons of block 0 of ViT has neurons 0-767, not 768",
        ),
        (
            PatchTarget("attn_out", 0, None, (0,)),
            "attn_out of block 0 .* has no heads or neurons",
        ),
    ],
)
def test_missing_targets_are_refused_in_one_line(target: PatchTarget, message: str) -> None:
    with pytest.raises(FeatvizError, match=message) as raised:
        check_targets(vit("ViT"), [PatchTarget("z", 0), target])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["DINOv3", "BEiT", "mixed rotary"])
def test_rotary_and_relative_positions_are_no_embedding(kind: str) -> None:
    with pytest.raises(FeatvizError, match=f"{kind} adds no position embedding"):
        check_targets(vit(kind), [PatchTarget("pos_embed", 0)])
    check_targets(vit(kind), [PatchTarget("patch_embed", 0)])


def test_a_plain_vit_has_every_kind() -> None:
    check_targets(vit("ViT"), [PatchTarget(kind, 0) for kind in KINDS])
