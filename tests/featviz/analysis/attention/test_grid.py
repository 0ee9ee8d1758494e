"""Grids: every pair is rendered once, and drawn in its cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import featviz
from featviz.analysis.attention import grid as module
from featviz.analysis.attention.figure import (
    BACKGROUND,
    CELL,
    INK,
    KEY,
    QUERY,
    Pictures,
    TokenLayout,
    draw_grid,
)
from featviz.analysis.attention.grid import Grid, find_grids, grids_to_store
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering.job import render_to_store
from featviz.store.reader import Store
from tests.featviz.toys import toy_vit

SELECTOR = "blocks.1.attn.qk:all@q1,2.k2,3,4"
GRAYS = np.arange(30, 36)
"""Gray levels that only pictures have."""


def fast(model: VisionModel, **changes: Any) -> Recipe:
    return make_recipe(model, **{"steps": 2, "size": 16} | changes)


def figure(
    queries: tuple[int, ...] = (1, 2),
    keys: tuple[int, ...] = (2, 3, 4),
    tokens: TokenLayout = TokenLayout((2, 2), 1, True),  # noqa: B008
    side: int = 128,
    title: str = "a head",
) -> Pictures:
    """Draw plain pictures, one gray each, from 30 up."""
    count = len(queries) * len(keys)
    grays = np.arange(30, 30 + count, dtype=np.uint8).reshape(len(queries), len(keys), 1, 1, 1)
    pictures = np.broadcast_to(grays, (len(queries), len(keys), side, side, 3))
    values = np.arange(count, dtype=np.float32).reshape(len(queries), len(keys))
    return draw_grid(title, tokens, queries, keys, pictures, values)


def box(image: Pictures, color: Any) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of all pixels of a color."""
    there = np.argwhere((image == np.array(color)).all(2))
    return (*map(int, there.min(0)), *map(int, there.max(0)))  # type: ignore[return-value]


@pytest.mark.parametrize(("side", "tile"), [(128, 128), (224, 224), (16, 128), (50, 150)])
def test_every_picture_is_whole_in_its_row_and_column(side: int, tile: int) -> None:
    image = figure(side=side)
    boxes = [box(image, (gray,) * 3) for gray in GRAYS]
    for top, left, bottom, right in boxes:
        assert (bottom - top + 1, right - left + 1) == (tile, tile)
        inside = image[top : bottom + 1, left : right + 1]
        assert (inside == inside[0, 0]).all()
    tops, lefts = [top for top, *_ in boxes], [left for _, left, *_ in boxes]
    assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4] == tops[5]
    assert lefts[:3] == lefts[3:] == sorted(set(lefts))


def test_only_the_pair_of_equal_tokens_has_a_frame() -> None:
    image = figure(queries=(1, 2), keys=(2, 3, 4))
    framed = []
    for gray in GRAYS:
        top, left, bottom, right = box(image, (gray,) * 3)
        around = [image[top - 5, left:right], image[bottom + 5, left:right]]
        around += [image[top:bottom, left - 5], image[top:bottom, right + 5]]
        framed.append(all((edge == np.array(INK)).all() for edge in around))
    assert framed == [False, False, False, True, False, False]


