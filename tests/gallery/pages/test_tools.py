"""Finding units: search, go to an address, sort, filter, chance, keys; and links of all these."""

from __future__ import annotations

import io
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

import gallery
from tests.gallery.big import WIDTH, addresses, columns
from tests.gallery.browsing import (
    allow_clipboard,
    back,
    box_of,
    eventually,
    forward,
    open_page,
)
from tests.gallery.conftest import UNITS
from tests.gallery.made_stores import activation, write_store
from tests.gallery.pages.test_grid import big as big  # noqa: PLC0414  # a fixture
from tests.gallery.results import write_everything


def listed(page: Page) -> list[str]:
    """The units of the list, in order, in the document or not."""
    return list(
        page.evaluate("[...featviz.page.grid.units].map((i) => featviz.page.unitTable.address(i))")
    )


def sorted_by(key: str, down: bool) -> list[str]:
    """Written again, another way: equals in the order of the page, what is unknown last."""
    values = [float(f"{v:.5g}") for v in columns()[key]]
    ranks = [(np.isnan(v), -v if down else v, i) for i, v in enumerate(values)]
    names = addresses()
    return [names[i] for *_, i in sorted((n, 0 if n else v, i) for n, v, i in ranks)]


@pytest.mark.parametrize(("key", "down"), [("ratio", True), ("fine", False), ("agreement", True)])
def test_a_choice_sorts_better_first_and_what_is_unknown_last(
    key: str, down: bool, page: Page, big: Path
) -> None:
    open_page(page, big)
    page.get_by_role("combobox", name="Sort").select_option(key)
    expect(page.locator("#units h2")).to_have_count(0)
    eventually(lambda: listed(page), sorted_by(key, down))
    eventually(lambda: page.url.endswith(f"#units&sort={'-' if down else ''}{key}"))
    names = ("Highest first; reverse order", "Lowest first; reverse order")
    now, then = names if down else names[::-1]
    page.get_by_role("button", name=now).click()
    expect(page.get_by_role("button", name=then)).to_be_visible()
    eventually(lambda: listed(page), sorted_by(key, not down))
    eventually(lambda: page.url.endswith(f"#units&sort={'' if down else '-'}{key}"))
    back(page)
    expect(page.get_by_role("button", name=now)).to_be_visible()
    eventually(lambda: listed(page), sorted_by(key, down))


def test_the_keyboard_chooses_a_sort_and_turns_it(page: Page, big: Path) -> None:
    open_page(page, big)
    page.keyboard.press("s")
    expect(page.get_by_role("combobox", name="Sort")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("combobox", name="Sort")).to_have_value("ratio")
    turn = page.get_by_role("button", name=re.compile("reverse order"))
    expect(turn).to_have_attribute("aria-label", re.compile("^Highest first"))
    eventually(lambda: listed(page), sorted_by("ratio", down=True))
    page.keyboard.press("Tab")
    expect(turn).to_be_focused()
    page.keyboard.press("Enter")
    expect(turn).to_have_attribute("aria-label", re.compile("^Lowest first"))
    expect(turn).to_be_focused()
    eventually(lambda: listed(page), sorted_by("ratio", down=False))


def test_captions_have_the_metric_sorted_by(page: Page, big: Path) -> None:
    open_page(page, big, "#units&sort=-ratio")
    first = sorted_by("ratio", down=True)[0]
    cell = page.locator(".cell").first
    value = cell.locator("b").inner_text()
    assert float(value) == pytest.approx(columns()["ratio"].max(), rel=5e-4)
    # All layers are of one kind, so that the number of the block names one.
    block, number = re.findall(r"[0-9]+", first.replace("fc1", ""))
    expect(cell).to_have_attribute("data-name", f"{block}:{number}")
    expect(cell).to_have_attribute("aria-label", f"{first}, ratio {value}")


