"""The page of all models: its cards, and the way from an address to the models that have it."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

import gallery
from tests.gallery.browsing import eventually, open_page, violations
from tests.gallery.conftest import DIVERSE, TOKENS, UNITS
from tests.gallery.evidence import UNITS as MEASURED
from tests.gallery.evidence import write_evidence

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
    expect(page.get_by_label("Find units")).to_be_focused()
    page.keyboard.type(f" {ALONE} ")
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(ALONE)
    expect(page.locator(".breadcrumbs .back")).to_have_text("cueworld/vit")


def test_an_address_of_several_models_lists_them_by_mouse(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.get_by_label("Find units").fill(SHARED)
    page.get_by_role("button", name="Find").click()
    found = page.locator("#find-unit-result li")
    expect(found).to_have_text(
        [f"{model}: 1\u00a0unit {SHARED} " for model in ("cueworld/vit", "cueworld/mixer")],
    )
    found.nth(1).get_by_role("link").click()
    expect(page.locator("#unit h1")).to_have_text(SHARED)
    expect(page.locator(".breadcrumbs .back")).to_have_text("cueworld/mixer")


def test_a_layer_or_a_block_and_number_find_units(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    find = page.get_by_label("Find units")
    found = page.locator("#find-unit-result li")
    find.fill("blocks.10")
    find.press("Enter")
    expect(found.get_by_role("link")).to_have_text(["blocks.10.mlp.fc1:3", *TOKENS])
    find.fill("blocks.2")
    find.press("Enter")
    expect(found.nth(0)).to_contain_text("cueworld/vit: 30\u00a0units")
    expect(found.nth(0).get_by_role("link")).to_have_count(8)
    expect(found.nth(0)).to_contain_text("and 22 more")
    find.fill("2:7")
    find.press("Enter")
    expect(page.locator("#unit h1")).to_have_text("blocks.2.mlp.fc1:7")


def test_what_no_unit_matches_is_reported_as_text(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    for text in ("head:99", "__proto__", "2:99", "<img src=x onerror=alert(1)>", "a\\'\""):
        page.get_by_label("Find units").fill(text)
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#find-unit-result")).to_have_text(
            f"No unit of any model matches {text}."
        )
    eventually(lambda: page.url.endswith("/index.html"))


def test_a_class_finds_the_units_whose_top_images_show_it(page: Page, tmp_path: Path) -> None:
    gallery.export([write_evidence(tmp_path / "s")], tmp_path / "site")
    open_page(page, tmp_path / "site" / "index.html")
    page.get_by_label("Find units").fill("stripes")
    page.get_by_label("Find units").press("Enter")
    expect(page.locator("#unit h1")).to_have_text(MEASURED[0])  # necessary for stripes


def test_the_index_says_what_was_measured_and_what_adds_the_rest(
    page: Page, site: Path, tmp_path: Path
) -> None:
    open_page(page, site / "index.html")
    expect(page.locator("#totals")).to_have_text(
        f"2\u00a0models\u00a0\u00b7 {len(UNITS) + 3}\u00a0units"
    )
    measured = page.get_by_role("list", name="Measurements").first.get_by_role("listitem")
    expect(measured).to_have_text(
        [
            f"\u2013 Natural images: 0 of {len(UNITS)}, add them with "
            "featviz examples MODEL --data DATA -o STORE",
            f"\u2013 Picture quality: 0 of {len(UNITS)}, add them with featviz score STORE",
            f"\u2013 Causal tests: 0 of {len(UNITS)}, add them with "
            "featviz validate STORE --data DATA",
        ]
    )
    gallery.export([write_evidence(tmp_path / "s")], tmp_path / "site")
    open_page(page, tmp_path / "site" / "index.html")
    expect(measured).to_have_text(
        [
            "\u2713 Natural images: 4 of 5",
            "\u2713 Picture quality: 3 of 5",
            "\u2713 Causal tests: 3 of 5",
        ]
    )


def test_the_pictures_of_a_card_lead_to_their_units(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    pictures = page.locator(".card").nth(1).locator(".strip a")
    expect(pictures).to_have_text([address.removeprefix("blocks.") for address in UNITS[:3]])
    pictures.nth(1).click()
    expect(page.locator("#unit h1")).to_have_text(UNITS[1])
    expect(page.locator(".breadcrumbs .back")).to_have_text("cueworld/mixer")


def test_the_theme_is_switched_on_all_pages_and_kept(page: Page, site: Path) -> None:
    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    open_page(page, site / "index.html")
    light = paper()
    switch = page.get_by_role("button", name="Dark theme")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    dark = paper()
    assert dark != light
    page.locator(".card h2 a").first.click()
    expect(page.locator("h1#name")).to_have_text("cueworld/vit")
    eventually(paper, dark)
    switch.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "false")
    eventually(paper, light)
    page.reload()
    eventually(paper, light)


def test_a_button_opens_the_units_of_a_model(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.get_by_role("link", name=f"Open {len(UNITS)}\u00a0units").click()
    expect(page.locator("h1#name")).to_have_text("cueworld/vit")


def test_a_gallery_whose_list_of_units_is_missing_says_so(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(site, tmp_path / "site")
    (broken / "data-1" / "1" / "units.js").unlink()
    page = browser.new_page()
    open_page(page, broken / "index.html")
    page.get_by_label("Find units").fill(ALONE)
    page.get_by_label("Find units").press("Enter")
    expect(page.locator("#find-unit-result")).to_contain_text("A file of this gallery is missing")
    expect(page.locator("#find-unit-result")).to_contain_text("units.js")
    page.close()


def test_axe_finds_nothing_serious_among_the_models(schemed: Page, site: Path) -> None:
    open_page(schemed, site / "index.html")
    expect(schemed.locator(".card")).to_have_count(2)
    assert violations(schemed) == []
