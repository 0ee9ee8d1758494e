"""What an export writes of each kind of result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gallery
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from gallery.build.colors import UNKNOWN, clip_value, colormap, heat_map
from gallery.sections.filters import position_sheet
from gallery.sections.gradients import overlay
from gallery.sections.tokens import patch_map
from tests.gallery import results
from tests.gallery.made_stores import picture, write_store
from tests.gallery.results import write_everything, write_results
from tests.gallery.test_exporter import data, units

NEURONS = ["blocks.2.mlp.fc1:3", "blocks.10.mlp.fc1:3"]


def shown(folder: Path, figure: list[Any], model: int = 1) -> NDArray[np.uint8]:
    """Read a figure, and check the size that the data tells."""
    number, width, height = figure
    with Image.open(folder / f"data-1/{model}/figures/{number}.webp") as image:
        assert image.size == (width, height)
        return np.asarray(image)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("everything")
    other = write_store(
        folder / "other",
        ["patch_embed:9", "patch_embed:8"],
        model=results.OTHER["model"],
        fingerprint=results.OTHER["fingerprint"],
    )
    stores = [
        write_everything(folder / "all", NEURONS),
        write_store(folder / "units", NEURONS),
        other,
    ]
    gallery.export(stores, folder / "site")
    return folder / "site"


def test_the_index_counts_every_kind(site: Path) -> None:
    first, second = data(site, "models")
    wanted = {"filters": 24, "attention": 6, "grids": 2, "gradients": 2, "tokens": 2, "compare": 2}
    wanted["traces"] = 3
    assert dict(first["sections"]) == wanted
    assert dict(data(site, "1/model")["sections"]) == wanted
    assert second["sections"] == []


def test_filters_come_by_class_and_in_each_in_the_display_order(site: Path) -> None:
    (block,) = data(site, "1/sections/filters")["filters"]
    columns = results.filters(results.FILTERS)
    classes = dict(zip(columns["address"], columns["class"], strict=True))
    rank = dict(zip(columns["address"], columns["order"], strict=True))
    found = {name: [row[0] for row in rows] for name, rows in block["classes"]}
    assert [len(rows) for rows in found.values()] == [14, 6, 4]
    for name, addresses in found.items():
        assert {classes[address] for address in addresses} == {name}
        assert [rank[a] for a in addresses] == sorted(rank[a] for a in addresses)
    for row in block["classes"][0][1]:
        number = results.FILTERS.index(row[0])
        assert np.array_equal(shown(site, row[1]), columns["images"][number])
        assert row[3][0] == pytest.approx(columns["energy"][number], rel=5e-4)


def test_classes_come_in_the_order_of_the_docs_and_unknown_ones_after_them(tmp_path: Path) -> None:
    columns = results.filters(["f:0", "f:1", "f:2", "f:3"])
    columns["class"] = ["very dark", "striped", "very dark", "regular"]
    gallery.export([write_results(tmp_path / "a", "filters", columns)], tmp_path / "site")
    (block,) = data(tmp_path / "site", "1/sections/filters")["filters"]
    wanted = [("regular", 1), ("very dark", 2), ("striped", 1)]
    assert [(name, len(rows)) for name, rows in block["classes"]] == wanted


def test_components_keep_their_order_and_tell_their_share(site: Path) -> None:
    (block,) = data(site, "1/sections/filters")["components"]
    assert [row[0] for row in block["rows"]] == [f"patch_embed.pca:{i}" for i in range(6)]
    assert [row[2] for row in block["rows"]] == [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.01562]


def test_position_maps_are_arranged_by_patch_on_one_scale(site: Path) -> None:
    (block,) = data(site, "1/sections/filters")["positions"]
    figure, low, high = block["map"]
    sheet = shown(site, figure)
    assert sheet.shape == (19, 19, 4)
    maps = results.positions([f"p:{i}" for i in range(16)])["similarity"]
    assert (low, high) == (pytest.approx(maps.min(), rel=1e-3), 1)
    # Patch 6 is in row 1, column 2; each map is 4 pixels wide, and 1 is between them.
    assert np.array_equal(sheet[5:9, 10:14, :3], heat_map(maps[6], float(maps.min()), 1))
    assert (sheet[5:9, 10:14, 3] == 255).all()
    assert (sheet[4] == 0).all()


@pytest.mark.parametrize("suffixes", [["2", "0"], ["x", "y"], ["9", "0"], ["0", "00"]])
def test_maps_without_patch_indices_are_in_order(suffixes: list[str]) -> None:
    maps = [np.full((2, 2), value, np.float32) for value in (1.0, 0.0)]
    sheet = position_sheet([f"pos_embed:{suffix}" for suffix in suffixes], maps, 0, 1)
    position = 2 if suffixes[0] == "2" else 0
    top, left = position // 2 * 3, position % 2 * 3
    assert (sheet[top, left, :3] == colormap()[255]).all()
    assert sheet[..., 3].astype(bool).sum() == 8


def test_more_maps_than_patches_are_refused() -> None:
    with pytest.raises(FeatvizError, match="pos_embed:0 cannot be shown"):
        position_sheet(["pos_embed:0"] * 2, [np.zeros((1, 1), np.float32)] * 2, 0, 1)


def test_heads_come_by_layer_with_a_pixel_a_pair_and_a_scale_from_zero(site: Path) -> None:
    (block,) = data(site, "1/sections/attention")["attention"]
    columns = results.attention(results.HEADS)
    assert [site_ for site_, _ in block["sites"]] == ["blocks.0.attn.qk", "blocks.2.attn.qk"]
    for _, heads in block["sites"]:
        for address, displacement, pattern, parts, entropy, most in heads:
            number = results.HEADS.index(address)
            values = columns["displacement"][number]
            figure, low, high = displacement
            assert (low, high) == (0, pytest.approx(values.max(), rel=5e-4))
            assert np.array_equal(shown(site, figure), heat_map(values, 0, float(values.max())))
            # Of 289 pairs three lie beyond the 99th percentile, and have the lightest color.
            values = columns["pattern"][number]
            figure, low, high, highest = pattern
            assert (low, highest) == (0, pytest.approx(values.max(), rel=5e-4))
            assert (values > high).sum() == 3
            lightest = (shown(site, figure) == colormap()[255]).all(axis=2)
            assert (lightest >= (values > high)).all()
            assert lightest.sum() <= 4
            assert parts[2] == pytest.approx(columns["local"][number], rel=5e-4)
            assert entropy == pytest.approx(columns["entropy"][number], rel=5e-4)
            assert most == pytest.approx(np.log(17), rel=5e-4)


def test_grids_are_shown_as_stored_with_the_value_of_each_pair(site: Path) -> None:
    (block,) = data(site, "1/sections/grids")["grids"]
    ((layer, rows),) = block["sites"]
    assert layer == "blocks.0.attn.qk"
    for address, queries, keys, activation, layout in rows:
        assert layout is None  # as in stores of older versions
        assert (queries, keys) == ([3, 7], [1, 12, 16])
        wanted = results.values([address], 2, 3)[0]
        assert np.allclose(activation, wanted, rtol=5e-4)


def test_figures_of_effects_are_shown_as_stored(site: Path) -> None:
    (block,) = data(site, "1/sections/traces")["figures"]
    found = {address: figure for _, rows in block["sites"] for address, figure in rows}
    assert list(found) == results.FIGURES
    for address, figure in found.items():
        assert np.array_equal(shown(site, figure), picture(address, 0).repeat(40, 1))


def test_gradients_share_their_images_and_lie_over_them(site: Path) -> None:
    (block,) = data(site, "1/sections/gradients")["gradients"]
    units = {row[0]: row[1] for _, rows in block["sites"] for row in rows}
    assert sorted(units) == ["blocks.0.attn.qk:1@same", results.LOGIT]
    images = [[sample[0] for sample in samples] for samples in units.values()]
    assert images[0] == images[1]
    assert np.array_equal(shown(site, images[0][1]), picture("photo", 1))
    wanted = results.blobs([results.LOGIT], 3)[0] * np.float32(0.02)
    figure, high, highest = units[results.LOGIT][1][1]
    assert high == pytest.approx(np.quantile(wanted[1], 0.99), rel=5e-4)
    assert highest == pytest.approx(wanted[1].max(), rel=5e-4)
    covered = overlay(picture("photo", 1), wanted[1], clip_value(wanted[1]))
    assert np.array_equal(shown(site, figure), covered)


def test_an_overlay_is_dim_and_gray_at_zero_and_the_lightest_color_at_its_end() -> None:
    image = np.full((1, 3, 3), (255, 0, 0), np.uint8)
    dim = round(0.4 * 0.299 * 255)
    covered = overlay(image, np.array([[0.0, 3.0, np.nan]], np.float32), 3)
    assert covered.tolist() == [[[dim] * 3, colormap()[255].tolist(), [dim] * 3]]
    assert (overlay(image, np.zeros((1, 3), np.float32), 0) == dim).all()


def test_token_maps_show_the_share_that_was_reached_at_each_patch(site: Path) -> None:
    (block,) = data(site, "1/sections/tokens")["tokens"]
    rows = {row[0]: row for _, rows in block["sites"] for row in rows}
    assert list(rows) == NEURONS
    columns = results.tokens(NEURONS)
    for number, unit in enumerate(NEURONS):
        _, (figure, low, high), median, likeness, count, detail = rows[unit]
        share = columns["reached"][number] / columns["optimum"][number]
        assert (low, high, count) == (0, 1, 4)
        assert median == pytest.approx(np.median(share), rel=1e-3)
        assert likeness == pytest.approx(np.median(columns["similarity"][number]), rel=1e-3)
        pixels = shown(site, figure)
        # Token 7 is patch 6, in row 1 and column 2.
        assert np.array_equal(pixels[1, 2], heat_map(share[2], 0, 1))
        assert (pixels[3, 0] == UNKNOWN).all()
        tokens, optimum, reached, shown_share, _ = data(site, "1/tokens/0")[detail]
        assert tokens == [1, 2, 7, 16]
        assert np.allclose(shown_share, np.divide(reached, optimum), rtol=2e-3)


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"grid": [2]},
        {"grid": "ab"},
        {"grid": [0, 4]},
        {"grid": [1 << 20, 2]},
        {"grid": [2, 2], "prefix": "1"},
    ],
)
def test_without_a_valid_grid_the_tokens_are_one_row(configuration: dict[str, Any]) -> None:
    values = np.array([0.5, 0.25, 1.0])
    assert patch_map(np.array([1, 2, 9], np.int32), values, configuration).tolist() == [
        values.tolist()
    ]


def test_a_token_that_is_no_patch_is_left_out_of_the_map() -> None:
    tokens = np.array([0, 1, 4, 99], np.int32)
    placed = patch_map(tokens, np.array([9.0, 0.1, 0.4, 9.0]), {"grid": [2, 2], "prefix": 1})
    assert np.array_equal(placed, [[0.1, np.nan], [np.nan, 0.4]], equal_nan=True)


def test_layers_are_compared_in_forward_order_under_the_other_models_names(site: Path) -> None:
    (block,) = data(site, "1/sections/compare")["cka"]
    assert block["rows"] == ["blocks.0", "blocks.1", "blocks.2", "blocks.10"]
    assert block["columns"] == results.LAYERS
    assert block["other"] == "cueworld/mixer"
    wanted = results.values(block["rows"], 3)
    assert np.allclose(block["values"], wanted, atol=5e-4)
    assert np.array_equal(shown(site, block["map"][0]), heat_map(wanted, 0, 1))
    assert block["map"][1:] == [0, 1]


def test_a_match_links_to_the_other_models_page_if_its_unit_is_shown_there(site: Path) -> None:
    (block,) = data(site, "1/sections/compare")["matches"]
    rows = {row[0]: row for _, rows in block["sites"] for row in rows}
    assert block["page"] == data(site, "models")[1]["page"]
    assert {unit: (row[1], row[-1]) for unit, row in rows.items()} == {
        NEURONS[0]: ("layer.2.mlp.fc1:3", False),
        NEURONS[1]: ("patch_embed:9", True),
    }
    sides = rows[NEURONS[0]][3]
    for side in range(2):
        assert np.array_equal(shown(site, sides[side]), picture(NEURONS[0], side))


@pytest.mark.parametrize("other", [None, "a name", {"model": 3}, {}, ["x"]])
def test_a_comparison_with_a_model_that_is_not_there_links_nowhere(
    other: object, tmp_path: Path
) -> None:
    layers: object = 5 if other is None else results.LAYERS[:2]
    configuration = {"other": other, "layers": layers}
    store = write_results(tmp_path / "a", "cka", results.cka(["blocks.0"]), configuration)
    gallery.export([store], tmp_path / "site")
    (block,) = data(tmp_path / "site", "1/sections/compare")["cka"]
    assert block["page"] is None
    # What does not name each layer is not taken for their names.
    assert block["columns"] == ["0", "1", "2"]


def test_a_logit_of_two_images_has_both_sides_of_every_sample(site: Path) -> None:
    page = data(site, "1/model")
    ((group, row, samples, _),) = units(site)[results.LOGIT]
    assert (samples, page["groups"][group]["sides"]) == (2, 2)
    for sample in range(2):
        for side in range(2):
            path = site / f"data-1/1/pictures/{row}-{sample}-{side}.webp"
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            assert np.array_equal(pixels, picture(results.LOGIT, 2 * sample + side))
    command = data(site, "1/details/0")[row][0]
    assert command.endswith(" --split-qk")
    assert data(site, "models")[0]["pictures"] == 2 * 2 * 2 + len(NEURONS)


def test_groups_of_single_images_and_of_pairs_have_different_labels(site: Path) -> None:
    labels = [(group["label"], group["sides"]) for group in data(site, "1/model")["groups"]]
    assert sorted(labels) == [("one image", 1), ("query and key images", 2)]


def test_three_sides_are_refused_by_name(tmp_path: Path) -> None:
    columns = results.sides([results.LOGIT])
    columns["images"] = columns["images"][:, :, [0, 1, 0]]
    store = write_results(tmp_path / "a", "sides", columns)
    with pytest.raises(FeatvizError, match=r"blocks.2.attn.qk:0@q3.k12 .* 3 sides, not 2"):
        gallery.export([store], tmp_path / "site")


def test_a_unit_is_linked_to_every_result_that_speaks_of_it(tmp_path: Path) -> None:
    names = [*NEURONS, f"{NEURONS[0]}@7", "patch_embed:3@2", results.LOGIT, "head:0"]
    names += ["blocks.0.attn.qk:0@same"]
    stores = [write_everything(tmp_path / "all", NEURONS), write_store(tmp_path / "units", names)]
    gallery.export(stores, tmp_path / "site")
    found = {}
    for unit, [[_, row, *_], *_] in units(tmp_path / "site").items():
        found[unit] = data(tmp_path / "site", f"1/details/{row // 32}")[row % 32][4]
    neuron = [["tokens", NEURONS[0]], ["compare", NEURONS[0]]]
    assert {unit: found[unit] for unit in names} == {
        NEURONS[0]: neuron,
        f"{NEURONS[0]}@7": neuron,
        NEURONS[1]: [["tokens", NEURONS[1]], ["compare", NEURONS[1]]],
        "patch_embed:3@2": [["filters", "patch_embed:3"]],
        results.LOGIT: [["attention", "blocks.2.attn.qk:0"], ["gradients", results.LOGIT]],
        "blocks.0.attn.qk:0@same": [
            ["attention", "blocks.0.attn.qk:0"],
            ["grids", "blocks.0.attn.qk:0@q3,7.k1,12,16"],
        ],
        "head:0": [],
    }


@pytest.mark.parametrize("kind", ["filters", "components", "positions", "cka", "attention"])
def test_a_store_of_one_kind_without_any_render_makes_a_gallery(kind: str, tmp_path: Path) -> None:
    addresses = [f"blocks.{i}:{i}" for i in range(16)]
    columns = getattr(results, kind)(addresses)
    gallery.export([write_results(tmp_path / "a", kind, columns)], tmp_path / "site")
    (card,) = data(tmp_path / "site", "models")
    ((_, count),) = card["sections"]
    assert (card["units"], count) == (0, 16)
    for path, _, _ in card["strip"]:
        assert path.startswith("figures/")
        assert (tmp_path / f"site/data-1/1/{path}.webp").exists()


def test_two_configurations_of_a_kind_are_two_labeled_blocks(tmp_path: Path) -> None:
    stores = [
        write_results(tmp_path / name, "attention", results.attention([head]), {"data": name})
        for name, head in (("a", results.HEADS[0]), ("b", results.HEADS[0]))
    ]
    gallery.export(stores, tmp_path / "site")
    blocks = data(tmp_path / "site", "1/sections/attention")["attention"]
    assert [block["label"] for block in blocks] == ["data a", "data b"]


def test_parts_of_one_job_are_one_block_in_which_a_row_counts_once(tmp_path: Path) -> None:
    stores = [
        write_results(tmp_path / name, "attention", results.attention(heads))
        for name, heads in (("a", results.HEADS[3:]), ("b", results.HEADS[::-1]))
    ]
    gallery.export(stores, tmp_path / "site")
    (block,) = data(tmp_path / "site", "1/sections/attention")["attention"]
    assert [row[0] for _, rows in block["sites"] for row in rows] == results.HEADS
    assert data(tmp_path / "site", "models")[0]["sections"] == [["attention", 6]]


def test_a_packed_store_gives_the_same_gallery(tmp_path: Path) -> None:
    store = write_everything(tmp_path / "a", NEURONS)
    pack(store, tmp_path / "a.h5")
    gallery.export([store], tmp_path / "one")
    gallery.export([tmp_path / "a.h5"], tmp_path / "other")

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            # Cache keys of the rows are written for the next export.
            if path.is_file() and path.name not in {"reuse.json", "rows.npy"}
        }

    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_the_index_shows_at_most_96_filters_evenly_spaced_in_their_order(tmp_path: Path) -> None:
    addresses = [f"conv1:{i}" for i in range(200)]
    store = write_results(tmp_path / "a", "filters", results.filters(addresses))
    gallery.export([store], tmp_path / "site")
    summary = data(tmp_path / "site", "models")[0]["filters"]
    assert summary["count"] == 200
    assert sum(size for _, size in summary["classes"]) == 200
    # The display order of the made-up filters runs backwards.
    ranks = [199 - addresses.index(address) for address, *_ in summary["shown"]]
    assert ranks == [i * 200 // 96 for i in range(96)]


def test_no_two_figures_have_the_same_content_and_all_are_referred_to(site: Path) -> None:
    files = [path.read_bytes() for path in (site / "data-1/1/figures").iterdir()]
    assert len(set(files)) == len(files)
    text = json.dumps([data(site, f"1/sections/{name}") for name in _names(site)])
    assert all(f"[{number}, " in text for number in range(len(files)))


def _names(site: Path) -> list[str]:
    return [name for name, _ in data(site, "models")[0]["sections"]]
