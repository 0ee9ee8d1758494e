from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of, units
from featviz.optimization.recipe import make_recipe
from featviz.rendering import plan as module
from featviz.rendering.plan import batches_of, depth, interleave, plan_missing
from tests.featviz.toys import toy_vit

MODEL = toy_vit()
RECIPE = make_recipe(MODEL, steps=1)
EVERYTHING = units(
    MODEL, "patch_embed:all", "blocks.all.mlp.fc1:0-9", "blocks.all.attn.qk:all@same"
)


def test_interleaving_agrees_with_an_example_by_hand() -> None:
    layers = [["a0", "a1", "a2"], ["b0"], ["c0", "c1"], ["d0", "d1"]]
    assert interleave(layers) == ["c0", "b0", "d0", "a0", "c1", "d1", "a1", "a2"]


@given(st.lists(st.integers(0, 6), max_size=20))
def test_interleaving_keeps_every_batch_and_the_order_within_a_layer(lengths: list[int]) -> None:
    layers = [[(layer, batch) for batch in range(size)] for layer, size in enumerate(lengths)]
    order = interleave(layers)
    assert sorted(order) == sorted(itertools.chain(*layers))
    for layer in layers:
        assert [batch for batch in order if batch in layer] == layer


@given(st.integers(1, 30), st.integers(1, 5), st.data())
def test_after_any_number_of_batches_layers_of_one_size_differ_by_at_most_one(
    layers: int, each: int, data: st.DataObject
) -> None:
    order = interleave([[layer] * each for layer in range(layers)])
    stop = data.draw(st.integers(0, len(order)))
    done = Counter(dict.fromkeys(range(layers), 0))
    done.update(order[:stop])
    assert max(done.values()) - min(done.values()) <= 1


@pytest.mark.parametrize("layers", [2, 3, 5, 12, 37, 100])
def test_after_a_quarter_of_the_layers_their_mean_depth_is_about_that_of_all(layers: int) -> None:
    """In order of depth, the first quarter would take only a sixteenth of the time."""
    order = interleave([[layer] for layer in range(layers)])
    for stop in range(-(-layers // 4), layers + 1):
        mean = sum(order[:stop]) / stop
        assert abs(mean - (layers - 1) / 2) <= layers / 6 + 0.5


def test_the_first_batches_of_a_job_cover_all_layers() -> None:
    cut = batches_of(MODEL, EVERYTHING, RECIPE, 4)
    sites = len({sites_of(MODEL, unit) for unit in EVERYTHING})
    assert len({sites_of(MODEL, batch[0]) for batch in cut[:sites]}) == sites


def test_a_sum_has_the_depth_of_its_deepest_part() -> None:
    both = units(MODEL, "blocks.0.mlp.fc1:1+blocks.2.mlp.fc1:2", "blocks.2.mlp.fc1:0")
    assert depth(MODEL, both[0]) == depth(MODEL, both[1]) > depth(MODEL, Unit("patch_embed", 0))


def test_the_batch_size_of_the_engine_for_the_deepest_unit_is_used() -> None:
    asked: list[Unit] = []

    def size_of(_model: object, unit: Unit, _recipe: object) -> int:
        asked.append(unit)
        return 5

    cut = batches_of(MODEL, EVERYTHING, RECIPE, None, size_of)
    assert [depth(MODEL, unit) for unit in asked] == [max(depth(MODEL, u) for u in EVERYTHING)]
    assert max(map(len, cut)) == 5


def test_a_given_batch_size_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "batch_size", lambda *_: pytest.fail("it was measured"))
    assert batches_of(MODEL, EVERYTHING[:3], RECIPE, 2)


@given(st.data())
def test_shards_split_the_job_evenly_without_overlap(data: st.DataObject) -> None:
    selected = data.draw(st.lists(st.sampled_from(EVERYTHING), max_size=60))
    count, batch = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 8))
    first = data.draw(st.integers(0, 1))  # shards count from 0 or from 1
    existing = data.draw(st.sets(st.sampled_from(EVERYTHING))) if selected else set()
    names = frozenset(map(str, existing))
    plans = [
        plan_missing(MODEL, selected, RECIPE, names, batch, (index + first, count))
        for index in range(count)
    ]
    planned = [str(unit) for plan in plans for batch in plan.batches for unit in batch]
    assert sorted(planned) == sorted({str(unit) for unit in selected} - names)
    sizes = [plan.done + sum(map(len, plan.batches)) for plan in plans]
    assert max(sizes) - min(sizes) <= 1
    assert all(len({sites_of(MODEL, unit) for unit in b}) == 1 for p in plans for b in p.batches)
