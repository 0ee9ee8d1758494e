from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from featviz.store.order import by_site, natural


def test_sites_come_in_forward_order_and_units_by_number() -> None:
    sites = ["patch_embed", "blocks.10.mlp.fc1", "blocks.9.mlp.fc1", "head"]
    addresses = [
        "head:1",
        "blocks.9.mlp.fc1:0",
        "patch_embed:10",
        "blocks.10.mlp.fc1:2",
        "patch_embed:9",
    ]
    assert by_site(addresses, sites) == [
        ("patch_embed", ["patch_embed:9", "patch_embed:10"]),
        ("blocks.10.mlp.fc1", ["blocks.10.mlp.fc1:2"]),
        ("blocks.9.mlp.fc1", ["blocks.9.mlp.fc1:0"]),
        ("head", ["head:1"]),
    ]


def test_tokens_of_a_neuron_follow_its_cross_patch_picture() -> None:
    wanted = ["f:2", "f:3", "f:3@0", "f:3@2", "f:3@10", "f:3@cls", "f:4", "f:30"]
    assert by_site(reversed(wanted), ["f"]) == [("f", wanted)]


def test_logits_come_with_their_module_and_an_unknown_site_comes_last() -> None:
    sites = ["blocks.2.attn", "blocks.2.mlp.fc1", "blocks.10.attn"]
    addresses = ["z:0", "blocks.10.attn.qk:0@same", "blocks.2.mlp.fc1:1", "blocks.2.attn.qk:0@same"]
    assert [site for site, _ in by_site(addresses, sites)] == [
        "blocks.2.attn.qk",
        "blocks.2.mlp.fc1",
        "blocks.10.attn.qk",
        "z",
    ]


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_numbers_of_any_length_compare_as_numbers(a: int, b: int) -> None:
    assert (natural(f"x{a}@y") < natural(f"x{b}@y")) == (a < b)


@given(st.lists(st.text()))
def test_any_texts_can_be_sorted(texts: list[str]) -> None:
    assert sorted(sorted(texts, key=natural)) == sorted(texts)


@given(st.integers(), st.integers())
def test_a_hyphen_after_a_point_is_a_sign(a: int, b: int) -> None:
    assert (natural(f"@shift.{a}.0") < natural(f"@shift.{b}.0")) == (a < b)


def test_a_hyphen_after_a_letter_is_none() -> None:
    assert natural("probe-2") < natural("probe-10")


def test_logits_modes_and_combinations_come_with_their_head_and_neuron() -> None:
    wanted = [
        "blocks.2.attn.qk:0@q3.k20",
        "blocks.2.attn.qk:0@q20.k3",
        "blocks.2.attn.qk:0@same",
        "blocks.2.attn.qk:0@shift.-1.-2",
        "blocks.2.attn.qk:0@shift.-1.0",
        "blocks.2.attn.qk:0@shift.1.-2",
        "blocks.2.attn.qk:1@same",
        "blocks.2.attn.qk_mode:0.1",
        "blocks.2.attn.qk_mode:0.10",
        "blocks.2.mlp.fc1:7",
        "blocks.2.mlp.fc1:42",
        "blocks.2.mlp.fc1:42+-0.5~blocks.3.mlp.fc1:7",
        "blocks.2.mlp.fc2:probe-1a2b3c4d.npy.0",
        "blocks.2.mlp.fc2:probe-1a2b3c4d.npy.10",
        "-0.5~head:1+head:3",
        "head:2",
    ]
    sites = [f"blocks.2.{layer}" for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
    sites = ["patch_embed.proj", *sites, "head"]
    assert [unit for _, found in by_site(reversed(wanted), sites) for unit in found] == wanted


@given(st.text(), st.text())
def test_no_two_texts_tie(one: str, other: str) -> None:
    assert (natural(one) == natural(other)) == (one == other)
