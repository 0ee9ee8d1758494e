"""Mean patterns are softmaxes of timm's own logits, and their summaries are counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from featviz.addressing.selectors import units
from featviz.addressing.tokens import Shift
from featviz.analysis.attention.heads import Head, find_heads
from featviz.analysis.attention.maps import displacement, maps_to_store, mean_attention, summarize
from featviz.analysis.attention.suggest import MIN_LIFT, strongest_displacement, suggest
from featviz.data.datasets import open_data
from featviz.errors import FeatvizError
from featviz.models.sites import Site
from featviz.store.reader import Store
from tests.featviz.models.attention_models import EVERY, NAMES, TRAINED, attention_model
from tests.featviz.toys import toy_vit
from tests.oracles.unfused import unfused_logits


def site(grid: tuple[int, int] = (3, 4), prefix: int = 1) -> Site:
    positions = prefix + grid[0] * grid[1]
    return Site("blocks.0.attn.qk", "blocks.0.attn", 2, positions, grid, prefix, "qk")


def one_to_the_right(grid: tuple[int, int], prefix: int) -> Tensor:
    """The pattern of a head whose patches look one column on; those at the border at token 0."""
    rows, columns = grid
    pattern = torch.zeros((prefix + rows * columns,) * 2, dtype=torch.float64)
    pattern[:prefix, 0] = 1
    for row in range(rows):
        for column in range(columns):
            token = prefix + row * columns + column
            pattern[token, token + 1 if column + 1 < columns else 0] = 1
    return pattern


@pytest.mark.parametrize("kind", EVERY)
def test_mean_patterns_are_means_of_softmaxes_of_unfused_logits(kind: str) -> None:
    model = attention_model(kind)
    data = open_data("cueworld:3")
    heads = find_heads(model, "blocks.0-1.attn.qk:all")
    found = mean_attention(model, heads, data)
    ((images, _),) = data.batches(model.image_size)
    prefix = 1 if kind == TRAINED else NAMES[kind][2]
    for block in (0, 1):
        logits = unfused_logits(model.module, model.normalize(images), f"blocks.{block}.attn")
        patterns = logits.double().softmax(-1)
        right = patterns.mean(0)
        entropy = -(patterns * patterns.log()).sum(-1)[:, :, prefix:].mean((0, 2))
        for head, maps in found.items():
            if head.site.owner == f"blocks.{block}.attn":
                torch.testing.assert_close(maps.pattern, right[head.index], rtol=1e-4, atol=1e-7)
                assert maps.entropy == pytest.approx(float(entropy[head.index]), rel=1e-5)
                rows = maps.pattern.sum(1)
                torch.testing.assert_close(rows, torch.ones_like(rows), rtol=1e-6, atol=0)
    assert set(found) == set(heads)


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_mean_does_not_depend_on_the_batch_size(batch: int) -> None:
    model = toy_vit()
    heads, data = find_heads(model), open_data("cueworld:7")
    right = mean_attention(model, heads, data, batch=32)
    for head, maps in mean_attention(model, heads, data, batch=batch).items():
        torch.testing.assert_close(maps.pattern, right[head].pattern, rtol=1e-6, atol=1e-9)
        assert maps.entropy == pytest.approx(right[head].entropy, rel=1e-7)


def test_a_head_without_weights_is_uniform() -> None:
    model = toy_vit()
    module = model.module.get_submodule("blocks.2.attn.qkv")
    module.get_parameter("weight").zero_()
    (head,) = find_heads(model, "blocks.2.attn.qk:1")
    maps = mean_attention(model, [head], open_data("cueworld:2"))[head]
    tokens, patches = head.site.positions, head.site.positions - 1
    assert maps.entropy == pytest.approx(math.log(tokens), rel=1e-6)
    assert maps.prefix == pytest.approx(1 / tokens, rel=1e-6)
    assert maps.self_ == pytest.approx(1 / tokens, rel=1e-6)
    assert maps.local == pytest.approx((patches - 1) / tokens, rel=1e-6)  # the grid is 2 x 2
    torch.testing.assert_close(maps.displacement, torch.full((3, 3), 1 / tokens).double())


def test_a_head_that_attends_one_patch_to_the_right_has_one_displacement() -> None:
    maps = summarize(one_to_the_right((3, 4), 1), site(), 0.0)
    right = torch.zeros(5, 7).double()
    right[2, 4] = 1
    torch.testing.assert_close(maps.displacement, right)
    # Nine of twelve patches have a neighbor there; the others look at the class token.
    assert (maps.prefix, maps.self_) == (0.25, 0.0)
    assert maps.local == pytest.approx(0.75)


@given(
    rows=st.integers(1, 4), columns=st.integers(1, 4), prefix=st.integers(0, 2), seed=st.integers(0)
)
def test_displacements_and_shares_are_counted_by_hand(
    rows: int, columns: int, prefix: int, seed: int
) -> None:
    where = site((rows, columns), prefix)
    generator = torch.Generator().manual_seed(seed % 2**32)
    pattern = torch.rand(where.positions, where.positions, generator=generator).double()
    pattern /= pattern.sum(1, keepdim=True)
    sums: dict[tuple[int, int], list[float]] = {}
    own = near = first = 0.0
    patches = [(row, column) for row in range(rows) for column in range(columns)]
    for query, (row, column) in enumerate(patches, prefix):
        first += float(pattern[query, :prefix].sum())
        for key, (end, right) in enumerate(patches, prefix):
            value = float(pattern[query, key])
            sums.setdefault((end - row, right - column), []).append(value)
            own += value if query == key else 0
            near += value if query != key and max(abs(end - row), abs(right - column)) == 1 else 0
    maps = summarize(pattern, where, 0.0)
    assert maps.displacement.numel() == len(sums)
    for (down, right), values in sums.items():
        found = float(maps.displacement[rows - 1 + down, columns - 1 + right])
        assert found == pytest.approx(np.mean(values))
    shares = np.array([first, own, near]) / len(patches)
    assert [maps.prefix, maps.self_, maps.local] == pytest.approx(shares.tolist())


def test_displacement_of_a_uniform_pattern_is_uniform() -> None:
    found = displacement(torch.full((6, 6), 0.125), (2, 3))
    torch.testing.assert_close(found, torch.full((3, 5), 0.125).double())


def test_each_batch_runs_once_up_to_the_deepest_attention_and_leaves_no_trace() -> None:
    model = toy_vit()
    module = model.module
    heads = find_heads(model, "blocks.0-2.attn.qk:all")
    module.train()
    module.get_submodule("blocks.0.attn.qkv").requires_grad_(True)
    learning = [weight.requires_grad for weight in module.parameters()]
    passes: list[str] = []
    for path in ("blocks.1.attn", "blocks.1.mlp", "blocks.2.attn", "blocks.2.mlp"):
        part = module.get_submodule(path)
        part.register_forward_pre_hook(lambda *_, path=path: passes.append(path))
    hooks = [len(part._forward_pre_hooks) for part in module.modules()]
    random = torch.get_rng_state()
    mean_attention(model, heads, open_data("cueworld:4"), batch=2)
    # The input of the third attention is taken, and it does not run.
    assert passes == ["blocks.1.attn", "blocks.1.mlp", "blocks.2.attn"] * 2
    assert [len(part._forward_pre_hooks) for part in module.modules()] == hooks
    assert all(part.training for part in module.modules())
    assert [weight.requires_grad for weight in module.parameters()] == learning
    assert torch.equal(torch.get_rng_state(), random)


def test_maps_in_the_store_are_not_computed_again(tmp_path: Path) -> None:
    model, data = toy_vit(), open_data("cueworld:3")
    some, every = find_heads(model, "blocks.1.attn.qk:0"), find_heads(model)
    first = maps_to_store(model, some, data, tmp_path / "s")
    before = Store(tmp_path / "s").row("blocks.1.attn.qk:0", "attention")
    second = maps_to_store(model, every, data, tmp_path / "s")
    third = maps_to_store(model, every, data, tmp_path / "s")
    assert [(one.stored, one.done) for one in (first, second, third)] == [(1, 0), (7, 1), (0, 8)]
    store = Store(tmp_path / "s")
    assert store.addresses("attention") == list(map(str, every))
    found = mean_attention(model, every, data)
    for head in every:
        row = store.row(str(head), "attention")
        np.testing.assert_allclose(row["pattern"], found[head].pattern, rtol=1e-6)
        np.testing.assert_allclose(row["displacement"], found[head].displacement, rtol=1e-6)
        wanted = [found[head].prefix, found[head].self_, found[head].local, found[head].entropy]
        got = [row[name] for name in ("prefix", "self", "local", "entropy")]
        assert got == pytest.approx(wanted, rel=1e-6)
    assert np.array_equal(
        store.row("blocks.1.attn.qk:0", "attention")["pattern"], before["pattern"]
    )


@pytest.mark.parametrize("changed", [("cueworld:4", None), ("cueworld:3", 2)])
def test_a_store_of_other_data_is_refused(tmp_path: Path, changed: tuple[str, int | None]) -> None:
    model = toy_vit()
    heads = find_heads(model, "blocks.0.attn.qk:0")
    maps_to_store(model, heads, open_data("cueworld:3"), tmp_path / "s")
    with pytest.raises(FeatvizError, match="attention"):
        maps_to_store(model, heads, open_data(changed[0]), tmp_path / "s", changed[1])


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("blocks.0.mlp.fc1:0", "has no heads"),
        ("blocks.0.attn.qk_mode:0.1", "has no heads"),
        ("blocks.0.attn.qk:0@same", "remove @same"),
        ("blocks.0.attn.qk:2", "heads 0-1, not 2"),
        ("blocks.9.attn.qk:0", r"blocks\.9"),
        ("blocks.0.attn.qk", "is not an address"),
    ],
)
def test_a_selector_without_heads_is_refused_in_one_line(selector: str, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        find_heads(toy_vit(), selector)
    assert "\n" not in str(caught.value)


def test_heads_are_found_once_and_all_of_them_without_a_selector() -> None:
    model = toy_vit()
    found = find_heads(model, "blocks.1.attn.qk:1,0", "blocks.0-1.attn.qk:0")
    names = ["blocks.1.attn.qk:1", "blocks.1.attn.qk:0", "blocks.0.attn.qk:0"]
    assert list(map(str, found)) == names
    assert len(find_heads(model)) == 8


def test_nothing_is_suggested_for_a_uniform_head() -> None:
    where = site()
    pattern = np.full((13, 13), 1 / 13)
    shift = summarize(torch.from_numpy(pattern), where, 0.0).displacement.numpy()
    assert suggest(Head(where, 0), pattern, shift, True) == []
    assert strongest_displacement(shift, 13)[1] == pytest.approx(1)


def suggested(pattern: Tensor, where: Site, has_class_token: bool = True) -> dict[str, float]:
    shift = summarize(pattern, where, 0.0).displacement.numpy()
    found = suggest(Head(where, 1), pattern.numpy(), shift, has_class_token)
    return {str(one.unit): one.lift for one in found}


def test_a_head_that_looks_to_the_right_suggests_that_shift() -> None:
    found = suggested(one_to_the_right((3, 4), 1), site())
    # On average a quarter looks at the class token: 13 / 4 times what a uniform head gives it.
    assert found == {"blocks.0.attn.qk:1@shift.0.1": 13.0, "blocks.0.attn.qk:1@q4.kcls": 13.0}


def test_a_head_that_looks_at_itself_suggests_same() -> None:
    assert suggested(torch.eye(13).double(), site()) == {"blocks.0.attn.qk:1@same": 13.0}


@pytest.mark.parametrize(("has_class_token", "name"), [(True, "kcls"), (False, "k0")])
def test_a_head_that_looks_at_the_first_token_suggests_the_patch_that_does_most(
    has_class_token: bool, name: str
) -> None:
    pattern = torch.full((13, 13), 0.5 / 12).double()
    pattern[:, 0] = 0.5
    pattern[7] = 0.1 / 12
    pattern[7, 0] = 0.9
    found = suggested(pattern, site(), has_class_token)
    assert found == {f"blocks.0.attn.qk:1@q7.{name}": pytest.approx(0.9 * 13)}


def test_the_strongest_pair_is_suggested_unless_a_suggested_mean_includes_it() -> None:
    pattern = torch.full((13, 13), 1 / 13).double()
    pattern[3] = 0.8 / 12
    pattern[3, 9] = 0.2
    assert suggested(pattern, site()) == {"blocks.0.attn.qk:1@q3.k9": pytest.approx(2.6)}
    with_itself = pattern + torch.eye(13) * 0.3
    assert list(suggested(with_itself, site())) == ["blocks.0.attn.qk:1@same"]


def test_a_single_pair_at_a_corner_is_not_the_strongest_displacement() -> None:
    pattern = torch.full((12, 12), 1 / 12).double()
    pattern[0, 11] = 1.0
    shift = displacement(pattern, (3, 4)).numpy()
    assert shift[4, 6] == 1.0
    assert strongest_displacement(shift, 12)[1] == pytest.approx(1)
    assert strongest_displacement(np.pad([[1.0]], 1), 4) == (Shift(0, 0), 4.0)


def test_suggestions_are_units_of_the_model_in_descending_order() -> None:
    model = attention_model(TRAINED)
    heads = find_heads(model, "blocks.6.attn.qk:all")
    for head, maps in mean_attention(model, heads, open_data("cueworld:18")).items():
        found = suggest(head, maps.pattern.numpy(), maps.displacement.numpy(), True)
        lifts = [one.lift for one in found]
        assert lifts == sorted(lifts, reverse=True)
        assert min(lifts) >= MIN_LIFT
        assert units(model, *(str(one.unit) for one in found)) == [one.unit for one in found]


def test_patches_without_a_grid_are_refused() -> None:
    model = toy_vit()
    gridless = replace(model.sites["blocks.0.attn.qk"], grid=None)
    model.sites._found["blocks.0.attn.qk"] = gridless
    with pytest.raises(FeatvizError, match="no known grid"):
        find_heads(model, "blocks.0.attn.qk:0")
    assert len(find_heads(model)) == 6