def below(image: Pictures, gray: int) -> Pictures:
    """The area under a picture, its right half."""
    _, left, bottom, right = box(image, (gray,) * 3)
    return image[bottom + 7 : bottom + 62, (left + right) // 2 : right + 1]


def test_the_map_shows_where_query_and_key_are() -> None:
    # Tokens 1 and 2 are the upper patches of a grid of 2 x 2, 3 and 4 the lower ones.
    image = figure(queries=(1,), keys=(2, 3, 4))
    for gray, (down, right) in zip((30, 31, 32), ((0, 1), (1, 0), (1, 1)), strict=True):
        part = below(image, gray)
        query, key = box(part, QUERY), box(part, KEY)
        assert np.sign([key[0] - query[0], key[1] - query[1]]).tolist() == [down, right]
        for one in (query, key):
            area = (one[2] - one[0] + 1) * (one[3] - one[1] + 1)
            color = part[one[0], one[1]]
            assert (part == color).all(2).sum() == area


def test_a_token_that_is_query_and_key_has_both_colors_in_one_place() -> None:
    part = below(figure(queries=(2,), keys=(2,)), 30)
    assert box(part, QUERY)[:2] == box(part, KEY)[:2] or box(part, KEY)[2:] == box(part, QUERY)[2:]
    counts = [int((part == np.array(color)).all(2).sum()) for color in (QUERY, KEY)]
    assert 0.5 < counts[0] / counts[1] < 2


def test_the_class_token_is_above_the_patches_of_a_map() -> None:
    part = below(figure(queries=(0,), keys=(1, 4)), 30)
    patches, query, key = box(part, CELL), box(part, QUERY), box(part, KEY)
    assert query[2] < min(patches[0], key[0])
    assert key[2] > query[2]


def test_a_long_title_fits() -> None:
    image = figure(queries=(1,), keys=(2,), title="a title that is long " * 6)
    short = figure(queries=(1,), keys=(2,))
    assert image.shape[1] > short.shape[1]
    # The last columns are margin.
    assert (image[:, -15:] == np.array(BACKGROUND)).all()


def test_rows_and_columns_are_labeled_apart() -> None:
    image = figure()
    top, left, _, right = box(image, (30,) * 3)
    labels = image[top - 30 : top - 7, left:right], image[top : top + 128, : left - 6]
    for part, color in zip(labels, (KEY, QUERY), strict=True):
        assert (part == np.array(color)).all(2).any()
    names = [TokenLayout((2, 2), 1, True).name(*one) for one in (("q", 0), ("k", 3))]
    assert names == ["qcls", "k3"]
    assert TokenLayout((2, 2), 1, False).name("q", 0) == "q0"


def test_a_grid_is_its_pairs_in_reading_order_for_each_head() -> None:
    model = toy_vit()
    found = find_grids(model, SELECTOR, "blocks.2.attn.qk:0@q1-2.k2-4", SELECTOR)
    assert list(map(str, found)) == [
        "blocks.1.attn.qk:0@q1,2.k2,3,4",
        "blocks.1.attn.qk:1@q1,2.k2,3,4",
        "blocks.2.attn.qk:0@q1,2.k2,3,4",
    ]
    assert found[1].units == featviz.units(model, "blocks.1.attn.qk:1@q1,2.k2-4")


def test_the_class_token_is_token_0_of_a_grid() -> None:
    (found,) = find_grids(toy_vit(), "blocks.1.attn.qk:0@qcls.k0,1")
    assert (found.queries, found.keys) == ((0,), (0, 1))


@pytest.mark.parametrize(
    "selector", ["blocks.1.attn.qk:0@same", "blocks.1.attn.qk_mode:0.1", "blocks.1.mlp.fc1:3@2"]
)
def test_a_selector_without_token_pairs_is_refused(selector: str) -> None:
    with pytest.raises(FeatvizError, match="names no token pairs"):
        find_grids(toy_vit(), selector)


def test_grids_with_different_tokens_are_refused_together() -> None:
    with pytest.raises(FeatvizError, match="same queries and keys"):
        find_grids(toy_vit(), SELECTOR, "blocks.1.attn.qk:0@q1.k2,3,4")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two grids; not to be changed."""
    model, store = toy_vit(), tmp_path_factory.mktemp("grids") / "s"
    summary = grids_to_store(model, find_grids(model, SELECTOR), fast(model, samples=2), store)
    assert (summary.stored, summary.done, summary.failures) == (2, 0, {})
    return store


def test_a_figure_shows_the_best_sample_of_every_stored_pair(drawn: Path) -> None:
    store = Store(drawn)
    assert store.addresses("grids") == [f"blocks.1.attn.qk:{n}@q1,2.k2,3,4" for n in (0, 1)]
    assert len(store) == 12
    for number, row in enumerate(store.rows("grids")):
        assert (row["queries"].tolist(), row["keys"].tolist()) == ([1, 2], [2, 3, 4])
        pictures = np.zeros((2, 3, 16, 16, 3), np.uint8)
        for place in np.ndindex(2, 3):
            query, key = row["queries"][place[0]], row["keys"][place[1]]
            pair = store.row(f"blocks.1.attn.qk:{number}@q{query}.k{key}")
            assert row["activation"][place] == pair["activation"].max()
            pictures[place] = pair["images"][pair["activation"].argmax()]
        right = draw_grid(
            f"toy  blocks.1.attn.qk:{number}",
            TokenLayout((2, 2), 1, True),
            [1, 2],
            [2, 3, 4],
            pictures,
            row["activation"],
        )
        assert np.array_equal(row["figure"], right)
    assert store.verify() == []


def test_the_configuration_is_the_recipe_and_the_tokens(drawn: Path) -> None:
    model = toy_vit()
    made = fast(model, samples=2).to_json()
    configuration = Store(drawn).configuration
    assert configuration["renders"] == made
    assert configuration["grids"] == made | {"queries": [1, 2], "keys": [2, 3, 4]}


def test_figures_in_the_store_are_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy_vit()
    made, grids = fast(model), find_grids(model, SELECTOR)
    totals: list[int] = []
    one = grids_to_store(model, grids[:1], made, tmp_path / "s")
    both = grids_to_store(
        model, grids, made, tmp_path / "s", progress=lambda _, total: totals.append(total)
    )
    assert set(totals) == {6}

    def refuse(*_: object) -> Pictures:
        raise AssertionError("nothing is left to draw")

    monkeypatch.setattr(module, "draw_grid", refuse)
    again = grids_to_store(model, grids, made, tmp_path / "s")
    assert [(each.stored, each.done) for each in (one, both, again)] == [(1, 0), (1, 1), (0, 2)]


def test_pictures_that_were_rendered_before_are_used(tmp_path: Path) -> None:
    model = toy_vit()
    made, (grid, _) = fast(model), find_grids(model, SELECTOR)
    render_to_store(model, grid.units[:5], made, tmp_path / "s")
    totals: list[int] = []
    grids_to_store(
        model, [grid], made, tmp_path / "s", progress=lambda _, total: totals.append(total)
    )
    assert set(totals) == {1}


def test_a_grid_with_a_failed_pair_is_not_drawn_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy_vit()
    made, grids = fast(model), find_grids(model, SELECTOR)

    def failing(_model: Any, units: Any, *rest: Any, **named: Any) -> Any:
        summary = render_to_store(model, units[1:], *rest, **named)
        summary.failures[str(units[0])] = "it blew up"
        return summary

    with monkeypatch.context() as patch:
        patch.setattr(module, "render_to_store", failing)
        summary = grids_to_store(model, grids, made, tmp_path / "s")
    assert (summary.stored, summary.failures) == (1, {"blocks.1.attn.qk:0@q1.k2": "it blew up"})
    again = grids_to_store(model, grids, made, tmp_path / "s")
    assert (again.stored, again.done, again.failures) == (1, 1, {})


def test_other_tokens_are_refused_and_set_aside_with_force(drawn: Path, tmp_path: Path) -> None:
    model = toy_vit()
    made, store = fast(model), tmp_path / "s"
    (first,) = find_grids(model, "blocks.1.attn.qk:0@q1.k1")
    (second,) = find_grids(model, "blocks.1.attn.qk:0@q1.k2")
    grids_to_store(model, [first], made, store)
    with pytest.raises(FeatvizError, match="grids"):
        grids_to_store(model, [second], made, store)
    assert Store(store).addresses("grids") == [str(first)]
    grids_to_store(model, [second], made, store, force=True)
    other = fast(model, seed=1)
    grids_to_store(model, [second], other, store, force=True)
    kept = [Store(path).addresses("grids") for path in (f"{store}.1", f"{store}.2", store)]
    assert kept == [[str(first)], [str(second)], [str(second)]]
    assert Store(store).configuration["grids"]["seed"] == 1


def test_an_address_of_a_grid_is_a_selector_of_its_pairs() -> None:
    model = toy_vit()
    for grid in find_grids(model, SELECTOR):
        assert isinstance(grid, Grid)
        assert featviz.units(model, str(grid)) == grid.units
