"""The page of all models: its cards, and the way from an address to the models that have it."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.gallery.browsing import eventually, open_page, violations
from tests.gallery.conftest import DIVERSE, UNITS

SHARED, ALONE = UNITS[0], DIVERSE


def test_a_card_leads_to_its_model_wherever_it_is_clicked(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    card = page.locator("#models .card").nth(1)
    box = card.bounding_box()
    assert box is not None
    card.click(position={"x": box["width"] - 5, "y": box["height"] - 5})
    expect(page.locator("h1#name")).to_have_text("cueworld/mixer")


def test_the_strip_of_a_card_shows_pictures_of_its_model(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    expect(page.locator(".card").nth(0).locator(".strip img")).to_have_count(12)
    expect(page.locator(".card").nth(1).locator(".strip img")).to_have_count(3)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.strip img')].every((image) => image.naturalWidth)"
    )


def test_an_address_of_one_model_leads_there_by_keyboard(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Find a unit")).to_be_focused()
    page.keyboard.type(f" {ALONE} ")
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(ALONE)
    expect(page.locator(".breadcrumbs .back")).to_have_text("cueworld/vit")


def test_an_address_of_several_models_lists_them_by_mouse(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.get_by_label("Find a unit").fill(SHARED)
    page.get_by_role("button", name="Find").click()
    result = page.locator("#find-unit-result")
    expect(result).to_contain_text("2\u00a0models: ")
    expect(result.get_by_role("link")).to_have_text(["cueworld/vit", "cueworld/mixer"])
    result.get_by_role("link").nth(1).click()
    expect(page.locator("#unit h1")).to_have_text(SHARED)
    expect(page.locator(".breadcrumbs .back")).to_have_text("cueworld/mixer")


def test_an_unknown_address_is_reported_as_text(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    for address in ("head:99", "head", "", "__proto__", "<img src=x onerror=alert(1)>", "a\\'\""):
        page.get_by_label("Find a unit").fill(address)
        page.get_by_role("button", name="Find").click()
        if address:
            expect(page.locator("#find-unit-result")).to_have_text(
                f"No model has a unit {address}."
            )
        else:
            expect(page.locator("#find-unit-result")).to_contain_text("No model has a unit head")
    eventually(lambda: page.url.endswith("/index.html"))


def test_a_gallery_whose_list_of_units_is_missing_says_so(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(site, tmp_path / "site")
    (broken / "data-1" / "1" / "units.js").unlink()
    page = browser.new_page()
    open_page(page, broken / "index.html")
    page.get_by_label("Find a unit").fill(ALONE)
    page.get_by_label("Find a unit").press("Enter")
    expect(page.locator("#find-unit-result")).to_contain_text("A file of this gallery is missing")
    expect(page.locator("#find-unit-result")).to_contain_text("units.js")
    page.close()


def test_axe_finds_nothing_serious_among_the_models(schemed: Page, site: Path) -> None:
    open_page(schemed, site / "index.html")
    expect(schemed.locator(".card")).to_have_count(2)
    assert violations(schemed) == []
