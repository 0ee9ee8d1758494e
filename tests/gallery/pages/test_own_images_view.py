"""The section of a reader's own images in a real browser, opened from the file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.gallery.browsing import fits, open_page, violations
from tests.gallery.input_images.images import ROWS, own_image, own_store
from tests.gallery.test_exporter import data, units


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    images = [own_image(folder / name, seed) for seed, name in enumerate(("a.png", "<b>.png"))]
    gallery.export(own_store(folder / "run"), folder / "site", images=images)
    return folder / "site"


def model_page(site: Path) -> Path:
    (found,) = site.glob("cueworld-vit-*.html")
    return found


def strongest(site: Path, number: int) -> list[str]:
    """Addresses by decreasing relative value."""
    names = list(units(site))
    layers = data(site, f"1/images/{number}")["layers"]
    entries = [entry for _, of_layer in layers for entry in of_layer]
    return [names[unit] for unit, *_ in sorted(entries, key=lambda entry: -entry[2])]


def test_units_are_listed_for_the_chosen_image_and_layer(page: Page, site: Path) -> None:
    open_page(page, model_page(site), "#images")
    links = page.locator(".own-units a")
    for number, name in enumerate(("a.png", "<b>.png")):
        page.get_by_role("button", name=name).click()
        expect(page.locator(".map-note")).to_contain_text(name)
        expect(links).to_have_count(8)
        assert [link.get_attribute("title") for link in links.all()] == strongest(site, number)
    page.locator(".own-head select").select_option(label="head")
    expect(links).to_have_count(1)
    links.click()
    expect(page.locator("#unit h1")).to_have_text("head:0")
    expect(page.locator(".own-of-unit figure")).to_have_count(2)
    expect(page.locator(".own-of-unit canvas")).to_have_count(0)  # one value per image


def test_a_unit_lays_its_map_over_the_image_for_a_moment_or_until_it_is_clicked_again(
    page: Page, site: Path
) -> None:
    open_page(page, model_page(site), "#images")
    unit = page.locator(".own-units li").filter(has_text="fc1:2").first
    canvas = page.locator(".stage canvas")
    expect(unit).to_be_visible()
    expect(canvas).to_have_count(0)
    unit.hover()
    expect(canvas).to_have_attribute("width", str(ROWS))
    page.locator("h2.title").hover()
    expect(canvas).to_have_count(0)
    unit.get_by_role("link").focus()
    expect(canvas).to_have_count(1)
    unit.get_by_role("button").click()
    page.locator("h2.title").click()
    expect(canvas).to_have_count(1)
    unit.get_by_role("button").click()
    expect(canvas).to_have_count(0)


def test_a_patch_lists_its_units_by_mouse_and_by_keyboard(page: Page, site: Path) -> None:
    names = list(units(site))
    patches = data(site, "1/images/0")["patches"]
    open_page(page, model_page(site), "#images")
    links = page.locator(".at-patch a")

    def shows(row: int, column: int) -> None:
        expect(page.locator(".at-patch h3")).to_have_text(f"Row {row}, column {column}")
        found = [str(link.get_attribute("title")).split("\n")[0] for link in links.all()]
        assert found == [names[unit] for unit, _ in patches[ROWS * (row - 1) + column - 1]]

    buttons = page.locator(".patches button")
    buttons.nth(ROWS + 2).hover()
    shows(2, 3)
    page.locator("h2.title").hover()
    expect(links).to_have_count(0)
    buttons.first.focus()
    shows(1, 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    shows(2, 2)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    shows(2, 2)  # kept
    expect(links.first).to_be_focused()
    expect(page.locator(".stage canvas")).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    expect(page.locator('.patches [aria-pressed="true"]')).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_section_is_accessible_and_fits(schemed: Page, site: Path, width: int) -> None:
    schemed.set_viewport_size({"width": width, "height": 800})
    open_page(schemed, model_page(site), "#images")
    schemed.locator(".patches button").nth(9).click()
    expect(schemed.locator(".at-patch a").first).to_be_visible()
    fits(schemed, width)
    assert violations(schemed) == []
