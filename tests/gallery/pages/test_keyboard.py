"""Every feature of a model's page, by keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.gallery.browsing import eventually, open_page
from tests.gallery.conftest import DIVERSE, NEURONS, UNITS

MOST_STOPS = 40


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> int:
    """Press a key until an element has the focus; return how often."""
    for stops in range(MOST_STOPS):
        if wanted.evaluate("node => node === document.activeElement"):
            return stops
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached")


def test_few_stops_are_in_front_of_the_pictures(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    tabs = page.locator("#views a").count()
    # Besides the tabs: skip link, all models, failures, layers, six tools, the map, and what can be
    # done with the list.
    assert tab_to(page, page.locator(".cell").first) <= tabs + 13


def test_arrow_keys_move_between_what_can_be_done_with_the_list(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    bar = page.get_by_role("toolbar", name="This list")
    first = bar.get_by_role("button").first
    tab_to(page, first)
    names = []
    for _ in range(4):
        names.append(
            page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText")
        )
        page.keyboard.press("ArrowRight")
    assert names == ["Copy link", "Add to list", "Download as CSV", "Download as JSON"]
    expect(first).to_be_focused()
    page.keyboard.press("Tab")
    expect(bar.locator(":focus")).to_have_count(0)


def test_the_list_is_filtered_sorted_and_searched(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    count = page.locator("#count")
    all_layers = page.locator("#sites a").first
    tab_to(page, all_layers)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(count).to_contain_text(f"{len(NEURONS)} of {len(UNITS)}")
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(count).to_have_text(f"{len(UNITS)}\u00a0units")
    tab_to(page, page.locator("#filter"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("textbox", name="activation, minimum"))
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Remove filter: activation \u2265 5")).to_be_visible()
    tab_to(page, page.locator("#ranges .done"))
    page.keyboard.press("Enter")
    expect(page.locator("#ranges")).to_be_hidden()
    tab_to(page, page.get_by_role("link", name="Clear filters"))
    page.keyboard.press("Enter")
    expect(count).to_have_text(f"{len(UNITS)}\u00a0units")
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#sort")).to_have_value("activation")
    page.keyboard.press("Escape")  # to the pictures
    expect(page.locator(".cell").first).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("2:7")
    expect(page.locator("#found [role=option]").first).to_contain_text(DIVERSE)
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(DIVERSE)


def test_a_unit_is_labeled_pinned_compared_and_enlarged(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    tab_to(page, page.locator(".cell").first)
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    page.keyboard.press("f")
    page.keyboard.press("Enter")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[1])
    page.keyboard.press("l")
    page.keyboard.type("stripes")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_have_text("Label saved")
    tab_to(page, page.locator("button.zoom").first)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Enlarged picture")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("button.zoom").first).to_be_focused()
    tab_to(page, page.locator(".how-made > summary"))
    page.keyboard.press("Enter")
    expect(page.locator(".how-made")).not_to_have_attribute("open", "")
    page.keyboard.press("b")
    expect(heading).to_have_text("Compare units")
    tab_to(page, page.get_by_role("button", name=f"Move right {UNITS[0]}"))
    page.keyboard.press("Enter")
    eventually(lambda: page.evaluate("location.hash").endswith(UNITS[0]))
    page.keyboard.press("Escape")
    expect(heading).to_have_text(UNITS[1])
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text(UNITS[0])
    page.keyboard.press("Escape")
    expect(page.locator(f".cell[aria-label='{UNITS[0]}']")).to_be_focused()
    tab_to(page, page.locator("#views a").last, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".labeled-unit")).to_contain_text(re.compile(f"{UNITS[1]}.*stripes"))


def test_samples_are_chosen_by_number(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    choices = page.locator(".choice")
    expect(choices).to_have_count(4)
    page.keyboard.press("3")
    expect(choices.nth(2)).to_have_attribute("aria-pressed", "true")
    tab_to(page, choices.nth(1))
    page.keyboard.press("Enter")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
