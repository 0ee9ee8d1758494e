from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from featviz.addressing.address import Unit
from featviz.addressing.selectors import site_of, sites_of, units
from featviz.errors import FeatvizError
from featviz.models.sites import Site
from featviz.models.vision_model import VisionModel

HALF = (0.5, 0.5, 0.5)

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
paths = st.builds(
    lambda first, rest: ".".join([first, *rest]),
    names,
    st.lists(names | st.integers(0, 99).map(str), max_size=4),
)
numbers = st.integers(0, 999_999_999)
activations = st.builds(
    "{}.{}".format,
    paths,
    st.sampled_from(["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "mlp_act"])
    | st.sampled_from(["attn.q", "attn.k", "attn.v", "attn.z"]),
)
tokens = st.none() | st.sampled_from(["cls", "max"]) | numbers
# Not `sae.qk`, which would be parsed as a logit.
latents = st.from_regex("sae\\.[A-Za-z0-9_][A-Za-z0-9_-]*", fullmatch=True).filter(
    lambda path: path not in ("sae.qk", "sae.qk_mode")
)
some_units = st.builds(Unit, paths | activations | latents, numbers, tokens)


def vit() -> VisionModel:
    """A ViT of 3 blocks, 8 neurons in each, 1 class token and 2 x 2 patches."""
    module = VisionTransformer(
        8, 4, num_classes=3, embed_dim=4, depth=3, num_heads=1, mlp_ratio=2.0
    )
    return VisionModel("tiny", module, 8, HALF, HALF)


def resnet() -> VisionModel:
    """A ResNet in which the first block of a layer has a shortcut convolution, the second none."""
    module = ResNet(BasicBlock, (2, 2, 1, 1), 3, channels=(4, 8, 8, 8))  # type: ignore[arg-type]
    return VisionModel("tiny resnet", module, 32, HALF, HALF)


VIT, RESNET = vit(), resnet()


def addresses(model: VisionModel, *selectors: str) -> list[str]:
    return [str(unit) for unit in units(model, *selectors)]


def refusal(model: VisionModel, selector: str) -> str:
    with pytest.raises(FeatvizError) as caught:
        units(model, selector)
    line = str(caught.value)
    assert line.isprintable()
    return line


@given(some_units)
def test_the_address_of_a_unit_is_read_back_as_the_same_unit(unit: Unit) -> None:
    assert Unit.parse(str(unit)) == unit


@given(some_units)
def test_a_canonical_address_needs_no_quotes_in_a_shell(unit: Unit) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.:@-]+", str(unit))


@pytest.mark.parametrize(
    ("address", "unit"),
    [
        ("blocks.3.mlp.fc1:42", Unit("blocks.3.mlp.fc1", 42)),
        ("blocks.3.mlp.fc1:42@7", Unit("blocks.3.mlp.fc1", 42, 7)),
        ("blocks.3.mlp.fc1:42@cls", Unit("blocks.3.mlp.fc1", 42, "cls")),
        ("patch_embed:17", Unit("patch_embed", 17)),
        ("layer2.0.conv1:12", Unit("layer2.0.conv1", 12)),
        ("head:5", Unit("head", 5)),
        ("blocks.0.attn_out.qk:3", Unit("blocks.0.attn_out.qk", 3)),  # a layer of TNT
    ],
)
def test_an_address_is_made_of_site_index_and_token(address: str, unit: Unit) -> None:
    assert Unit.parse(address) == unit
    assert str(unit) == address


@given(st.text(max_size=30) | st.text("ab.:@-,019 \n²٣", max_size=12))
def test_any_text_is_a_unit_or_refused_in_one_line(text: str) -> None:
    said = ""
    try:
        unit = Unit.parse(text)
    except FeatvizError as error:
        said = str(error)
    else:
        assert Unit.parse(str(unit)) == unit
    assert said.isprintable()


@given(
    st.text(max_size=20)
    | st.text("fc1heads.:@-,0123456789al²", max_size=16)
    | st.from_regex(r"(blocks|head|all|patch_embed)(\.[a0-9,-]{1,5}){0,2}:[0-9,-]{1,5}(@\w{1,3})?")
)
def test_any_selector_gives_existing_units_or_is_refused_in_one_line(text: str) -> None:
    said = ""
    try:
        found = units(VIT, text)
    except FeatvizError as error:
        said = str(error)
    else:
        assert found
        for unit in found:
            sites_of(VIT, unit)
    assert said.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "head",
        ":",
        "head:",
        ":5",
        "head:five",
        "head:-1",
        "head:5@",
        "head:5@-1",
        "head:5@7@7",
        "head:5:6",
        "head:5@CLS",
        "head :5",
        "head:5\n",
        "head:1.5",
        "head:²",
        "head:٣",
        "head:1@٣",
        "head:" + "9" * 5000,
        "$(reboot):1",
        "a;b:1",
        "a*:1",
        "\x1b[31m:1",
    ],
)
def test_malformed_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(FeatvizError) as caught:
        Unit.parse(text)
    assert str(caught.value).isprintable()
    refusal(VIT, text)