def test_captions_have_the_metrics_filtered_by(page: Page, big: Path) -> None:
    open_page(page, big, "#units&where=ratio>=3.5,ratio<=4,fine<=2")
    values = page.locator(".cell").first.locator("b").inner_text().split("\n")
    assert len(values) == 2
    assert 3.5 <= float(values[0]) <= 4
    assert float(values[1]) <= 2


def test_a_label_is_a_line_below_the_name_of_its_unit(page: Page, big: Path) -> None:
    open_page(page, big)
    cell = page.locator(".cell").nth(3)
    name = cell.get_attribute("data-name")
    height = box_of(cell)["height"]
    page.evaluate("featviz.page.labels.set('blocks.0.mlp.fc1:3', { label: 'blue stripes' })")
    expect(cell.locator("span")).to_have_text("blue stripes")
    expect(cell).to_have_attribute("data-name", name or "")
    assert box_of(cell)["height"] > height


def test_the_size_of_pictures_is_chosen_and_kept(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    width = "cell => parseFloat(getComputedStyle(cell, '::before').width)"
    first = page.locator(".cell").first
    size = page.get_by_role("combobox", name="Size of pictures")
    size.select_option("XL")  # as many as fit beside each other, and they fill the width
    eventually(lambda: 224 <= first.evaluate(width) < 250, True)
    for name, wanted in [("S", 64), ("L", 144)]:
        size.select_option(name)
        eventually(lambda: first.evaluate(width), wanted)  # called at once
    image = first.evaluate("cell => getComputedStyle(cell, '::before').backgroundImage")
    assert "/pictures/" in image  # of full size, as the sheets are too small
    page.reload()
    expect(size).to_have_value("L")
    eventually(lambda: first.evaluate(width), 144)


def test_ranges_of_numbers_leave_just_the_units_within(page: Page, big: Path) -> None:
    open_page(page, big)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("textbox", name="ratio, minimum").press_sequentially("3.5")
    page.get_by_role("textbox", name="ratio, maximum").press_sequentially("4")
    page.get_by_role("textbox", name="agreement, maximum").press_sequentially("2")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="agreement, maximum").blur()
    ratio, agreement = (columns()[key] for key in ("ratio", "agreement"))
    within = (ratio >= 3.5) & (ratio <= 4) & (agreement <= 2)
    wanted = [name for name, is_in in zip(addresses(), within, strict=True) if is_in]
    expect(page.locator("#count")).to_have_text(f"{len(wanted):,} of 18,432\u00a0units")
    eventually(lambda: listed(page), wanted)
    where = "#units&where=ratio>=3.5,ratio<=4,agreement<=2"
    eventually(lambda: unquote(page.url).endswith(where))
    page.get_by_role("link", name="Remove filter: ratio \u2264 4").click()
    within = (ratio >= 3.5) & (agreement <= 2)
    expect(page.locator("#count")).to_contain_text(f"{int(within.sum()):,} of")
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("#count")).to_have_text("18,432\u00a0units")


