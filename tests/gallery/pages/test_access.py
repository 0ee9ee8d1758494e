"""Every page as axe-core sees it, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.gallery.browsing import open_page, violations
from tests.gallery.made_stores import write_store
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
    schemed.keyboard.press("n")
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