@pytest.mark.parametrize("selector", ["head:0-2", "head:0,1", "head:all", "head:1@0-1", "a:1@all"])
def test_a_selector_of_several_units_is_not_the_address_of_one(selector: str) -> None:
    with pytest.raises(FeatvizError, match="not the address of one unit"):
        Unit.parse(selector)


@given(
    st.sampled_from([site for site in VIT.sites.values() if not site.is_logit]),
    st.data(),
    st.sampled_from(["", "@max", "@cls", "@0"]),
)
def test_every_activation_of_every_block_is_selected_by_its_address(
    site: Site, data: st.DataObject, token: str
) -> None:
    index = data.draw(st.integers(0, site.width - 1))
    has_token = site.positions > 0 and (token != "@cls" or site.prefix > 0)
    address = f"{site.path}:{index}{token if has_token else ''}"
    assert addresses(VIT, address) == [address]
    assert units(VIT, address) == [Unit.parse(address)]
    everywhere = site.path.replace("blocks.1.", "blocks.all.")
    count = 3 if everywhere != site.path else 1
    assert len(units(VIT, address.replace(site.path, everywhere))) == count


def test_the_largest_is_one_of_no_list_and_needs_tokens() -> None:
    assert addresses(VIT, "blocks.all.resid_post:0-1@max") == [
        f"blocks.{block}.resid_post:{index}@max" for block in range(3) for index in range(2)
    ]
    assert "head has no token axis; remove @max" in refusal(VIT, "head:0@max")
    assert "expected an index" in refusal(VIT, "blocks.0.mlp.fc1:0@max,1")


def test_every_unit_of_a_model_keeps_its_address() -> None:
    for path, site in VIT.sites.items():
        if site.is_logit:
            continue
        (unit,) = units(VIT, f"{path}:{site.width - 1}")
        assert str(unit) == f"{path}:{site.width - 1}"
        assert units(VIT, str(unit)) == [unit] == [Unit.parse(str(unit))]


@pytest.mark.parametrize(
    ("selector", "indices"),
    [
        ("5", [5]),
        ("0-3", [0, 1, 2, 3]),
        ("3-3", [3]),
        ("7,1,4", [7, 1, 4]),
        ("6-7,0-1,3", [6, 7, 0, 1, 3]),
        ("2,1-3,2", [2, 1, 3]),
        ("all", list(range(8))),
        ("007", [7]),
    ],
)
def test_indices_expand_in_the_order_given_and_once(selector: str, indices: list[int]) -> None:
    expected = [f"blocks.1.mlp.fc1:{index}" for index in indices]
    assert addresses(VIT, f"blocks.1.mlp.fc1:{selector}") == expected


def test_every_number_can_be_a_range_and_the_last_one_varies_fastest() -> None:
    assert addresses(VIT, "blocks.2,0.mlp.fc1:4-5@1,3") == [
        "blocks.2.mlp.fc1:4@1",
        "blocks.2.mlp.fc1:4@3",
        "blocks.2.mlp.fc1:5@1",
        "blocks.2.mlp.fc1:5@3",
        "blocks.0.mlp.fc1:4@1",
        "blocks.0.mlp.fc1:4@3",
        "blocks.0.mlp.fc1:5@1",
        "blocks.0.mlp.fc1:5@3",
    ]


def test_all_expands_to_every_block_and_every_token() -> None:
    assert addresses(VIT, "blocks.all.mlp.fc1:3") == [f"blocks.{n}.mlp.fc1:3" for n in range(3)]
    tokens = ["0", "1", "2", "3", "4"]
    assert addresses(VIT, "blocks.0.mlp.fc1:3@all") == [f"blocks.0.mlp.fc1:3@{t}" for t in tokens]


def test_selectors_are_joined_in_order_without_repeats() -> None:
    joined = addresses(VIT, "head:1", "patch_embed:0-1", "head:0-2", "patch_embed:1")
    assert joined == ["head:1", "patch_embed:0", "patch_embed:1", "head:0", "head:2"]
    assert units(VIT) == []


def test_a_token_is_written_as_it_was_asked_for() -> None:
    both = ["blocks.0.mlp.fc1:2@0", "blocks.0.mlp.fc1:2@cls"]
    assert addresses(VIT, *both) == both


