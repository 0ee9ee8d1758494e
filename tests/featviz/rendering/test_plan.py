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
from featviz.rendering.plan import batches_of, depth, plan_missing, take_turns
from tests.featviz.toys import toy_vit

MODEL = toy_vit()
MADE = make_recipe(MODEL, steps=1)
EVERYTHING = units(
    MODEL, "patch_embed:all", "blocks.all.mlp.fc1:0-9", "blocks.all.attn.qk:all@same"
)


def test_turns_by_hand() -> None:
    layers = [["a0", "a1", "a2"], ["b0"], ["c0", "c1"], ["d0", "d1"]]
    assert take_turns(layers) == ["c0", "b0", "d0", "a0", "c1", "d1", "a1", "a2"]


@given(st.lists(st.integers(0, 6), max_size=20))
def test_turns_lose_nothing_and_keep_the_order_within_a_layer(lengths: list[int]) -> None:
    layers = [[(layer, number) for number in range(many)] for layer, many in enumerate(lengths)]
    taken = take_turns(layers)
    assert sorted(taken) == sorted(itertools.chain(*layers))
    for layer in layers:
        assert [batch for batch in taken if batch in layer] == layer


@given(st.integers(1, 30), st.integers(1, 5), st.data())
def test_wherever_a_job_stops_layers_of_one_size_differ_by_one_batch(
    layers: int, each: int, data: st.DataObject
) -> None:
    taken = take_turns([[layer] * each for layer in range(layers)])
    stop = data.draw(st.integers(0, len(taken)))
    done = Counter(dict.fromkeys(range(layers), 0))
    done.update(taken[:stop])
    assert max(done.values()) - min(done.values()) <= 1


@pytest.mark.parametrize("layers", [2, 3, 5, 12, 37, 100])
def test_a_quarter_of_a_turn_costs_about_a_quarter_when_cost_grows_with_depth(layers: int) -> None:
    """In order of depth it would cost a sixteenth."""
    order = take_turns([[layer] for layer in range(layers)])
    for stop in range(-(-layers // 4), layers + 1):
        mean = sum(order[:stop]) / stop
        assert abs(mean - (layers - 1) / 2) <= layers / 6 + 0.5


def test_the_first_batches_of_a_job_are_of_all_its_layers() -> None:
    cut = batches_of(MODEL, EVERYTHING, MADE, 4)
    sites = len({sites_of(MODEL, unit) for unit in EVERYTHING})
    assert len({sites_of(MODEL, batch[0]) for batch in cut[:sites]}) == sites


def test_a_sum_stands_as_deep_as_its_deepest_part() -> None:
    both = units(MODEL, "blocks.0.mlp.fc1:1+blocks.2.mlp.fc1:2", "blocks.2.mlp.fc1:0")
    assert depth(MODEL, both[0]) == depth(MODEL, both[1]) > depth(MODEL, Unit("patch_embed", 0))


def test_the_engine_is_asked_about_the_deepest_unit_and_obeyed() -> None:
    asked: list[Unit] = []

    def size_of(_model: object, unit: Unit, _made: object) -> int:
        asked.append(unit)
        return 5

    cut = batches_of(MODEL, EVERYTHING, MADE, None, size_of)
    assert [depth(MODEL, unit) for unit in asked] == [max(depth(MODEL, u) for u in EVERYTHING)]
    assert max(map(len, cut)) == 5


def test_a_given_batch_needs_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "batch_size", lambda *_: pytest.fail("it was probed"))
    assert batches_of(MODEL, EVERYTHING[:3], MADE, 2)


@given(st.data())
def test_shards_cover_the_job_exactly_once_and_evenly(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(EVERYTHING), max_size=60))
    count, batch = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 8))
    first = data.draw(st.integers(0, 1))  # shards count from 0 or from 1
    there = data.draw(st.sets(st.sampled_from(EVERYTHING))) if chosen else set()
    names = frozenset(map(str, there))
    plans = [
        plan_missing(MODEL, chosen, MADE, names, batch, (number + first, count))
        for number in range(count)
    ]
    made = [str(unit) for one in plans for some in one.batches for unit in some]
    assert sorted(made) == sorted({str(unit) for unit in chosen} - names)
    mine = [one.done + sum(map(len, one.batches)) for one in plans]
    assert max(mine) - min(mine) <= 1
    assert all(len({sites_of(MODEL, unit) for unit in b}) == 1 for p in plans for b in p.batches)
