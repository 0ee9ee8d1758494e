"""Which targets a sweep patches, and how they are described."""

from __future__ import annotations

from typing import Any

import pytest

from featviz import FeatvizError
from patching.interventions.patch_targets import EMBEDDINGS, INSIDE_ATTENTION, KINDS, PatchTarget
from patching.interventions.selection import ALIASES, Selection, target_table, windows_of
from patching.settings import SITES
from tests.patching.models import vit


def found(kind: str = "ViT", **choices: Any) -> list[tuple[Any, ...]]:
    """The columns of every site, in order."""
    sites = target_table(vit(kind), Selection(**choices)).sites
    columns = (sites.site, sites.layer, sites.head, sites.token, sites.window)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    ("window", "first", "middle", "last"),
    [
        (1, [0], [5], [11]),
        (2, [0, 1], [5, 6], [11]),
        (3, [0, 1], [4, 5, 6], [10, 11]),
        (4, [0, 1, 2], [4, 5, 6, 7], [10, 11]),
        (9, [0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9], [7, 8, 9, 10, 11]),
        (99, list(range(12)), list(range(12)), list(range(12))),
    ],
)
def test_a_window_lies_around_its_block_and_is_cut_off_at_the_ends(
    window: int, first: list[int], middle: list[int], last: list[int]
) -> None:
    made = target_table(vit("trained ViT"), Selection("mlp", (window,), layers="0,5,11"))
    assert [[target.layer for target in patch] for patch in made.patches] == [first, middle, last]
    assert {target.kind for patch in made.patches for target in patch} == {"mlp_out"}
    assert made.sites.layer.tolist() == [0, 5, 11]


def test_sites_come_by_window_then_layer_then_head_or_token() -> None:
    rows = found(windows=(1, 2), site="resid")
    assert rows == [
        ("resid_post", 0, "all", "all", 1),
        ("resid_post", 1, "all", "all", 1),
        ("resid_post", 0, "all", "all", 2),
        ("resid_post", 1, "all", "all", 2),
    ]
    heads = found(site="head")
    assert heads == [("z", layer, str(head), "all", 1) for layer in (0, 1) for head in (0, 1, 2)]
    tokens = found(site="attn", by="token", tokens=("class", "0x0-1"), layers="1")
    assert tokens == [("attn_out", 1, "all", token, 1) for token in ("0", "1", "2")]


def test_each_set_of_tokens_has_a_patch_of_its_own() -> None:
    made = target_table(
        vit("ViT"), Selection("mlp", tokens=("class", "patches", "all"), layers="0")
    )
    assert [patch[0].tokens for patch in made.patches] == [(0,), tuple(range(1, 17)), None]
    assert made.sites.token.tolist() == ["class", "patches", "all"]


def test_some_heads_are_patched_together_or_one_by_one() -> None:
    together = target_table(vit("ViT"), Selection("pattern", heads="0,2", layers="1"))
    assert together.patches == [(PatchTarget("pattern", 1, None, (0, 2)),)]
    assert together.sites.head.tolist() == ["0,2"]
    apart = target_table(vit("ViT"), Selection("pattern", by="head", heads="0,2", layers="1"))
    assert [patch[0].groups for patch in apart.patches] == [(0,), (2,)]


def test_neurons_count_as_heads() -> None:
    made = target_table(vit("ViT"), Selection("neurons", by="neuron", heads="3,5-6", layers="0"))
    assert [patch[0].groups for patch in made.patches] == [(3,), (5,), (6,)]
    assert made.sites.head.tolist() == ["3", "5", "6"]


def test_the_sites_are_all_kinds_of_activations() -> None:
    assert {ALIASES.get(site, site) for site in SITES} == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in EMBEDDINGS])
def test_every_kind_is_a_site_by_its_own_name(kind: str) -> None:
    assert [row[0] for row in found(site=kind)] == [kind, kind]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("attn", "attn_out"),
        ("mlp", "mlp_out"),
        ("resid", "resid_post"),
        ("head", "z"),
        ("mlp_act", "neurons"),
        ("attn.q", "q"),
        ("attn.k", "k"),
        ("attn.v", "v"),
        ("attn.z", "z"),
    ],
)
def test_aliases_of_sites_select_the_same_activations(name: str, kind: str) -> None:
    alias = target_table(vit("ViT"), Selection(name, by="layer"))
    own = target_table(vit("ViT"), Selection(kind, by="layer"))
    assert alias.patches == own.patches
    assert alias.sites.site.tolist() == own.sites.site.tolist() == [kind, kind]


def test_embeddings_are_one_site_before_all_blocks() -> None:
    assert found(site="patch_embed") == [("patch_embed", 0, "all", "all", 1)]
    assert found(site="pos_embed", by="token", tokens=("prefix",)) == [
        ("pos_embed", 0, "all", "0", 1)
    ]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"site": "atn"}, r"unknown site 'atn'; did you mean attn"),
        (
            {"site": "zzzzzz"},
            r"choose from attn_out, .*resid_pre, .*, z, .*pattern, mlp_act, .*pos_embed$",
        ),
        ({"by": "tokens"}, r"got 'tokens'; did you mean token"),
        ({"windows": (0,)}, "1 block or more"),
        ({"windows": ()}, "1 block or more"),
        ({"tokens": ()}, "no tokens"),
        ({"tokens": ("registers",)}, "no tokens 'registers'"),
        ({"layers": "2"}, r"has blocks 0-1, not 2"),
        ({"site": "attn", "heads": "0"}, "attn has no heads or neurons"),
        ({"by": "head"}, "attn_out has no heads; sites with heads: q, k, v, z, pattern"),
        ({"site": "head", "by": "neuron"}, "head has no neurons; sites with neurons: mlp_act"),
        ({"site": "head", "heads": "3"}, r"blocks\.0\.attn has heads 0-2, not 3"),
        ({"site": "neurons", "by": "neuron", "heads": "768"}, r"has neurons 0-767, not 768"),
        ({"site": "head", "windows": (3,)}, "blocks do not share heads"),
        ({"site": "patch_embed", "windows": (3,)}, "comes before all blocks"),
        ({"site": "patch_embed", "layers": "1"}, "has blocks 0-0, not 1"),
    ],
)
def test_settings_that_do_not_apply_are_refused_in_one_line(
    choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatvizError, match=message) as caught:
        found(**choices)
    assert "\n" not in str(caught.value)


def test_a_site_that_a_model_lacks_is_refused_before_anything_runs() -> None:
    with pytest.raises(FeatvizError, match="adds no position embedding"):
        found("BEiT", site="pos_embed")


def test_windows_are_read_from_text() -> None:
    assert windows_of("1,3,12") == (1, 3, 12)
    for text in ("", "0", "1,", "-1", "1.5", "²", "x", "9" * 24):
        with pytest.raises(FeatvizError, match="integers >= 1"):
            windows_of(text)


def test_inside_attention_there_are_heads_and_nowhere_else() -> None:
    for kind in INSIDE_ATTENTION:
        assert len(found(site=kind, by="head", layers="0")) == 3
