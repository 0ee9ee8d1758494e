"""Circuits in a real browser, against stores made by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import gallery
from tests.gallery import results
from tests.gallery.browsing import box_of, fits, open_page, violations
from tests.gallery.circuits import EDGES, write_circuits
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results

DOT = "\u00a0\u00b7 "
UNITS = ["blocks.2.attn.qk:0@q3.k12", "blocks.2.mlp.fc1:3", "blocks.2.mlp.fc1:8"]
STRONGEST = "blocks.2.mlp \u2192 logits at prefix tokens: score 2, exact effect 1.5 (1.4 to 1.6)"


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("circuits")
    stores = [
        write_circuits(folder / "color"),
        write_circuits(folder / "texture", [*EDGES[2:], EDGES[1]], corrupt="shuffle"),
        write_results(folder / "maps", "attention", results.attention(["blocks.0.attn.qk:1"])),
        write_store(folder / "units", UNITS, sites=["blocks.2.attn.qk", "blocks.2.mlp.fc1"]),
    ]
    gallery.export(stores, folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


def first(page: Page) -> Locator:
    return page.locator(".sweep").filter(has=page.get_by_role("heading", name="grayscale"))


def component(page: Page, name: str) -> Locator:
    return first(page).locator(f'.component[aria-label^="{name}"]')


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        ("Head 0 of block 2", f"#unit={UNITS[0]}"),
        ("Head 1 of block 0", "#attention=blocks.0.attn.qk:1"),
        ("MLP of block 2", "#site=blocks.2.mlp.fc1"),
    ],
)
def test_a_click_on_a_component_opens_its_units_or_its_attention_map(
    name: str, leads_to: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#circuits")
    component(page, name).click()
    expect(page).to_have_url(re.compile(f"{re.escape(leads_to)}$"))


def test_the_keyboard_moves_among_components_and_opens_one(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#circuits")
    panel = first(page).locator(".component-panel")
    readout = first(page).locator(".circuit .readout")
    # The only tab stop is the component with the most score.
    expect(first(page).locator('.component[tabindex="0"]')).to_have_count(1)
    component(page, "MLP of block 2").focus()
    expect(readout).to_have_text("blocks.2.mlp: reads 0\u00a0edges, read by 1\u00a0edge")
    page.keyboard.press("ArrowUp")
    expect(component(page, "Logits")).to_be_focused()
    expect(panel.locator("h4")).to_have_text("logits")
    expect(panel.locator("li")).to_have_text(
        [
            "blocks.2.mlp at prefix tokens: score 2, exact effect 1.5 (1.4 to 1.6)",
            "blocks.2.attn:0 at prefix tokens: score \u22121, exact effect \u22120.5 "
            "(\u22120.6 to \u22120.4)",
        ]
    )
    component(page, "Head 1 of block 2").focus()
    page.keyboard.press("ArrowLeft")
    expect(component(page, "Head 0 of block 2: reads 1\u00a0edge, read by 1")).to_be_focused()
    expect(panel.locator("h4")).to_have_text("blocks.2.attn:0")
    expect(panel.get_by_role("link", name="1\u00a0query-key logit")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(UNITS[0])


def test_an_edge_is_read_in_the_graph_and_from_the_panel(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#circuits")
    readout = first(page).locator(".circuit .readout")
    edges = first(page).locator(".edge")
    expect(edges).to_have_count(4)
    x, y = edges.last.locator(".edge-hit").evaluate(
        """(path) => {
            path.scrollIntoView({ block: "center" });
            const { x, y } = path.getPointAtLength(path.getTotalLength() / 2);
            const { a, d, e, f } = path.getScreenCTM();
            return [x * a + e, y * d + f];
        }"""
    )
    page.mouse.move(x, y)
    expect(readout).to_have_text(STRONGEST)
    expect(first(page).locator(".edge.on")).to_have_count(1)
    expect(first(page).locator(".component.on")).to_have_count(2)
    page.mouse.move(0, 0)
    expect(readout).to_be_empty()
    panel = first(page).locator(".component-panel")
    component(page, "Logits").focus()
    panel.get_by_role("button", name="blocks.2.mlp").focus()
    expect(readout).to_have_text(STRONGEST)
    page.keyboard.press("Enter")
    expect(component(page, "MLP of block 2")).to_be_focused()


def test_edges_that_lower_the_metric_are_dashed_and_widths_are_scores(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#circuits")
    lines = first(page).locator(".edge-line")
    expect(lines).to_have_count(4)
    styles = lines.evaluate_all(
        "all => all.map(getComputedStyle).map((one) => [one.strokeDasharray, one.strokeWidth])"
    )
    assert [width for _, width in styles] == ["1px", "2px", "4px", "8px"]  # the strongest last
    assert [dashes == "none" for dashes, _ in styles] == [True, True, False, True]


def test_the_size_redraws_all_circuits_and_is_kept_in_the_link(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#circuits")
    summary = first(page).locator(".summary")
    shared = page.get_by_role("region", name="Shared edges").locator("tbody td")
    expect(summary).to_contain_text(
        "4\u00a0edges of 278 (1.4\u00a0%) keep 90.0\u00a0% (80.0\u00a0% to 100.0\u00a0%)"
    )
    expect(shared).to_have_text(["4", "3", "3", "0.0432"])
    size = page.get_by_role("combobox", name="Number of edges")
    size.select_option("2")
    expect(page).to_have_url(re.compile("#circuits&edges=2$"))
    expect(first(page).locator(".edge")).to_have_count(2)
    expect(shared).to_have_text(["2", "2", "0", "0.0144"])
    page.reload()
    expect(size).to_have_value("2")
    size.select_option("278")
    expect(summary).to_contain_text("The 4\u00a0edges with the largest scores are drawn.")
    size.select_option("")
    expect(page).to_have_url(re.compile("#circuits$"))
    expect(first(page).locator(".edge")).to_have_count(4)


def test_the_table_of_edges_sorts_by_score_and_by_effect(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#circuits&edges=2")
    first(page).get_by_text("Strongest edges").click()
    table = first(page).get_by_role("region", name="Strongest edges")
    expect(table.locator("tbody tr").first.locator("th, td")).to_have_text(
        ["blocks.2.mlp", "logits", "at prefix tokens", "2", "1.5", "1.4 to 1.6", "yes"]
    )
    scores, effects = (table.locator(f"tbody td:nth-child({column})") for column in (4, 5))
    expect(scores).to_have_text(["2", "\u22121", "0.5", "0.25"])  # by absolute score
    table.get_by_role("button", name="Score").click()
    expect(scores).to_have_text(["2", "0.5", "0.25", "\u22121"])
    table.get_by_role("button", name="Exact effect").press("Enter")
    table.get_by_role("button", name="Exact effect").press("Enter")
    expect(effects).to_have_text(["\u22120.5", "1.5", "\u2013", "\u2013"])
    expect(table.get_by_role("columnheader", name="Exact effect")).to_have_attribute(
        "aria-sort", "ascending"
    )
    table.get_by_role("link", name="blocks.2.mlp").click()
    expect(page).to_have_url(re.compile(r"#site=blocks\.2\.mlp\.fc1$"))


def test_the_curves_are_read_by_keyboard_and_lines_differ_in_more_than_color(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#circuits")
    block = first(page).get_by_role("region", name="Faithfulness")
    block.scroll_into_view_if_needed()
    chart = block.locator("[role=application]")
    chart.press("ArrowLeft")
    chart.press("ArrowRight")
    expect(block.locator(".readout")).to_have_text(
        DOT.join(
            [
                "4\u00a0edges (1.4\u00a0%)",
                "edges 90.0\u00a0% (80.0\u00a0% to 100.0\u00a0%)",
                "components 50.0\u00a0% (40.0\u00a0% to 60.0\u00a0%)",
                "random \u221212.5\u00a0% (\u221222.5\u00a0% to \u22122.5\u00a0%)",
            ]
        )
    )
    rows = block.locator(".quality-table tbody tr")
    expect(rows.first.locator("td")).to_have_text(["4", "278", "none"])
    expect(rows.last.locator("td")).to_have_text(["0.25", "0.5", "0.75"])
    marks = chart.locator("g .dot").evaluate_all(
        "all => all.map((mark) => mark.getAttribute('d').replace(/^M\\S+ [\\d.]+/, ''))"
    )
    assert len(marks) == 9
    assert len(set(marks)) == 3


@pytest.mark.parametrize("screen", [390, 1280, 1920])
def test_the_graph_fits_and_has_no_serious_fault_of_access(
    screen: int, schemed: Page, model_page: Path
) -> None:
    schemed.set_viewport_size({"width": screen, "height": 900})
    open_page(schemed, model_page, "#circuits")
    graph = first(schemed).locator(".circuit-graph")
    expect(graph).to_be_visible()
    assert box_of(graph)["width"] <= screen
    fits(schemed, screen)
    first(schemed).get_by_text("Strongest edges").click()
    component(schemed, "MLP of block 2").focus()
    assert violations(schemed) == []
