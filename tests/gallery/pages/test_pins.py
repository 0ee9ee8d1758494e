"""Pinned units and the view that compares them, in real browsers."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.gallery.browser.sources import call
from tests.gallery.browsing import allow_clipboard, eventually, fits, open_page, violations
from tests.gallery.conftest import DIVERSE, TOKENS, UNITS
from tests.gallery.made_stores import activation

THREE = [UNITS[0], TOKENS[3], "head:0"]


def pin(page: Page, addresses: list[str]) -> None:
    page.evaluate("addresses => featviz.page.pins.replace(addresses)", addresses)


def pinned(page: Page) -> list[str]:
    return list(page.evaluate("featviz.page.pins.list()"))


def columns(page: Page) -> list[str]:
    return page.locator(".compared thead th > a").all_inner_texts()


def test_units_are_pinned_and_unpinned_on_their_pages(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={THREE[0]}")
    button = page.locator(".unit-tools").get_by_role("button", name="Pin")
    tray = page.get_by_role("complementary", name="Pinned units")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(tray).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(tray.locator("li")).to_have_count(1)
    expect(tray).to_contain_text("Pin another unit to compare")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit h1")).to_have_text(UNITS[1])
    page.keyboard.press("p")
    expect(tray.get_by_role("link", name="Compare 2")).to_be_visible()
    eventually(lambda: pinned(page), UNITS[:2])
    page.keyboard.press("p")
    expect(page.locator(".message")).to_have_text(f"{UNITS[1]} unpinned")
    eventually(lambda: pinned(page), UNITS[:1])


def test_the_mouse_pins_and_adds_favorites_in_the_list(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.locator("a.cell").nth(2).hover()
    page.get_by_role("button", name=f"Pin {UNITS[2]}", exact=True).click()
    eventually(lambda: pinned(page), [UNITS[2]])
    page.get_by_role("button", name=f"Favorite {UNITS[2]}").click()
    eventually(
        lambda: page.evaluate("address => featviz.page.labels.get(address).favorite", UNITS[2])
    )
    eventually(lambda: page.evaluate("location.hash"), "")  # neither click opens the unit
    page.mouse.move(1, 1)
    expect(page.locator(".cell-tools")).to_be_hidden()


def test_the_keyboard_pins_adds_favorites_and_compares_from_the_list(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    cells = page.locator("a.cell")
    cells.nth(1).focus()
    page.keyboard.press("p")
    page.keyboard.press("f")
    cells.nth(3).focus()
    page.keyboard.press("p")
    eventually(lambda: pinned(page), [UNITS[1], UNITS[3]])
    eventually(
        lambda: page.evaluate("address => featviz.page.labels.get(address).favorite", UNITS[1])
    )
    page.keyboard.press("b")
    expect(page.locator(".compared")).to_be_visible()
    eventually(lambda: columns(page), [UNITS[1], UNITS[3]])


def test_pins_stay_on_a_reload_and_eight_are_the_most(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    pin(page, UNITS[:8])
    page.reload()
    expect(page.locator(".pinned-bar li")).to_have_count(8)
    page.evaluate("address => featviz.page.pins.toggle(address)", UNITS[8])
    expect(page.locator(".message")).to_contain_text("At most 8 units can be pinned")
    eventually(lambda: pinned(page), UNITS[:8])


def test_the_tray_unpins_by_keyboard_and_keeps_its_place(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    pin(page, THREE)
    page.get_by_role("button", name=f"Unpin {THREE[1]}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Unpin {THREE[2]}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Unpin {THREE[0]}")).to_be_focused()
    page.get_by_role("button", name="Unpin all").click()
    expect(page.locator(".pinned-bar")).to_be_hidden()
    eventually(lambda: pinned(page), [])


@pytest.mark.parametrize("name", [f"Unpin {UNITS[1]}", "Unpin all"])
@pytest.mark.parametrize(("hash_", "shown"), [("", "#pictures"), ("#unit=head:0", "#unit h1")])
def test_when_nothing_is_pinned_any_longer_the_keyboard_is_on_what_is_shown(
    hash_: str, shown: str, name: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, hash_)
    pin(page, [UNITS[1]])
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pinned-bar")).to_be_hidden()
    expect(page.locator(shown)).to_be_focused()


def test_the_tray_never_lies_over_the_unit_that_has_the_keyboard(
    page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": 900, "height": 620})
    open_page(page, model_page)
    pin(page, UNITS[:1])
    page.locator("a.cell").first.focus()
    expect(page.locator(".pinned-bar")).to_be_visible()
    for _ in range(6):
        page.keyboard.press("ArrowDown")
        eventually(
            lambda: page.evaluate(
                """document.activeElement.matches("a.cell")
                && document.activeElement.getBoundingClientRect().bottom
                <= document.querySelector(".pinned-bar").getBoundingClientRect().top"""
            )
        )


def test_units_are_compared_with_pictures_and_metrics(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    pin(page, THREE)
    page.evaluate("address => featviz.page.labels.set(address, {label: 'a label'})", THREE[2])
    page.get_by_role("link", name="Compare 3").click()
    expect(page.locator("#unit h1")).to_have_text("Compare units")
    expect(page.locator(".compared")).to_be_visible()
    eventually(lambda: columns(page), THREE)
    eventually(lambda: page.url.endswith("#pins=" + ",".join(THREE)))
    images = page.locator(".compared img")
    eventually(lambda: images.evaluate_all("all => all.map((image) => image.alt)"), THREE)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.compared img')].every((image) => image.naturalWidth)"
    )
    row = page.locator(".compared tr", has=page.get_by_role("rowheader", name="activation"))
    values = [float(activation(address, 1)[0]) for address in THREE]
    eventually(
        lambda: [float(text) for text in row.locator("td").all_inner_texts()],
        pytest.approx(values, rel=5e-4),
    )
    labels = page.locator(".compared tr", has=page.get_by_role("rowheader", name="Label"))
    eventually(lambda: labels.locator("td").all_inner_texts(), ["", "", "a label"])


def test_units_are_reordered_and_removed_by_keyboard_and_the_link_follows(
    page: Page, model_page: Path
) -> None:
    one, two, three = THREE
    open_page(page, model_page)
    pin(page, THREE)
    page.keyboard.press("b")
    page.get_by_role("button", name=f"Move right {one}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Move right {one}")).to_be_focused()
    eventually(lambda: columns(page), [two, one, three])
    page.keyboard.press("Enter")
    # It cannot go further: the keyboard is on what it can do.
    expect(page.get_by_role("button", name=f"Move left {one}")).to_be_focused()
    eventually(lambda: columns(page), [two, three, one])
    eventually(lambda: page.url.endswith(f"#pins={two},{three},{one}"))
    page.get_by_role("button", name=f"Remove {three}").click()
    expect(page.get_by_role("button", name=f"Remove {one}")).to_be_focused()
    eventually(lambda: columns(page) == pinned(page) == [two, one])


def test_units_are_reordered_and_removed_by_mouse(page: Page, model_page: Path) -> None:
    one, two, three = THREE
    open_page(page, model_page)
    pin(page, THREE)
    page.get_by_role("link", name="Compare 3").click()
    heads = page.locator(".compared thead th > a")
    expect(heads).to_have_text(THREE)
    page.get_by_role("button", name=f"Move left {three}").click()
    expect(heads).to_have_text([one, three, two])
    page.get_by_role("button", name=f"Move right {one}").click()
    expect(heads).to_have_text([three, one, two])
    eventually(lambda: pinned(page), [three, one, two])
    for address, left in ((one, [three, two]), (two, [three])):
        page.get_by_role("button", name=f"Remove {address}").click()
        expect(heads).to_have_text(left)
    page.get_by_role("button", name=f"Remove {three}").click()
    expect(page.get_by_text("No pinned units.")).to_be_visible()
    expect(page.locator("#unit h1")).to_be_focused()


def test_pins_labels_and_comparisons_lead_back_to_the_list_they_were_opened_from(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    words = "&sort=-activation&q=blocks"
    allow_clipboard(context)
    open_page(page, model_page, f"#units{words}")
    pin(page, UNITS[3:5])
    title = page.locator("#unit h1")

    def returns() -> None:
        page.keyboard.press("Escape")
        expect(page.locator("#unit")).to_be_hidden()
        eventually(lambda: page.evaluate("location.hash"), f"#units{words}")

    page.keyboard.press("b")
    expect(title).to_have_text("Compare units")
    eventually(lambda: page.evaluate("location.hash"), f"#pins={UNITS[3]},{UNITS[4]}{words}")
    returns()
    page.get_by_role("link", name="Compare 2").click()
    expect(page.locator(".compared")).to_be_visible()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".message")).to_contain_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{model_page.as_uri()}#pins={UNITS[3]},{UNITS[4]}"
    page.get_by_role("button", name=f"Move left {UNITS[4]}").click()
    expect(page.locator(".compared thead th > a").first).to_have_text(UNITS[4])
    page.locator(".compared thead th > a").first.click()
    expect(title).to_have_text(UNITS[4])
    returns()
    page.locator(".pinned-bar li a").first.click()
    expect(title).to_have_text(UNITS[4])
    returns()
    page.evaluate("address => featviz.page.labels.set(address, { label: 'a' })", UNITS[6])
    page.get_by_role("link", name="Labels and lists", exact=True).click()
    expect(title).to_have_text("Labels and lists")
    page.get_by_role("link", name=UNITS[6], exact=True).click()
    expect(title).to_have_text(UNITS[6])
    returns()


def test_a_link_shows_its_units_and_leaves_ones_own_pins_alone(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    pin(page, [UNITS[5]])
    open_page(page, model_page, f"#pins={THREE[0]},{THREE[1]}")
    expect(page.locator(".compared")).to_be_visible()
    eventually(lambda: columns(page), THREE[:2])
    page.get_by_role("button", name=f"Remove {THREE[0]}").click()
    expect(page.locator(".compared thead th")).to_have_count(1)
    eventually(lambda: pinned(page), [UNITS[5]])
    page.get_by_role("button", name="Pin these").click()
    eventually(lambda: pinned(page), [THREE[1]])
    expect(page.get_by_role("button", name="Pin these")).to_be_hidden()


def test_the_copied_link_of_a_comparison_opens_it(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, "#pins=" + ",".join(THREE))
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".message")).to_contain_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{model_page.as_uri()}#pins=" + ",".join(THREE)


def test_addresses_with_commas_and_ampersands_go_through_a_link() -> None:
    odd = ["a,b", "c&d=e", "%2C", "#", "f%", "\u2028", "plain:1@2"]
    hash_ = call("shared/address-links.js", "pinsHash", odd)
    assert hash_.count(",") == len(odd) - 1
    assert "&" not in hash_
    assert call("shared/address-links.js", "pinsOf", hash_.removeprefix("#pins=")) == odd


def test_unknown_and_surplus_units_of_a_link_are_reported(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#pins=head:99,{THREE[0]},{THREE[0]},%E0%A4%A")
    expect(page.locator("#unit .notice")).to_have_text(
        ["No unit head:99 in this gallery.", "No unit %E0%A4%A in this gallery."]
    )
    expect(page.locator(".compared thead th")).to_have_count(1)
    open_page(page, model_page, "#pins=" + ",".join(UNITS[:10]))
    expect(page.locator("#unit .notice")).to_contain_text("more than 8 units")
    expect(page.locator(".compared thead th")).to_have_count(8)


def test_without_pins_the_view_tells_how_to_pin(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#pins")
    expect(page.get_by_text("No pinned units.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()


def test_a_comparison_scrolls_in_its_own_place(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    pin(page, UNITS[:8])
    open_page(page, model_page, "#pins=" + ",".join(UNITS[:8]))
    table = page.get_by_role("region", name="Comparison")
    expect(table).to_be_visible()
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        fits(page, width)
        eventually(lambda: table.evaluate("node => node.scrollWidth > node.clientWidth"))
    table.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.compared').scrollLeft > 40")


def test_the_headings_of_a_comparison_stay_in_view(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#pins=" + ",".join(UNITS[:8]))
    page.set_viewport_size({"width": 900, "height": 240})
    table = page.get_by_role("region", name="Comparison")
    last = page.get_by_role("rowheader").last
    expect(last).to_be_attached()
    page.evaluate("document.querySelector('.compared').scrollIntoView()")
    table.evaluate("node => node.scrollTo(300, 9999)")
    eventually(lambda: bool(table.evaluate("node => node.scrollTop > 20")))
    for heading in (page.get_by_role("columnheader").last, last):
        box, view = heading.bounding_box(), table.bounding_box()
        assert box is not None
        assert view is not None
        if heading == last:
            assert box["x"] == pytest.approx(view["x"], abs=1)
        else:
            assert box["y"] == pytest.approx(view["y"], abs=2)


def test_escape_leads_from_a_comparison_to_the_unit_it_was_opened_from(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[2]}")
    pin(page, THREE)
    title = page.locator("#unit h1")
    expect(title).to_have_text(UNITS[2])
    page.keyboard.press("b")
    expect(title).to_have_text("Compare units")
    page.get_by_role("button", name=f"Move right {THREE[0]}").click()
    expect(page.locator(".compared thead th > a").first).to_have_text(THREE[1])
    page.keyboard.press("Escape")
    expect(title).to_have_text(UNITS[2])
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()
    page.keyboard.press("b")
    expect(title).to_have_text("Compare units")
    page.keyboard.press("Escape")  # this time it was opened from the list
    expect(page.locator("#unit")).to_be_hidden()


def test_a_message_goes_with_the_view_that_it_is_about(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[2]}")
    expect(page.locator("#unit h1")).to_have_text(UNITS[2])
    page.keyboard.press("f")
    expect(page.locator(".message")).to_contain_text("added to favorites")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit h1")).to_have_text(UNITS[3])
    assert page.locator(".message").inner_text() == ""


def test_a_pressed_button_does_not_differ_by_color_alone(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[2]}")
    button = page.locator(".unit-tools").get_by_role("button", name="Pin")
    mark = "node => getComputedStyle(node, '::after').content"
    assert button.evaluate(mark) == "none"
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert "\u2713" in button.evaluate(mark)


def test_axe_finds_nothing_serious_in_a_comparison(schemed: Page, model_page: Path) -> None:
    open_page(schemed, model_page)
    pin(schemed, [DIVERSE, *THREE])
    schemed.keyboard.press("b")
    expect(schemed.locator(".compared img")).to_have_count(4)
    assert violations(schemed) == []
