"""Every page as axe-core sees it, in light and in dark."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.gallery.browsing import eventually, open_page, violations
from tests.gallery.made_stores import write_store
from tests.gallery.pages.test_style import contrast
from tests.gallery.results import write_everything

UNITS = [*(f"blocks.2.mlp.fc1:{i}" for i in range(12)), "blocks.10.mlp.fc1:3", "head:0"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    stores = [
        write_everything(folder / "all", UNITS),
        write_store(folder / "units", UNITS, failures={"head:1": "NaN"}),
        write_store(folder / "more", UNITS[:1], settings={"samples": 4}),
    ]
    gallery.export(stores, folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    "view",
    [
        "",
        "#units&sort=-activation&where=activation%3E0&q=2",
        "#site=blocks.10.mlp.fc1",
        "#failed",
        "#unit=blocks.2.mlp.fc1:0",
        "#unit=blocks.2.attn.qk:1@same",
        "#unit=no.such:1",
        "#pins=blocks.2.mlp.fc1:0,blocks.2.mlp.fc1:1",
        "#labels",
        "#heads",
        "#filters",
        "#attention",
        "#grids",
        "#gradients",
        "#tokens",
        "#compare",
        "#traces",
    ],
)
def test_no_view_of_a_model_has_a_serious_fault(view: str, schemed: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(schemed, found, view)
    expect(schemed.locator("h1:visible")).to_have_count(1)
    expect(schemed.locator("#lists:visible h2, #unit:visible")).not_to_have_count(0)
    assert violations(schemed) == []


def test_the_index_has_no_serious_fault(schemed: Page, site: Path) -> None:
    open_page(schemed, site / "index.html")
    expect(schemed.locator("#models h2")).not_to_have_count(0)
    assert violations(schemed) == []


def test_open_panels_have_no_serious_fault(schemed: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(schemed, found)
    schemed.evaluate("for (const i of [1, 2]) featviz.page.pins.toggle(`blocks.2.mlp.fc1:${i}`)")
    schemed.locator(".cell").nth(3).hover()
    expect(schemed.locator(".preview")).to_be_visible()
    schemed.keyboard.press("n")
    schemed.get_by_role("textbox", name="activation, minimum").press_sequentially("x")
    schemed.get_by_role("textbox", name="activation, minimum").press("Enter")
    expect(schemed.get_by_role("alert")).to_be_visible()
    expect(schemed.locator("#ranges")).to_be_visible()
    assert violations(schemed) == []
    schemed.locator("#search").fill("blocks")
    expect(schemed.locator("#found")).to_be_visible()
    assert violations(schemed) == []
    schemed.locator("#search").press("Escape")
    schemed.locator("#search").blur()
    schemed.keyboard.press("?")
    expect(schemed.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert violations(schemed) == []
    schemed.keyboard.press("Escape")
    schemed.keyboard.press("b")
    expect(schemed.locator(".compared")).to_be_visible()
    assert violations(schemed) == []
    open_page(schemed, found, "#unit=blocks.2.mlp.fc1:0")
    schemed.locator("button.zoom").first.click()
    expect(schemed.get_by_role("dialog", name="Enlarged picture")).to_be_visible()
    assert violations(schemed) == []


CONTROLS = """() => [...document.querySelectorAll("button, input, select, a.button, a.step")]
    .filter((node) => node.checkVisibility() && !node.disabled)
    .map((node) => [node, getComputedStyle(node)])
    .filter(([, style]) => parseFloat(style.borderTopWidth) && style.borderTopStyle !== "none")
    .map(([node, style]) => [node.outerHTML.slice(0, 80), style.borderTopColor])"""


def test_the_borders_of_controls_stand_out(schemed: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    open_page(schemed, found)
    schemed.evaluate("featviz.page.pins.toggle('blocks.2.mlp.fc1:1')")
    schemed.keyboard.press("n")
    schemed.locator(".cell").nth(2).hover()
    expect(schemed.locator(".cell-tool").first).to_be_visible()
    shown = schemed.evaluate(CONTROLS)
    open_page(schemed, found, "#unit=blocks.2.mlp.fc1:0")
    expect(schemed.locator(".choices").first).to_be_visible()
    shown += schemed.evaluate(CONTROLS)
    page = hexadecimal(schemed.evaluate(paper))
    solid = [(html, color) for html, color in shown if color != "rgba(0, 0, 0, 0)"]
    assert len(solid) > 20
    for html, color in solid:
        assert contrast(hexadecimal(color), page) >= 3, html  # WCAG 1.4.11


def hexadecimal(color: str) -> str:
    """Write a color such as ``rgb(1, 2, 3)`` as ``#010203``."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", color)[:3])


def test_the_skip_link_of_a_units_page_leads_past_its_header(page: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(page, found, "#unit=blocks.2.mlp.fc1:0")
    expect(page.locator(".render").first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    for _ in range(12):
        if page.evaluate("document.activeElement.className") == "skip":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = "document.activeElement.closest('#unit > header') === null"
    assert page.evaluate(focused)
    assert page.evaluate("document.activeElement.closest('#unit') !== null")
    eventually(lambda: page.evaluate("location.hash"), "#unit=blocks.2.mlp.fc1:0")


def test_headings_of_a_units_page_skip_no_level(page: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(page, found, "#unit=blocks.2.mlp.fc1:0")
    expect(page.get_by_role("heading", name="Reproduce").first).to_be_visible()
    levels = page.locator("#unit").locator("h1, h2, h3, h4, h5, h6")
    found_levels = levels.evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert found_levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(found_levels))


def test_names_have_no_decoration_and_scales_have_their_ends(page: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(page, found, "#unit=blocks.2.mlp.fc1:0")
    for name in ("cueworld/vit", "blocks.2.mlp.fc1"):  # and not "/ cueworld/vit"
        expect(
            page.get_by_role("navigation", name="Breadcrumbs").get_by_role(
                "link", name=name, exact=True
            )
        ).to_have_count(1)
    open_page(page, found, "#tokens")
    expect(page.get_by_role("img", name="Color scale from 0 to 1", exact=True)).to_have_count(1)


def test_on_a_phone_no_view_has_a_serious_fault(schemed: Page, site: Path) -> None:
    schemed.set_viewport_size({"width": 390, "height": 800})
    (found,) = site.glob("cueworld-vit-*.html")
    for view in ("", "#unit=blocks.2.mlp.fc1:0", "#heads"):
        open_page(schemed, found, view)
        assert violations(schemed) == []


def test_a_planted_fault_is_found(schemed: Page, site: Path) -> None:
    (found,) = site.glob("cueworld-vit-*.html")
    open_page(schemed, found)
    schemed.evaluate(
        """() => {
            const faint = document.createElement("p");
            faint.style.color = "rgb(128 128 128 / 40%)";
            faint.append("hardly to be read", document.createElement("button"));
            document.getElementById("pictures").append(faint);
        }"""
    )
    rules = {line.split()[0] for line in violations(schemed)}
    assert rules == {"button-name", "color-contrast"}