def test_position_zero_stays_a_number_where_there_is_no_class_token() -> None:
    assert addresses(VIT, "patch_embed:2@0") == ["patch_embed:2@0"]
    assert addresses(RESNET, "layer2.0.conv1:2@0") == ["layer2.0.conv1:2@0"]


def test_both_paths_of_the_patch_embedding_name_the_same_units() -> None:
    assert addresses(VIT, "patch_embed.proj:1-2", "patch_embed:2") == [
        "patch_embed:1",
        "patch_embed:2",
    ]


def test_all_skips_blocks_that_have_no_such_layer() -> None:
    assert addresses(RESNET, "layer2.all.downsample.0:1") == ["layer2.0.downsample.0:1"]


def test_a_range_of_blocks_of_which_one_has_no_such_layer_is_refused() -> None:
    assert "layer2.1.downsample" in refusal(RESNET, "layer2.0-1.downsample.0:1")


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("blocks.0.mlp.fc1:8", "blocks.0.mlp.fc1 has units 0-7, not 8"),
        ("blocks.0.mlp.fc1:0-8", "blocks.0.mlp.fc1 has units 0-7, not 8"),
        ("blocks.0.mlp.fc1:0-999999999", "blocks.0.mlp.fc1 has units 0-7, not 999999999"),
        ("blocks.0.mlp.fc1:1@5", "blocks.0.mlp.fc1 has tokens 0-4, not 5"),
        ("blocks.0.mlp.fc1:1@0-999999999", "blocks.0.mlp.fc1 has tokens 0-4, not 999999999"),
        ("patch_embed:1@4", "patch_embed has tokens 0-3, not 4"),
        ("blocks.0-3.mlp.fc1:1", "blocks has children 0-2, not 3"),
        ("blocks.0-999999999.mlp.fc1:1", "blocks has children 0-2, not 999999999"),
        ("blocks.3.mlp.fc1:1", "no module blocks.3.mlp.fc1; did you mean blocks."),
        ("blocks.0.mlp.fc1:5-3", "the range 5-3 runs backwards; write 3-5"),
        ("blocks.2-1.mlp.fc1:5", "the range 2-1 runs backwards; write 1-2"),
        ("blocks.0.mlp.fc1:five", "a range 0-15, a list 1,4,9 or 'all', got 'five'"),
        ("blocks.0.mlp.fc1:9999999999", "units 0-7; expected an index, a range 0-15"),
        ("blocks.0.mlp.fc1:1,,2", "got '1,,2'"),
        ("blocks.0.mlp.fcl:1", "did you mean blocks.0.mlp.fc"),
        ("blocks.0.mlp:1", "is a Mlp, not a convolution or linear layer; it contains"),
        ("blocks.0.norm1:1", "is a LayerNorm, not a convolution or linear layer"),
        ("blocks.all.norm1:1", "is a LayerNorm, not a convolution or linear layer"),
        ("blocks.all.mlp.fcl:1", "did you mean blocks.0.mlp.fc"),
        ("all:1", "the model has no numbered children"),
        ("head.all:1", "head has no numbered children"),
        ("head:1@0", "head has no token axis; remove @0"),
        ("head:1@cls", "head has no token axis; remove @cls"),
        ("head:1@all", "head has no token axis; remove @all"),
        ("patch_embed:1@cls", "patch_embed has no class token; its positions are 0-3"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_would_be_right(selector: str, said: str) -> None:
    assert said in refusal(VIT, selector)


def test_the_class_token_of_a_convolutional_network_is_refused() -> None:
    assert "has no class token" in refusal(RESNET, "layer2.0.conv1:1@cls")


def test_numbered_children_with_gaps_are_listed() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 5, 1))
    model = VisionModel("gaps", module, 4, HALF, HALF)
    assert addresses(model, "all:3") == ["0:3", "2:3"]
    assert "the model has children 0, 2, not 1" in refusal(model, "0-2:3")


@pytest.mark.parametrize(
    "unit",
    [
        Unit("nowhere", 0),
        Unit("head", 3),
        Unit("head", -1),
        Unit("head", 0, 0),
        Unit("head", 0, "cls"),
        Unit("patch_embed", 0, "cls"),
        Unit("blocks.0.mlp.fc1", 0, 5),
        Unit("blocks.0.mlp.fc1", 0, -1),
        Unit("blocks.0-1.mlp.fc1", 0),
    ],
)
def test_a_unit_made_by_hand_that_the_model_does_not_have_is_refused(unit: Unit) -> None:
    with pytest.raises(FeatvizError):
        site_of(VIT, unit)


def test_expanding_selectors_keeps_random_state_and_model() -> None:
    model = vit()
    model.module.train()
    state = torch.random.get_rng_state()
    assert units(model, "blocks.all.mlp.fc1:all@all")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(part.training for part in model.module.modules())
