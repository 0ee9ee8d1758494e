"""Charts of activation patching and token grids in a real browser, against sweeps made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import gallery
from tests.gallery import results
from tests.gallery.browsing import box_of, eventually, fits, open_page, violations
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results, write_sweep

DOT = "\u00a0\u00b7 "
UNITS = ["blocks.0.attn.qk:1@same", "blocks.2.mlp.fc1:3", "blocks.2.attn.qk:0@q3.k12"]
GRID = "blocks.2.attn.qk:0@q3,12.k1,12"
UNKNOWN = float("nan")


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patching")
    layers = [(layer, "all", "all", 1) for layer in (0, 1, 2)]
    heads = [(layer, head, "all", 1) for layer in (0, 2) for head in ("0", "1", "2")]
    tokens = [(1, "all", str(token), 1) for token in (0, 1, 2, 4)]
    layout = {
        "address": [GRID],
        "grid": np.array([[4, 4]], np.int32),
        "prefix": np.array([1], np.int32),
    }
    grid = results.grids([GRID]) | {
        "queries": np.array([[3, 12]], np.int32),
        "keys": np.array([[1, 12]], np.int32),
        "activation": np.array([[[0.5, 1.5], [2.5, -3.5]]], np.float32),
    }
    write_results(folder / "grids", "grids", grid, {"steps": 2})
    sites = ["patch_embed", "blocks.0.attn.qk", "blocks.2.attn.qk", "blocks.2.mlp.fc1"]
    stores = [
        write_sweep(
            folder / "layers",
            layers,
            {
                "all:probability": [0.5, -0.25, 1.0],
                "all:kl": [4.0, 5.0, 6.0],
                "family.colour:probability": [0.75, 0.0, 0.25],
                "difference.left minus right:probability": [-0.5, 0.0, 0.25],
            },
            [0.5, UNKNOWN, 1.0],
        ),
        write_sweep(
            folder / "heads",
            heads,
            {"all:probability": [0.5, -0.5, 0, 0.25, 0.125, UNKNOWN]},
            site="z",
            by="head",
            heads="0-2",
            mode="noising",
        ),
        write_sweep(
            folder / "tokens",
            tokens,
            {"all:probability": [0.5, 0.25, -0.5, 0.125]},
            grid=(2, 2),
            site="resid_post",
            by="token",
        ),
        write_results(folder / "grids", "grid_layouts", layout, {"steps": 2}),
        write_results(folder / "maps", "attention", results.attention(["blocks.2.attn.qk:2"])),
        write_store(folder / "units", UNITS, sites=sites),
    ]
    gallery.export(stores, folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


def sweep(page: Page, by: str) -> Locator:
    return page.locator(".sweep").filter(has=page.get_by_role("heading", name=f"by {by}"))


def hover_cell(page: Page, chart: Locator, row: int, column: int, size: tuple[int, int]) -> None:
    """Point at the middle of a cell of a heat map of `size` rows and columns."""
    chart.scroll_into_view_if_needed()
    boxes = [box_of(path) for path in chart.locator("path").all()]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    page.mouse.move(
        left + (column + 0.5) * (right - left) / size[1],
        top + (row + 0.5) * (bottom - top) / size[0],
    )


def test_the_text_says_what_was_patched_and_over_which_images(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces")
    first = sweep(page, "layer")
    expect(first.locator("p").first).to_have_text(
        "Denoising: attention outputs of the clean run are patched into the run on grayscale "
        "images, one layer at a time."
    )
    expect(sweep(page, "head").locator("p").first).to_have_text(
        "Noising: outputs of attention heads (heads 0-2) of the run on grayscale images are "
        "patched into the clean run, one head at a time."
    )
    expect(first.locator(".summary")).to_contain_text(
        "Mean over 30\u00a0images of cueworld:120 that the clean run classifies correctly"
    )
    expect(first.locator(".summary")).to_contain_text(
        "Probability of the label: 1.25 clean, 0.25 corrupted; total effect 1 (0.9 to 1.1)."
    )


def test_the_keyboard_reads_effect_interval_and_share_of_each_layer(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#traces")
    first = sweep(page, "layer")
    readout = first.locator("output").first
    first.locator(":scope > div > .chart [role=application]").press("ArrowLeft")
    expect(readout).to_have_text(f"layer 0{DOT}0.5 (0.4 to 0.6), share 50.0\u00a0%")
    page.keyboard.press("ArrowRight")
    expect(readout).to_have_text(
        f"layer 1{DOT}\u22120.25 (\u22120.35 to \u22120.15), share unknown"
    )


def test_the_table_has_the_numbers_of_the_store(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces")
    first = sweep(page, "layer")
    first.locator("summary", has_text="Values").click()
    expect(first.locator("tbody tr").nth(1).locator("th, td")).to_have_text(
        ["1", "\u22120.25", "\u22120.35 to \u22120.15", "unknown", "\u2013"]
    )
    expect(first.locator("tbody tr").nth(2).locator("th, td")).to_have_text(
        ["2", "1", "0.9 to 1.1", "100.0\u00a0%", "90.0\u00a0% to 110.0\u00a0%"]
    )


def test_the_table_of_heads_is_in_descending_order_of_the_effect(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#traces")
    heads = sweep(page, "head")
    heads.locator("summary", has_text="Values").click()
    effects = heads.locator("tbody td:nth-child(3)")
    expect(effects).to_have_text(["0.5", "0.25", "0.125", "0", "\u22120.5", "\u2013"])
    heads.get_by_role("button", name="Effect").click()
    expect(effects).to_have_text(["\u22120.5", "0", "0.125", "0.25", "0.5", "\u2013"])


def test_group_and_metric_are_kept_in_the_link(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces")
    first = sweep(page, "layer")
    first.locator("summary", has_text="Values").click()
    values = first.locator("tbody td:nth-child(2)")
    expect(values).to_have_text(["0.5", "\u22120.25", "1"])
    group = page.get_by_label("Average over")
    group.focus()
    group.select_option("colour")
    expect(values).to_have_text(["0.75", "0", "0.25"])
    expect(page).to_have_url(re.compile("#traces&group=colour$"))
    expect(group).to_be_focused()
    # A sweep without the group says so, and shows all images.
    expect(sweep(page, "head").locator(".notice")).to_contain_text(
        "no group of images \u201ccolour\u201d"
    )
    open_page(page, model_page, "#traces&metric=kl")
    page.reload()
    expect(page.get_by_label("Metric")).to_have_value("kl")
    sweep(page, "layer").locator("summary", has_text="Values").click()
    expect(values).to_have_text(["4", "5", "6"])
    page.get_by_label("Metric").select_option("")
    expect(page).to_have_url(re.compile("#traces$"))
    expect(values).to_have_text(["0.5", "\u22120.25", "1"])


def test_a_difference_of_groups_is_called_one(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces&group=left minus right")
    first = sweep(page, "layer")
    expect(page.get_by_label("Average over").locator("optgroup[label=Differences]")).to_have_count(
        1
    )
    expect(first.locator(".summary")).to_contain_text(
        "Difference of the means of two groups, left minus right, over 33\u00a0images of "
        "cueworld:120 that the clean run classifies correctly"
    )
    first.locator("summary", has_text="Values").click()
    values = first.locator("tbody td:nth-child(2)")
    expect(values).to_have_text(["\u22120.5", "0", "0.25"])


def test_layer_labels_lead_to_the_units_of_the_layer(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces")
    links = sweep(page, "layer").locator(":scope > div > .chart svg a")
    expect(links).to_have_text(["0", "2"])  # the gallery has no unit of layer 1
    links.last.click()
    expect(page).to_have_url(re.compile(r"#site=blocks\.2\.attn\.qk$"))


@pytest.mark.parametrize(
    ("row", "column", "text", "leads_to"),
    [
        (0, 1, "layer 0 head 1 \u22120.5 (\u22120.6 to \u22120.4)", f"#unit={UNITS[0]}"),
        (1, 0, "layer 2 head 0 0.25 (0.15 to 0.35)", f"#unit={UNITS[2]}"),
        (1, 2, "layer 2 head 2 \u2013, share unknown", "#attention=blocks.2.attn.qk:2"),
    ],
)
def test_a_head_leads_to_its_unit_or_else_to_its_attention_map(
    row: int, column: int, text: str, leads_to: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#traces")
    chart = sweep(page, "head").locator(":scope > div > .chart [role=application]")
    expect(chart).to_be_visible()
    hover_cell(page, chart, row, column, (2, 3))
    readout = sweep(page, "head").locator("output").first
    eventually(lambda: text in readout.inner_text().replace(DOT, " "))
    page.mouse.down()
    page.mouse.up()
    expect(page).to_have_url(re.compile(f"{re.escape(leads_to)}$"))


def test_a_head_without_units_and_map_leads_nowhere(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#traces")
    chart = sweep(page, "head").locator(":scope > div > .chart [role=application]")
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(sweep(page, "head").locator("output").first).to_contain_text("head 2")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")  # head 1 has a unit
    expect(page.locator("#unit h1")).to_have_text(UNITS[0])


def test_tokens_lie_on_the_patch_grid_and_what_was_not_patched_is_missing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#traces")
    maps = sweep(page, "token").locator(":scope > div > .chart .layer-maps > div")
    expect(maps).to_have_count(1)
    maps.scroll_into_view_if_needed()  # Firefox draws what is in sight
    readout = sweep(page, "token").locator("output").first
    chart = maps.locator("[role=application]")
    chart.focus()
    page.keyboard.press("ArrowDown")
    expect(readout).to_contain_text("token 1, patch in row 0, column 0")
    expect(readout).to_contain_text("0.25 (0.15 to 0.35)")
    # Token 3 was not patched, so the cell left of token 4 is empty.
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text("token 2, patch in row 0, column 1")
    page.keyboard.press("ArrowDown")
    expect(readout).to_contain_text("token 4, patch in row 1, column 1")
    page.keyboard.press("ArrowLeft")
    expect(readout).to_contain_text("token 4, patch in row 1, column 1")


def test_a_single_image_is_shown_with_its_corrupted_copy_and_effects(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#traces")
    single = sweep(page, "layer").locator(".single-image")
    expect(single.locator("figcaption").first).to_have_text("<b>: 0.75 clean, 0.5 corrupted")
    expect(single.locator("img")).to_have_count(2)
    single.locator("[role=application]").focus()
    page.keyboard.press("ArrowRight")
    expect(single.locator("output")).to_have_text(f"layer 1{DOT}0.125")


def test_colors_follow_the_theme_and_nothing_is_a_serious_fault_of_access(
    schemed: Page, model_page: Path
) -> None:
    open_page(schemed, model_page, "#traces")
    cell = sweep(schemed, "head").locator(":scope > div > .chart path.cells")
    expect(cell.first).to_be_visible()
    fills = cell.evaluate_all("all => all.map((path) => getComputedStyle(path).fill)")
    assert len(set(fills)) == 5  # 0.5, -0.5, 0, 0.25 and 0.125
    before = fills[0]
    schemed.get_by_role("button", name="Dark theme").click()
    eventually(lambda: cell.first.evaluate("path => getComputedStyle(path).fill") != before)
    assert violations(schemed) == []
    open_page(schemed, model_page, "#grids")
    expect(schemed.locator(".grid-table td a").first).to_be_visible()
    assert violations(schemed) == []


@pytest.mark.parametrize("screen", [390, 1920])
def test_charts_have_the_width_of_the_page_without_sideways_scroll(
    screen: int, page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": screen, "height": 900})
    open_page(page, model_page, "#traces")
    chart = sweep(page, "layer").locator(":scope > div > .chart svg.plot")
    expect(chart).to_be_visible()
    assert box_of(chart)["width"] >= screen - 110
    fits(page, screen)
    open_page(page, model_page, "#grids")
    expect(page.locator(".grid-table td a").first).to_be_visible()
    fits(page, screen)


def test_pairs_of_a_grid_lead_to_their_units_and_others_have_a_value(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#grids")
    cells = page.locator(".grid-table td:not(:empty)")
    expect(cells).to_have_text(["0.5000", "1.500", "2.500", "\u22123.500"])
    places = page.locator(".grid-table .token-place")
    expect(places).to_have_count(4)
    names = places.evaluate_all("all => all.map((each) => each.ariaLabel)")
    assert names == ["row 0, column 0", "row 2, column 3", "row 0, column 2", "row 2, column 3"]
    links = page.locator(".grid-table a")
    expect(links).to_have_count(1)  # the only pair that is a unit here
    expect(links).to_have_attribute("title", "blocks.2.attn.qk:0@q3.k12: 1.500, shift (2, 1)")
    links.click()
    expect(page.locator("#unit h1")).to_have_text(UNITS[2])


@pytest.fixture(scope="module")
def estimates_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page of estimates at three heads, two of which were patched."""
    folder = tmp_path_factory.mktemp("estimates")
    estimate = {"steps": 4, "direct": True, "exact": 2}
    settings: dict[str, Any] = {"estimate": estimate, "metrics": ["kl"], "site": "z", "by": "head"}
    heads = [(layer, head, "all", 1) for layer in (0, 2) for head in ("0", "1")]
    write_sweep(folder / "s", heads, {"all:kl": [0.5, -0.25, 0, 0.125]}, **settings)
    configuration = {**results.SWEEP, **settings}
    write_results(folder / "s", "fidelity", results.fidelity([0, 3], 0.625), configuration)
    diagnostics = {"address": ["all"], "messages": ["saturated <b>\nrescaled"]}
    write_results(folder / "s", "diagnostics", diagnostics, configuration)
    gallery.export([folder / "s"], folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


def test_estimates_are_shown_with_their_check(page: Page, estimates_page: Path) -> None:
    open_page(page, estimates_page, "#traces")
    one = page.locator(".sweep")
    expect(one.get_by_role("heading", level=3)).to_contain_text("estimated direct effects")
    expect(one.locator("p").first).to_contain_text(
        "Effects are estimates by attribution patching, from the mean gradient at 4 points between "
        "both runs. Effects through later blocks are left out."
    )
    check = one.get_by_role("region", name="Check of the estimates")
    expect(check.locator("p").first).to_have_text(
        "2\u00a0sites, evenly spread over the ranks of the absolute estimates, were patched "
        "exactly, too, on 30\u00a0images. Rank correlation 0.63."
    )
    expect(check.locator(".notice")).to_contain_text("rank correlation under 0.7")
    expect(check.locator("circle title")).to_have_text(
        [
            f"layer 0{DOT}head 0: 0.5 estimated, 0.5 exact",
            f"layer 2{DOT}head 1: \u22120.25 estimated, 0.25 exact",
        ]
    )
    expect(check).to_contain_text("saturated <b>")
    check.get_by_text("Estimated and exact effects").click()
    expect(check.locator("tbody tr").nth(1)).to_have_text(
        f"layer 2{DOT}head 1\u22120.250.250 to 0.5"
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_the_check_fits_the_page_and_is_accessible(
    page: Page, estimates_page: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, estimates_page, "#traces")
    expect(page.locator("circle")).to_have_count(2)
    fits(page, width)
    assert violations(page) == []
