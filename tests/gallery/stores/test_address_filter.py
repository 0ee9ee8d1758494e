from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from gallery.stores.address_filter import address_filter


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.mark.parametrize(
    ("selector", "inside", "outside"),
    [
        ("head:5", ["head:5"], ["head:50", "head:5@1", "other:5", "x.head:5"]),
        (
            "blocks.0-2.mlp.fc1:1,4-6",
            ["blocks.0.mlp.fc1:1", "blocks.2.mlp.fc1:5"],
            ["blocks.3.mlp.fc1:1", "blocks.0.mlp.fc1:2", "blocks.0.mlp.fc2:1"],
        ),
        (
            "blocks.all.mlp.fc1:all@all",
            ["blocks.11.mlp.fc1:9@3", "blocks.0.mlp.fc1:0@0"],
            ["blocks.0.mlp.fc1:0", "blocks.x.mlp.fc1:0@3", "blocks.0.mlp.fc1:0@cls"],
        ),
        ("blocks.1.mlp.fc1:3@cls", ["blocks.1.mlp.fc1:3@cls"], ["blocks.1.mlp.fc1:3@0"]),
        (
            "blocks.2.attn.qk:all@q0-9.k3,5",
            ["blocks.2.attn.qk:0@q9.k5", "blocks.2.attn.qk:11@q0.k3"],
            ["blocks.2.attn.qk:0@q10.k5", "blocks.2.attn.qk:0@k5.q9", "blocks.2.attn.qk:0@same"],
        ),
        (
            "blocks.2.attn.qk:0@shift.1.-2-2",
            ["blocks.2.attn.qk:0@shift.1.-2", "blocks.2.attn.qk:0@shift.1.0"],
            ["blocks.2.attn.qk:0@shift.1.3", "blocks.2.attn.qk:0@shift.-1.0"],
        ),
        ("layer2.0.conv1:all", ["layer2.0.conv1:12"], ["layer2.1.conv1:12", "layer3.0.conv1:12"]),
        ("a:1+0.5~b:0-3", ["a:1+0.5~b:2"], ["a:1+0.5~b:4", "a:1", "b:2"]),
        ("a:../dir.npy/0-3", ["a:../dir.npy/0-3"], ["a:../dir.npy/2"]),
    ],
)
def test_a_selector_matches_the_addresses_in_its_ranges(
    selector: str, inside: list[str], outside: list[str]
) -> None:
    wanted = address_filter([selector])
    assert all(wanted(address) for address in inside)
    assert not any(wanted(address) for address in outside)


@pytest.mark.parametrize(
    "selector",
    ["blocks.0-1.mlp.fc1:0-3", "blocks.1,2.mlp.fc1:2@1-4", "blocks.3.attn.qk:all@same",
     "blocks.0.attn.qk:0,1@q2-3.k1", "patch_embed:0-7", "head:all"],
)  # fmt: skip
def test_a_selector_matches_the_units_that_the_model_expands_it_to(
    selector: str, vit: VisionModel
) -> None:
    wide = featviz.units(
        vit,
        "blocks.0-3.mlp.fc1:0-5",
        "blocks.0-3.mlp.fc1:0-3@0-5",
        "blocks.0-3.attn.qk:all@same",
        "blocks.0,3.attn.qk:all@q0-3.k0-2",
        "patch_embed:0-9",
        "head:all",
    )
    narrow = {str(unit) for unit in featviz.units(vit, selector)}
    wanted = address_filter([selector])
    assert {str(unit) for unit in wide if wanted(str(unit))} == narrow


def test_no_selectors_match_everything_and_several_are_a_union() -> None:
    assert address_filter([])("anything at all")
    wanted = address_filter(["head:1", "head:3-4"])
    assert [wanted(f"head:{i}") for i in range(6)] == [False, True, False, True, True, False]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("blocks.0.mlp.fc1", "'blocks.0.mlp.fc1' is not a selector"),
        ("head:9-3", "the range 9-3 runs backwards; write 3-9"),
    ],
)
def test_a_malformed_selector_is_refused(selector: str, message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        address_filter([selector])


@given(st.text(), st.text())
def test_any_text_is_matched_without_an_error(one: str, other: str) -> None:
    address = f"{one}:{other}"
    if "-" not in address and "," not in address and "all" not in address:
        assert address_filter([address])(address)
        assert not address_filter([address])(f"{address}x")


def test_a_huge_range_costs_nothing() -> None:
    assert address_filter(["head:0-999999999"])("head:123456789")
