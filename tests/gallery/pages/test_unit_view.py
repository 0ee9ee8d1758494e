"""The page of one unit in real browsers, opened from the file system."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.gallery.browser.sources import call
from tests.gallery.browsing import (
    allow_clipboard,
    back,
    eventually,
    fits,
    open_page,
    press_at_once,
    violations,
)
from tests.gallery.conftest import DIVERSE, TOKENS, UNITS
from tests.gallery.made_stores import activation


@pytest.fixture
def spoilt(site: Path, tmp_path: Path) -> Path:
    """A copy of the gallery, to be damaged; its model's page."""
    (found,) = shutil.copytree(site, tmp_path / "site").glob("cueworld-vit-*.html")
    return found


def change_details(page: Path, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change what a gallery tells of each picture row."""
    for shard in page.parent.glob("data-1/1/details/*.js"):
        head, text = shard.read_text().rstrip(";\n").split("=[", 1)
        entries = [change(entry) for entry in json.loads("[" + text)]
        shard.write_text(f"{head}={json.dumps(entries)};\n")


def test_previous_and_next_run_through_all_units_in_order(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[0])
    expect(page.locator("a[rel=prev]")).to_have_count(0)
    open_page(page, model_page, f"#unit={UNITS[29]}")
    expect(page.locator("a[rel=prev]")).to_have_attribute("aria-label", re.compile(UNITS[28] + "$"))
    for address in UNITS[30:]:  # the details of these are in two scripts
        page.locator("a[rel=next]").click()
        expect(heading).to_have_text(address)
        expect(page.locator(".command code")).to_contain_text(f" {address} ")
    expect(page.locator("a[rel=next]")).to_have_count(0)


def test_the_arrow_keys_go_to_neighbors_and_the_position_is_shown(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[4]}")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[4])
    expect(page.locator(".steps .quiet")).to_have_text(f"5 of {len(UNITS)}")
    for key, address in (
        ("ArrowRight", UNITS[5]),
        ("ArrowRight", UNITS[6]),
        ("ArrowLeft", UNITS[5]),
    ):
        page.keyboard.press(key)
        expect(heading).to_have_text(address)
    expect(heading).to_be_focused()


def test_keys_that_are_pressed_at_once_act_on_the_unit_that_each_leads_to(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[4]}")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[4])
    press_at_once(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "f")
    expect(heading).to_have_text(UNITS[6])
    eventually(
        lambda: page.evaluate("featviz.page.labels.entries().map(([address]) => address)"),
        [UNITS[6]],
    )
    press_at_once(page, "Escape", "ArrowRight", "f")
    expect(page.locator(f".cell[aria-label='{UNITS[7]}']")).to_be_focused()
    eventually(lambda: page.evaluate("featviz.page.labels.entries().length"), 2)


def test_the_neighbors_of_a_unit_are_those_in_the_list_it_came_from(
    page: Page, model_page: Path
) -> None:
    falling = sorted(UNITS, key=lambda unit: -activation(unit, 1)[0])
    open_page(page, model_page, f"#unit={falling[1]}&sort=-activation")
    heading = page.locator("#unit h1")
    expect(page.locator(".steps .quiet")).to_have_text(f"2 of {len(UNITS)}")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text(falling[2])
    page.locator("a[rel=prev]").click()
    expect(heading).to_have_text(falling[1])
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()
    eventually(lambda: page.url.endswith("#units&sort=-activation"))


def test_a_deep_link_opens_the_unit_with_all_its_configurations(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    expect(page.locator("#unit h1")).to_have_text(DIVERSE)
    blocks = page.locator(".render")
    expect(page.locator(".render > h2")).to_have_text(
        ["samples 1, diversity 0.0", "samples 4, diversity 1.0"]
    )
    expect(blocks.nth(0).locator(".choice")).to_have_count(0)
    expect(blocks.nth(1).locator(".choice")).to_have_count(4)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#unit img')].every((one) => one.naturalWidth === 32)"
    )


def test_samples_are_numbered_by_decreasing_activation_and_the_best_is_large(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    block = page.locator(".render").nth(1)
    values = activation(DIVERSE, 4)
    order = [int(i) for i in np.argsort(-values)]
    expect(block.locator(".choice .number")).to_have_text(["1", "2", "3", "4"])
    expect(block.locator(".choice").last).to_be_visible()
    labels = block.locator(".choice").evaluate_all("all => all.map((node) => node.ariaLabel)")
    values_shown = [float(label.split("activation ")[1]) for label in labels]
    assert values_shown == pytest.approx([values[i] for i in order], rel=5e-4)
    large = block.locator(".large img")
    expect(large).to_have_attribute("alt", f"{DIVERSE}, sample 1")
    expect(large).to_have_attribute("src", re.compile(rf"-{order[0]}\.webp$"))
    expect(block.locator("figcaption").first).to_contain_text("activation")
    shown = block.locator(".samples figcaption b").inner_text()
    assert float(shown) == pytest.approx(values.max(), rel=5e-4)


def test_a_sample_is_chosen_by_mouse_and_by_its_number_key(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    block = page.locator(".render").nth(1)
    order = [int(i) for i in np.argsort(-activation(DIVERSE, 4))]
    large = block.locator(".large img")
    block.locator(".choice").nth(2).click()
    expect(large).to_have_attribute("alt", f"{DIVERSE}, sample 3")
    expect(large).to_have_attribute("src", re.compile(rf"-{order[2]}\.webp$"))
    pressed = block.locator(".choice[aria-pressed=true]")
    expect(pressed.locator(".number")).to_have_text("3")
    expect(pressed).to_have_attribute("title", f"Sample {order[2]} in the store")
    page.keyboard.press("4")
    expect(large).to_have_attribute("alt", f"{DIVERSE}, sample 4")
    expect(pressed.locator(".number")).to_have_text("4")  # the number of the key
    expect(large).to_have_attribute("src", re.compile(rf"-{order[3]}\.webp$"))
    page.keyboard.press("9")  # there is no ninth
    expect(large).to_have_attribute("alt", f"{DIVERSE}, sample 4")


def test_the_picture_link_names_the_file_after_the_unit_and_sample(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    link = page.locator(".render").nth(1).locator("a.download")
    expect(link).to_have_attribute("download", "blocks.2.mlp.fc1-7-1.webp")
    page.locator(".render").nth(1).locator(".choice").nth(1).click()
    expect(link).to_have_attribute("download", "blocks.2.mlp.fc1-7-2.webp")
    shown = page.locator(".render").nth(1).locator(".large img").get_attribute("src")
    expect(link).to_have_attribute("href", shown or "")


def test_a_download_from_a_local_file_opens_in_a_new_tab(
    page: Page, context: BrowserContext, browser_name: str, model_page: Path
) -> None:
    open_page(page, model_page, "#unit=head:0")
    link = page.get_by_role("link", name="Download picture")
    if browser_name == "firefox":  # which saves it, and tells nothing of that over its protocol
        expect(link).to_have_attribute("download", "head-0.webp")
        return
    with context.expect_page() as opened:
        link.click()
    opened.value.wait_for_url(re.compile(r"/pictures/\d+-0\.webp$"))
    opened.value.close()
    with context.expect_page() as opened:
        page.keyboard.press("d")
    opened.value.close()
    expect(page.locator("#unit h1")).to_have_text("head:0")


def test_the_same_unit_at_other_tokens_is_a_strip_that_leads_there(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={TOKENS[1]}")
    strip = page.get_by_role("region", name="The same unit at other tokens")
    captions = strip.locator(".caption")
    expect(captions).to_have_text(["all patches", "@0", "@2", "@10", "@cls"])
    expect(strip.locator("[aria-current=page] .caption")).to_have_text("@2")
    captions.nth(4).click()
    expect(page.locator("#unit h1")).to_have_text("blocks.10.mlp.fc1:3@cls")
    back(page)
    expect(page.locator("#unit h1")).to_have_text(TOKENS[1])


def test_a_unit_at_no_other_token_has_no_strip(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#unit=blocks.2.mlp.fc1:2")  # :20 to :29 begin alike
    expect(page.locator(".command")).to_be_visible()
    expect(page.get_by_role("region", name="The same unit at other tokens")).to_have_count(0)


def test_similar_units_are_strips_with_their_similarity(page: Page, spoilt: Path) -> None:
    similar = {"picture": [[0, 0.987], [3, 0.5]], "activation": None}
    change_details(spoilt, lambda entry: [*entry[:5], similar, *entry[6:]])
    open_page(page, spoilt, "#unit=head:0")
    strip = page.get_by_role("region", name="Units with similar pictures")
    links = strip.get_by_role("listitem").get_by_role("link")
    for link, number, similarity in ((links.nth(0), 0, "0.99"), (links.nth(1), 3, "0.50")):
        expect(link).to_have_attribute("title", UNITS[number])
        expect(link.locator(".caption")).to_have_text(
            UNITS[number].removeprefix("blocks.") + similarity
        )
        # An address breaks in front of its separators, not within a word.
        parts = link.locator(".address").evaluate(
            """(node) => [...node.childNodes].filter((one) => one.data).map((one) => {
                const range = document.createRange();
                range.selectNode(one);
                return range.getClientRects().length;
            })"""
        )
        assert set(parts) == {1}
    expect(links).to_have_count(2)
    similar_activation = page.get_by_role("region", name="Units active on the same images")
    expect(similar_activation).to_have_count(0)


@pytest.mark.parametrize("hash_", ["#unit=head:99", "#unit=%E0%A4%A", "#unit="])
def test_a_link_to_no_unit_says_so(hash_: str, page: Page, model_page: Path) -> None:
    open_page(page, model_page, hash_)
    expect(page.get_by_text("No such unit in this gallery.")).to_be_visible()
    page.get_by_role("link", name="All units").click()
    expect(page.locator(".cell").first).to_be_visible()


def test_the_plot_has_a_line_for_each_sample_and_labeled_axes(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    plot = page.locator(".render").nth(1).locator(".plot")
    expect(plot.locator(".line")).to_have_count(4)
    expect(plot.locator(".end")).to_have_text(["1", "2", "3", "4"])
    expect(plot.locator(".name")).to_have_text(["step", "activation"])
    colors = plot.locator(".line").evaluate_all("all => all.map((l) => getComputedStyle(l).stroke)")
    assert len(set(colors)) == 4
    ticks = [float(text) for text in plot.locator(".tick").all_text_contents()]
    assert len(ticks) >= 6
    assert 0 in ticks


def test_ticks_are_few_round_even_and_inside() -> None:
    for low, high in ((0, 1), (-0.83, 0.41), (1e-7, 3.3e-7), (-9e5, 2e6), (99.7, 100.1), (3, 3.5)):
        ticks = call("charts/scales.js", "ticks", low, high, 5)
        assert 3 <= len(ticks) <= 9
        assert low - 1e-9 * (high - low) <= ticks[0] < ticks[-1] <= high + 1e-9 * (high - low)
        steps = {f"{b - a:.6g}" for a, b in itertools.pairwise(ticks)}
        assert len(steps) == 1
        (digit,) = {f"{float(step):e}"[:8] for step in steps}
        assert digit in {"1.000000", "2.000000", "5.000000"}


def test_a_plotted_line_runs_where_its_values_say(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#unit=head:0")
    plot = page.locator(".plot")
    expect(plot.locator(".line")).to_have_count(1)
    path = plot.locator(".line").get_attribute("d") or ""
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]
    assert len(points) == 12
    # The made-up trajectory is a straight line from 0 at step 1 to the activation at step 12.
    zero = float(plot.locator(".zero").get_attribute("y1") or "nan")
    assert points[0][1] == pytest.approx(zero, abs=0.06)
    ticks = plot.locator(".grid")
    heights = [float(line.get_attribute("y1") or "nan") for line in ticks.all()]
    labels = [float(t) for t in plot.locator(".tick[text-anchor=end]").all_text_contents()]
    slope = (heights[0] - zero) / labels[1]
    assert points[-1][1] - zero == pytest.approx(slope * activation("head:0", 1)[0], abs=0.3)
    across = [x for x, _ in points]
    assert across == pytest.approx(
        [across[0] + i * (across[-1] - across[0]) / 11 for i in range(12)], abs=0.06
    )


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_the_copied_command_is_the_one_shown(
    way: str, page: Page, context: BrowserContext, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, "#unit=blocks.10.mlp.fc1:3@cls")
    button = page.get_by_role("button", name="Copy command")
    expect(button).to_be_visible()
    if way == "mouse":
        button.click()
    else:
        page.keyboard.press("c")
    expect(page.locator(".message")).to_have_text("Command copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".command code").inner_text()
    assert shlex.split(copied)[:4] == ["featviz", "render", "cueworld/vit", TOKENS[-1]]


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_the_copied_link_opens_the_unit(
    way: str, page: Page, context: BrowserContext, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, f"#unit={TOKENS[0]}")
    button = page.get_by_role("button", name="Copy link")
    expect(button).to_be_visible()
    if way == "mouse":
        button.click()
    else:
        page.keyboard.press("y")
    expect(page.locator(".message")).to_have_text(
        re.compile("^Link copied. It opens on this computer only")
    )
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{model_page.as_uri()}#unit={TOKENS[0]}"


@pytest.mark.parametrize(
    ("name", "shown"), [("Copy command", ".command code"), ("Copy link", "#unit .link-text")]
)
def test_without_a_clipboard_the_text_is_shown_and_selected(
    name: str, shown: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#unit=head:0")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.get_by_role("button", name=name).click()
    expect(page.locator(".message")).to_contain_text("selected; press Ctrl+C to copy it")
    expect(page.locator(shown)).to_be_visible()
    eventually(lambda: bool(page.evaluate("getSelection().toString()")))
    selected = page.evaluate("getSelection().toString()")
    assert selected == page.locator(shown).inner_text()


def test_settings_tell_everything_that_was_configured(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#unit=head:0")
    page.get_by_text("Settings").click()
    names = page.locator(".settings dt")
    expect(names).to_contain_text(["samples", "steps", "learning_rate", "views.shift"])
    expect(page.locator(".settings dd")).to_contain_text(["1", "12", "0.05", "6"])


def test_small_pictures_are_enlarged_by_a_whole_number_without_smoothing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#unit=head:0")
    picture = page.locator(".large img")
    expect(picture).to_be_visible()
    # As large as fits into a third of the page; on a phone, into all of it.
    for width, factor in ((1280, 12), (1024, 9), (410, 11)):
        page.set_viewport_size({"width": width, "height": 800})
        eventually(
            lambda: picture.evaluate("node => [node.offsetWidth, node.offsetHeight]"),
            [32 * factor, 24 * factor],
        )
    expect(picture).to_have_css("image-rendering", "pixelated")


def test_the_picture_opens_enlarged_and_closes_to_where_it_was(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#unit=head:0")
    page.locator(".large button").click()
    dialog = page.get_by_role("dialog", name="Enlarged picture")
    large = dialog.get_by_role("img", name="head:0")
    box = large.bounding_box()
    assert box is not None
    assert box["width"] == 32 * 24  # 24 * 24 pixels high, of the 592 that fit
    expect(dialog).to_contain_text("activation")
    page.keyboard.press("ArrowRight")  # of the dialog, not to the next unit
    expect(page.locator("#unit h1")).to_have_text("head:0")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".large button")).to_be_focused()


def test_a_missing_script_is_named(browser: Browser, spoilt: Path) -> None:
    for shard in spoilt.parent.glob("data-1/1/details/*.js"):
        shard.unlink()
    page = browser.new_page()
    open_page(page, spoilt, "#unit=head:0")
    expect(page.get_by_text("A file of this gallery is missing")).to_contain_text("details/1.js")
    page.close()


def test_a_script_that_says_nothing_is_named(browser: Browser, spoilt: Path) -> None:
    for shard in spoilt.parent.glob("data-1/1/details/*.js"):
        shard.write_text('"use strict";')
    page = browser.new_page()
    open_page(page, spoilt, "#unit=head:0")
    expect(page.get_by_text("missing or cannot be read")).to_contain_text("details/1.js")
    page.close()


def test_a_script_that_fails_late_is_reported_on_its_own_page_only(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    counts = page.evaluate(
        """async ([one, other]) => {
            const notices = () => document.querySelectorAll("#unit .notice").length;
            const { view } = featviz.page;
            const scripts = [];
            document.head.append = (script) => scripts.push(script); // which are never loaded
            view.go({ unit: one });
            view.go({ unit: other });
            const counts = [];
            for (const script of scripts) {
                script.dispatchEvent(new Event("error"));
                await new Promise((done) => setTimeout(done));
                counts.push(notices());
            }
            return counts;
        }""",
        [UNITS[1], UNITS[-1]],  # their details are in two scripts
    )
    assert counts == [0, 1]
    expect(page.locator("#unit h1")).to_have_text(UNITS[-1])


def test_an_error_of_a_block_is_not_called_a_missing_file(browser: Browser, spoilt: Path) -> None:
    change_details(spoilt, lambda entry: [*entry[:4], None, *entry[5:]])
    page = browser.new_page()
    with page.expect_event("pageerror") as error:
        open_page(page, spoilt, f"#unit={UNITS[1]}")
    assert "null" in str(error.value)
    expect(page.locator("#unit h1")).to_have_text(UNITS[1])
    expect(page.locator("#unit .notice")).to_have_count(0)
    page.close()


def test_a_damaged_picture_is_named_and_the_rest_of_the_page_is_shown(
    browser: Browser, spoilt: Path
) -> None:
    for picture in spoilt.parent.glob("data-1/1/pictures/*"):
        picture.write_bytes(b"no picture")
    page = browser.new_page()
    open_page(page, spoilt, "#unit=head:0")
    said = page.get_by_text("This picture is missing or cannot be read")
    expect(said).to_contain_text(re.compile(r"pictures/\d+-0\.webp"))
    expect(page.locator(".plot")).to_be_visible()
    page.close()


def test_small_pictures_alone_are_shown_enlarged_and_called_so(
    browser: Browser, spoilt: Path
) -> None:
    script = spoilt.parent / "data-1" / "1" / "model.js"
    text = script.read_text()
    assert '"thumbnailsOnly":false' in text
    script.write_text(text.replace('"thumbnailsOnly":false', '"thumbnailsOnly":true'))
    shutil.rmtree(spoilt.parent / "data-1" / "1" / "pictures")
    page = browser.new_page()
    open_page(page, spoilt, f"#unit={DIVERSE}")
    expect(page.locator(".samples").first).to_contain_text("without full-size pictures")
    expect(page.locator(".samples [role=img]").first).to_have_attribute(
        "aria-label", re.compile(f"^{DIVERSE}")
    )
    expect(page.locator("#unit img")).to_have_count(0)
    page.close()


def test_axe_finds_nothing_serious_on_the_page(schemed: Page, model_page: Path) -> None:
    open_page(schemed, model_page, f"#unit={DIVERSE}")
    expect(schemed.locator(".plot")).to_have_count(2)
    assert violations(schemed) == []


def test_the_page_is_never_wider_than_the_screen(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    expect(page.locator(".plot")).to_have_count(2)
    for width in (320, 390, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        fits(page, width)