def test_a_bound_that_is_no_number_is_marked_until_it_is_cleared_and_filters_nothing(
    page: Page, big: Path
) -> None:
    open_page(page, big)
    page.keyboard.press("n")
    box = page.get_by_role("textbox", name="ratio, minimum")
    box.press_sequentially("high")
    box.press("Tab")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_have_text(
        "ratio, minimum: \u201chigh\u201d is not a number, and is not applied. "
    )
    eventually(lambda: len(listed(page)), len(addresses()))
    other = page.get_by_role("textbox", name="fine, maximum")
    other.press_sequentially("2")
    other.press("Enter")
    expect(page.get_by_role("link", name="Remove filter: fine \u2264 2")).to_be_visible()
    expect(box).to_have_value("high")  # to be corrected
    box.fill("")
    box.press("Enter")
    expect(box).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_keyboard_narrows_by_numbers_and_takes_each_bound_away(page: Page, big: Path) -> None:
    ratio, fine = (columns()[key] for key in ("ratio", "fine"))
    open_page(page, big)
    page.keyboard.press("n")
    box = page.get_by_role("textbox", name="ratio, minimum")
    for _ in range(12):
        if box.evaluate("box => box === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(box).to_be_focused()
    page.keyboard.type("3.5")
    page.keyboard.press("Enter")
    status = page.locator("#count")
    expect(status).to_have_text(f"{(ratio >= 3.5).sum():,} of 18,432\u00a0units")
    upper = page.get_by_role("textbox", name="fine, maximum")
    upper.focus()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(status).to_have_text(f"{((ratio >= 3.5) & (fine <= 2)).sum():,} of 18,432\u00a0units")
    page.get_by_role("link", name="Remove filter: ratio \u2265 3.5").focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text(f"{(fine <= 2).sum():,} of 18,432\u00a0units")
    # The focus is on the link that replaced the removed one.
    expect(page.get_by_role("link", name="Remove filter: fine \u2264 2")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Clear filters")).to_be_focused()
    page.keyboard.press("Enter")
    expect(status).to_have_text("18,432\u00a0units")
    expect(page.get_by_role("button", name="Filter", exact=True)).to_be_focused()


def test_search_finds_all_words_in_address_or_label(page: Page, big: Path) -> None:
    open_page(page, big)
    page.evaluate("featviz.page.labels.set('blocks.3.mlp.fc1:7', { label: 'Blue Stripes' })")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("stripes")
    expect(page.locator("#count")).to_contain_text("1 of")
    eventually(lambda: listed(page), ["blocks.3.mlp.fc1:7"])
    page.locator("#search").fill("blocks.3. :7")
    wanted = [f"blocks.3.mlp.fc1:{i}" for i in range(WIDTH) if str(i).startswith("7")]
    expect(page.locator("#count")).to_contain_text(f"{len(wanted)} of")
    eventually(lambda: listed(page), wanted)
    page.keyboard.press("Escape")  # closes the suggestions
    expect(page.locator("#found")).to_be_hidden()
    page.keyboard.press("Escape")
    eventually(lambda: page.evaluate("document.activeElement.ariaLabel"), wanted[0])
    page.locator("#search").fill("no such unit")
    expect(page.get_by_text("No units match.")).to_be_visible()


def test_a_search_is_one_step_of_the_history_whatever_was_typed(page: Page, big: Path) -> None:
    open_page(page, big)
    page.locator("#sites a").nth(5).click()
    before = page.evaluate("history.length")
    page.locator("#search").press_sequentially("fc1:99")
    expect(page.locator("#count")).to_contain_text("11 of")
    eventually(lambda: page.evaluate("history.length"), before + 1)
    back(page)  # to the layer, which the search is no replacement of
    expect(page.locator("#count")).to_contain_text("1,536 of")
    eventually(lambda: page.evaluate("location.hash"), "#site=blocks.4.mlp.fc1")


@pytest.mark.parametrize("key", ["/", "g"])
def test_keys_go_to_an_address_in_the_search_box(key: str, page: Page, big: Path) -> None:
    open_page(page, big)
    page.keyboard.press(key)
    box = page.locator("#search")
    expect(box).to_be_focused()
    page.keyboard.type("blocks.4.mlp.fc1:15")
    options = page.locator("#found [role=option]")
    expect(options).to_have_count(6)
    for place, number in enumerate((15, 150, 151)):
        expect(options.nth(place)).to_have_text(f"blocks.4.mlp.fc1:{number}")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "found-1")
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text("blocks.4.mlp.fc1:150")
    # The unit is one of all, not of those with the text.
    eventually(lambda: page.evaluate("location.hash"), "#unit=blocks.4.mlp.fc1:150")


def test_a_block_and_a_number_name_a_unit(page: Page, big: Path) -> None:
    open_page(page, big)
    page.locator("#search").fill("9:2")
    expect(page.locator("#found [role=option]")).to_have_text(["blocks.9.mlp.fc1:2"])
    eventually(lambda: listed(page), ["blocks.9.mlp.fc1:2"])
    page.locator("#search").press("Enter")
    expect(page.locator("#unit h1")).to_have_text("blocks.9.mlp.fc1:2")


def test_a_mistyped_address_suggests_the_nearest(page: Page, big: Path) -> None:
    open_page(page, big)
    page.locator("#search").fill("blocks.4.mlp.fc2:15")
    options = page.locator("#found [role=option]")
    expect(options.first).to_have_text("Nearest: blocks.4.mlp.fc1:0")
    expect(page.get_by_text("No units match.")).to_be_visible()
    options.nth(2).click()
    expect(page.locator("#unit h1")).to_have_text("blocks.4.mlp.fc1:2")


def test_a_text_that_matches_nothing_is_named_with_a_way_out(page: Page, big: Path) -> None:
    open_page(page, big)
    box = page.locator("#search")
    box.fill("zzz")
    expect(page.locator("#none")).to_have_text("No unit matches \u201czzz\u201d")
    box.press("Enter")
    expect(page.locator("#none")).to_be_hidden()
    page.get_by_role("link", name="Show all 18,432\u00a0units").click()
    eventually(lambda: listed(page), addresses())
    expect(box).to_have_value("")


def test_a_layer_without_matches_cannot_be_followed_and_all_counts_are_of_the_filter(
    page: Page, big: Path
) -> None:
    open_page(page, big, "#units&q=blocks.3.%20:7")
    counts = page.locator("#sites a .quiet")
    wanted = [a for a in addresses() if a.startswith("blocks.3.") and ":7" in a]
    count = str(len(wanted))
    eventually(counts.all_inner_texts, [count] + ["0"] * 3 + [count] + ["0"] * 8)
    assert page.locator("#sites a[href]").count() == 2  # of the layer, and of all
    few = columns()["ratio"] > 13
    open_page(page, big, "#units&where=ratio>13")
    eventually(lambda: len(listed(page)), int(few.sum()))
    layers = {int(a.split(".")[1]) for a in listed(page)}
    assert len(layers) < 12
    page.keyboard.press("]")
    first = min(layers)
    eventually(lambda: page.evaluate("location.hash").startswith(f"#site=blocks.{first}."))
    open_page(page, big, "#units&q=blocks.3.%20:7&layer=blocks.5.mlp.fc1")
    page.get_by_role("link", name=f"Show {len(wanted)}\u00a0units of other layers").click()
    eventually(lambda: listed(page), wanted)


@pytest.mark.parametrize(
    ("hash_", "wanted"),
    [
        ("#nosuch", "this gallery has no section \u201cnosuch\u201d"),
        ("#units&sort=-nothing", "units have no metric \u201cnothing\u201d"),
        ("#units&where=ratio>x", "\u201cratio>x\u201d is no bound of a metric"),
        ("#units&hue=blue", "\u201chue=blue\u201d is unknown"),
        ("#units&only=some", "\u201conly=some\u201d is unknown"),
        ("#site=blocks.77", "there is no layer \u201cblocks.77\u201d"),
        ("#units&layer=blocks.77", "there is no layer \u201cblocks.77\u201d"),
    ],
)
def test_a_link_that_cannot_be_followed_says_so(
    hash_: str, wanted: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, hash_)
    expect(page.locator("#problem")).to_contain_text(wanted)
    page.locator("#views a").first.click()
    expect(page.locator("#problem")).to_be_hidden()


def test_chance_opens_a_unit_of_the_list_that_is_shown(page: Page, big: Path) -> None:
    open_page(page, big, "#units&where=ratio%3E=9")
    few = listed(page)
    assert 0 < len(few) < 200
    page.get_by_role("button", name="Random").click()
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(re.compile(":"))
    eventually(lambda: heading.inner_text() in few)
    back(page)
    expect(page.locator("#unit")).to_be_hidden()
    page.keyboard.press("r")
    expect(heading).to_have_text(re.compile(":"))
    eventually(lambda: heading.inner_text() in few)


def test_only_favorites_labeled_or_pinned_are_shown_and_the_list_follows(
    page: Page, big: Path
) -> None:
    open_page(page, big)
    page.locator(".cell").nth(2).focus()
    page.keyboard.press("f")
    expect(page.locator(".cell").nth(2)).to_have_class(re.compile("favorite"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    expect(page.locator(".cell").nth(3)).to_have_class(re.compile("pinned"))
    page.evaluate("featviz.page.labels.set('blocks.9.mlp.fc1:1', { label: 'eyes' })")
    page.get_by_role("button", name="Filter", exact=True).click()
    choice = page.get_by_role("combobox", name="Show")
    for name, wanted in [
        ("favorites", "blocks.0.mlp.fc1:2"),
        ("pinned", "blocks.0.mlp.fc1:3"),
        ("labeled", "blocks.9.mlp.fc1:1"),
    ]:
        choice.select_option(name)
        expect(page.locator("#count")).to_contain_text("1 of")
        eventually(lambda: listed(page), [wanted])
    page.evaluate("featviz.page.labels.set('blocks.9.mlp.fc1:1', { label: '' })")
    expect(page.get_by_text("No units match.")).to_be_visible()


def test_the_list_shows_what_was_marked_on_a_units_page(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    cell = page.locator(f".cell[aria-label='{UNITS[1]}']")
    cell.click()
    expect(page.locator("#unit h1")).to_have_text(UNITS[1])
    page.keyboard.press("f")
    page.keyboard.press("p")
    page.keyboard.press("l")
    page.keyboard.type("eyes")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(cell).to_be_focused()
    expect(cell).to_have_attribute("aria-description", "eyes, favorite, pinned")
    expect(cell.locator("span")).to_have_text("eyes")
    expect(cell).to_have_class("cell favorite pinned")


def test_a_pin_is_shown_by_a_mark_that_is_not_the_keyboards(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    marks = """cell => {
        const { backgroundImage, outlineStyle } = getComputedStyle(cell, "::before");
        return [backgroundImage.split("(")[0], outlineStyle];
    }"""
    cell = page.locator(".cell").nth(2)
    eventually(lambda: cell.evaluate(marks), ["url", "none"])
    cell.focus()
    page.keyboard.press("p")
    expect(cell).to_be_focused()
    eventually(lambda: cell.evaluate(marks), ["linear-gradient", "solid"])
    page.keyboard.press("ArrowRight")
    eventually(lambda: cell.evaluate(marks), ["linear-gradient", "none"])


def test_a_removed_favorite_keeps_its_neighbors_in_the_list_of_favorites(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    for address in UNITS[2:6]:
        page.evaluate("address => featviz.page.labels.set(address, { favorite: true })", address)
    open_page(page, model_page, f"#unit={UNITS[3]}&only=favorites")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[3])
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text(UNITS[4])
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text(UNITS[3])
    page.keyboard.press("Escape")
    expect(page.locator(".cell")).to_have_count(3)
    eventually(lambda: listed(page), [UNITS[2], UNITS[4], UNITS[5]])
    page.locator(".cell").nth(1).press("Enter")
    expect(heading).to_have_text(UNITS[4])
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(page.locator(".cell")).to_have_count(2)
    expect(page.locator(f".cell[aria-label='{UNITS[5]}']")).to_be_focused()


def test_what_is_forgotten_on_the_page_of_labels_is_gone_from_the_list(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    for address in UNITS[2:5]:
        page.evaluate("address => featviz.page.labels.set(address, { label: 'a' })", address)
    open_page(page, model_page, "#units&only=labeled")
    expect(page.locator(".cell")).to_have_count(3)
    page.get_by_role("link", name="Labels and lists", exact=True).click()
    page.get_by_role("button", name=f"Remove label and favorite of {UNITS[3]}").click()
    expect(page.locator(".labeled-unit")).to_have_count(2)
    back(page)
    expect(page.locator(".cell")).to_have_count(2)
    eventually(lambda: listed(page), [UNITS[2], UNITS[4]])


def test_the_skip_link_leaves_a_sorted_list_as_it_is(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#units&sort=-activation&q=blocks")
    wanted = sorted((u for u in UNITS if "blocks" in u), key=lambda u: -activation(u, 1)[0])
    eventually(lambda: listed(page), wanted)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".cell").first).to_be_focused()
    eventually(lambda: page.evaluate("location.hash"), "#units&sort=-activation&q=blocks")
    eventually(lambda: listed(page), wanted)


def test_the_tab_key_stops_at_one_layer_and_arrows_move_between_them(page: Page, big: Path) -> None:
    open_page(page, big, "#site=blocks.3.mlp.fc1")
    stops = page.locator("#sites a[tabindex='0']")
    expect(stops).to_have_count(1)
    expect(stops).to_have_text(re.compile(r"^blocks\.3\."))
    stops.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#sites a").nth(5)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#sites a").nth(3)).to_be_focused()


def test_shortcuts_of_one_key_can_be_turned_off(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):  # also when the page is opened again
        for key in ("s", "/", "r", "?"):
            page.keyboard.press(key)
        expect(dialog).to_be_hidden()
        expect(page.locator("#sort")).not_to_be_focused()
        eventually(lambda: page.evaluate("location.hash"), "")
        page.reload()
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")  # is no character
    expect(page.locator(".cell").nth(1)).to_be_focused()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    dialog.get_by_role("checkbox").check()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#sort")).to_be_focused()


def test_a_picture_under_the_mouse_is_shown_larger(page: Page, big: Path) -> None:
    open_page(page, big)
    preview = page.locator(".preview")
    expect(preview).to_be_hidden()
    page.locator(".cell").nth(2).hover()
    expect(preview).to_be_visible()
    expect(preview).to_have_text("blocks.0.mlp.fc1:2")
    eventually(lambda: box_of(preview.locator(".sprite"))["width"], 224)
    page.keyboard.press("Escape")
    expect(preview).to_be_hidden()


@pytest.mark.parametrize("size", [(640, 400), (390, 800)])
def test_pictures_are_in_a_small_window_and_the_search_is_one_step_away(
    size: tuple[int, int], page: Page, big: Path
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_page(page, big)
    page.evaluate("for (const i of [1, 2]) featviz.page.pins.toggle(`blocks.0.mlp.fc1:${i}`)")
    box = box_of(page.locator(".cell").first)
    bar = box_of(page.locator(".pinned-bar"))
    assert box["y"] + 32 <= bar["y"]  # half of a picture at least
    page.evaluate("scrollTo(0, 9000)")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#search")).to_be_focused()
    eventually(lambda: page.evaluate("scrollY"), 0)


@pytest.mark.parametrize("hash_", ["", "#units&sort=-ratio"])
def test_the_link_of_a_layer_shows_only_its_units_in_every_order(
    hash_: str, page: Page, big: Path
) -> None:
    open_page(page, big, hash_)
    order = listed(page)
    expect(page.locator("#sites .caption")).to_have_text("Show layer")
    links = page.locator("#sites a")
    expect(links.first).to_have_text("All layers 18,432")
    expect(links.first).to_have_attribute("aria-current", "true")
    links.nth(5).click()
    expect(page.locator("#count")).to_contain_text("1,536 of")
    eventually(lambda: listed(page), [a for a in order if a.startswith("blocks.4.")])
    expect(page.locator("#sites a[aria-current]")).to_have_text("blocks.4.mlp.fc1 1,536")
    links.first.click()
    expect(page.locator("#count")).to_have_text("18,432\u00a0units")


def test_a_unit_carries_the_list_it_was_opened_from(page: Page, big: Path) -> None:
    order = sorted_by("ratio", down=True)
    open_page(page, big, "#units&sort=-ratio")
    page.locator(".cell").first.click()
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(order[0])
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text(order[1])
    page.keyboard.press("Escape")
    expect(page.locator(f".cell[aria-label^='{order[1]}, ']")).to_be_focused()
    eventually(lambda: page.url.endswith("#units&sort=-ratio"))
    back(page)
    expect(heading).to_have_text(order[1])
    forward(page)
    expect(page.locator("#unit")).to_be_hidden()


@pytest.mark.parametrize(
    "hash_",
    [
        "#units&sort=-nothing",
        "#units&sort=__proto__&where=constructor>1",
        "#units&where=ratio>x,ratio,>3",
        "#units&only=toString&hue=blue",
        "#units&&&=&q",
        "#&",
        "#units=x&q=%E0%A4%A",
    ],
)
def test_what_a_hash_says_in_vain_is_left_out(hash_: str, page: Page, big: Path) -> None:
    open_page(page, big, hash_)
    expect(page.locator("#tools")).to_be_visible()
    if "q=" not in hash_:
        eventually(lambda: listed(page), addresses())


def test_every_view_reads_back_what_its_link_was_written_from(page: Page, big: Path) -> None:
    open_page(page, big)
    text = 'a&b=c #%\u2028"<é>'
    where = [{"key": "ratio", "op": ">", "value": 1.25}, {"key": "fine", "op": "<=", "value": -2}]
    wanted = {"sort": "fine", "down": True, "where": where, "q": text, "layer": "a&b"}
    link = page.evaluate(
        "(changes) => featviz.page.view.link(changes)", {**wanted, "only": "pinned"}
    )
    open_page(page, big, link)
    state = page.evaluate("featviz.page.view.state()")
    assert {key: state[key] for key in wanted} == wanted
    assert state["only"] == "pinned"
    expect(page.get_by_text("No units match.")).to_be_visible()


def test_the_keys_are_listed_and_never_taken_from_a_text(page: Page, big: Path) -> None:
    open_page(page, big)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    listed_keys = set(dialog.locator("kbd").all_inner_texts())
    assert {"/", "g", "s", "n", "r", "[", "]", "?", "p", "f", "l", "Esc", "Enter"} <= listed_keys
    page.keyboard.press("r")
    eventually(lambda: page.evaluate("location.hash"), "")  # where a unit would be named at once
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("#search").focus()
    page.keyboard.type("r?/s[")
    expect(page.locator("#search")).to_have_value("r?/s[")
    expect(dialog).to_be_hidden()
    page.locator("#search").blur()
    page.keyboard.press("Control+g")
    expect(page.locator("#search")).not_to_be_focused()
    page.keyboard.press("s")
    expect(page.locator("#sort")).to_be_focused()


def test_the_button_shows_the_keys_and_gives_the_place_back(page: Page, big: Path) -> None:
    open_page(page, big)
    button = page.get_by_role("button", name="Keyboard shortcuts")
    button.click()
    page.get_by_role("button", name="Close").click()
    expect(button).to_be_focused()


def test_a_key_in_the_grid_leads_to_the_label_of_the_unit(page: Page, big: Path) -> None:
    open_page(page, big)
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("l")
    expect(page.locator("#unit h1")).to_have_text("blocks.0.mlp.fc1:1")
    expect(page.get_by_role("textbox", name="Label")).to_be_focused()


BRUSH = ".range[aria-label='ratio'] .brush"


def test_a_range_is_chosen_on_the_histogram_of_a_metric(page: Page, big: Path) -> None:
    ratio = columns()["ratio"]
    open_page(page, big)
    page.keyboard.press("n")
    box = box_of(page.locator(BRUSH))
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10)
    page.mouse.up()
    texts = [page.get_by_role("textbox", name=f"ratio, {end}") for end in ("minimum", "maximum")]
    expect(texts[0]).not_to_have_value("")
    low, high = (float(text.input_value()) for text in texts)
    span = ratio.max() - ratio.min()
    pixel = span / box["width"]
    assert low == pytest.approx(ratio.min() + 0.25 * span, abs=1.5 * pixel)
    assert high == pytest.approx(ratio.min() + 0.5 * span, abs=1.5 * pixel)
    inside = int(((ratio >= low) & (ratio <= high)).sum())
    expect(page.locator("#count")).to_have_text(f"{inside:,} of 18,432\u00a0units")
    # The upper bound is moved to the end, where it is none.
    page.mouse.move(box["x"] + 0.5 * box["width"] + 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 40, box["y"] + 10)
    page.mouse.up()
    expect(texts[1]).to_have_value("")
    expect(page.locator("#count")).to_have_text(f"{(ratio >= low).sum():,} of 18,432\u00a0units")


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_no_box_cuts_its_placeholder(width: int, page: Page, big: Path) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, big, "#units&sort=-ratio")
    # As long as numbers of four digits get.
    page.evaluate("featviz.page.unitTable.extent = () => [-0.00006299, 0.00003794]")
    page.locator("#filter").click()
    cut = page.evaluate(
        """() => [...document.querySelectorAll("#tools input")].filter((input) => {
            const { font, paddingLeft, paddingRight } = getComputedStyle(input);
            const pen = document.createElement("canvas").getContext("2d");
            pen.font = font;
            const room = input.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
            return pen.measureText(input.placeholder).width > room;
        }).map((input) => input.placeholder)"""
    )
    assert cut == []


def test_small_pictures_are_enlarged_by_whole_numbers_without_smoothing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    style = """cell => {
        const style = getComputedStyle(cell, "::before");
        return [style.backgroundSize, style.imageRendering];
    }"""
    cell = page.locator(".cell").first
    for name, factor in [("L", 4), ("XL", 7)]:  # of 32 x 24 pixels
        page.get_by_role("combobox", name="Size of pictures").select_option(name)
        eventually(lambda: cell.evaluate(style), [f"{32 * factor}px {24 * factor}px", "pixelated"])


@pytest.mark.parametrize(("width", "name"), [(1280, "M"), (1920, "L")])
def test_pictures_of_few_units_are_larger_in_a_wide_window(
    width: int, name: str, page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 1080})
    open_page(page, model_page)
    expect(page.get_by_role("combobox", name="Size of pictures")).to_have_value(name)


def test_the_link_of_a_list_is_copied(page: Page, model_page: Path) -> None:
    allow_clipboard(page.context)
    open_page(page, model_page, "#units&sort=-activation&q=blocks")
    expect(page.locator(".cell").first).to_be_visible()
    page.keyboard.press("y")
    expect(page.locator(".message")).to_contain_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.endswith("#units&sort=-activation&q=blocks")


def test_filters_that_escape_has_cleared_come_back(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#units&where=activation>5&q=blocks")
    filtered = listed(page)
    assert 0 < len(filtered) < len(UNITS)
    page.keyboard.press("Escape")
    eventually(lambda: listed(page), UNITS)
    page.locator(".message").get_by_role("button", name="Undo").click()
    eventually(lambda: listed(page), filtered)


def test_the_header_is_low(page: Page, big: Path) -> None:
    open_page(page, big)
    assert box_of(page.locator("#lists > header"))["height"] <= 80


def test_what_is_cut_off_sideways_has_a_shadow_until_it_is_scrolled_to(
    page: Page, browser_name: str, tmp_path: Path
) -> None:
    if browser_name == "firefox":
        pytest.skip("a screenshot adds a style, which the page refuses")
    units = ["head:0"]
    stores = [write_everything(tmp_path / "all", units), write_store(tmp_path / "units", units)]
    gallery.export(stores, tmp_path / "site")
    page.set_viewport_size({"width": 390, "height": 800})
    (found,) = (tmp_path / "site").glob("cueworld-vit-*.html")
    open_page(page, found)
    tabs = page.locator("#views")
    bottom = box_of(tabs)

    def edge() -> float:
        x = bottom["x"] + bottom["width"] - 3
        clip: FloatRect = {"x": x, "y": bottom["y"] + 1, "width": 2, "height": 3}
        shot = page.screenshot(clip=clip)
        return float(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).mean())

    paper = 250
    eventually(lambda: edge() < paper - 20)
    tabs.evaluate("tabs => { tabs.scrollLeft = tabs.scrollWidth; }")
    eventually(lambda: edge() >= paper - 5)
