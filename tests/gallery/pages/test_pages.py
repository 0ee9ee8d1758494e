"""The index and the page of a model in a real browser, opened from the file system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.gallery.browsing import back, eventually, fits, forward, open_page
from tests.gallery.conftest import DIVERSE, TOKENS, UNITS


def focused(page: Page) -> str:
    """Where the keyboard is: the link's target, or the element's text."""
    return str(
        page.evaluate(
            "document.activeElement.getAttribute('href') ?? document.activeElement.textContent"
        )
    )


def test_the_index_lists_every_model_and_leads_to_its_page(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    names = page.locator("#models h2")
    expect(names).to_have_text(["cueworld/vit", "cueworld/mixer"])
    names.nth(1).click()
    expect(page.locator("h1#name")).to_have_text("cueworld/mixer")
    page.get_by_role("link", name="All models").click()
    expect(names).to_have_count(2)


def test_a_model_page_shows_every_unit_in_forward_order(page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 2000})  # all rows are near the window
    open_page(page, model_page)
    expect(page.locator("h2")).to_have_text(
        ["patch_embed", "blocks.2.mlp.fc1", "blocks.10.mlp.fc1", "head", "Failed"]
    )
    cells = page.locator(".cell")
    eventually(lambda: cells.evaluate_all("all => all.map((c) => c.ariaLabel)"), UNITS)


def test_a_heading_and_the_caption_below_it_read_as_the_address(
    page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": 1280, "height": 2000})  # all rows are near the window
    open_page(page, model_page)
    expect(page.locator(".cell")).to_have_count(len(UNITS))
    heading = ""
    for row in page.locator("#units [role=row]").all():
        heading = row.locator("h2").inner_text() if row.locator("h2").count() else heading
        for cell in row.locator(".cell").all():
            caption = (cell.get_attribute("data-name") or "").partition("\u00d7")[0].strip()
            assert heading + caption == cell.get_attribute("aria-label")


def test_failed_units_are_listed_with_their_reason(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.get_by_role("link", name="1 failed").click()
    expect(page.locator("#failed dt")).to_have_text("head:1")
    expect(page.locator("#failed dd")).to_contain_text("the value became NaN")
    expect(page.locator("#failed")).to_be_in_viewport()


def test_a_click_opens_a_unit_and_back_returns_to_its_place(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.get_by_role("link", name="head:0", exact=True).click()
    expect(page.locator("#unit h1")).to_have_text("head:0")
    expect(page.locator(".samples img")).to_have_attribute("alt", "head:0")
    expect(page.locator("#lists")).to_be_hidden()
    eventually(lambda: page.url.endswith("#unit=head:0"))
    back(page)
    expect(page.locator("#unit")).to_be_hidden()
    expect(page.get_by_role("link", name="head:0", exact=True)).to_be_in_viewport()
    eventually(lambda: focused(page), "#unit=head:0")
    forward(page)
    expect(page.locator("#unit h1")).to_have_text("head:0")


def test_the_keyboard_alone_opens_a_unit_walks_on_and_returns(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page).startswith("#unit="):
            break
    eventually(lambda: focused(page), "#unit=patch_embed:9")
    page.keyboard.press("Enter")
    heading = page.locator("#unit h1")
    expect(heading).to_have_text(UNITS[0])
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text(UNITS[1])
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text(UNITS[2])
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text(UNITS[1])
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()
    eventually(lambda: focused(page), f"#unit={UNITS[1]}")


def test_the_skip_link_leads_past_layers_and_tools_to_the_first_unit(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    page.keyboard.press("Tab")
    eventually(lambda: focused(page), "#pictures")
    page.keyboard.press("Enter")
    expect(page.locator(".cell").first).to_be_focused()


def test_a_deep_link_to_a_layer_shows_it(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#site=blocks.10.mlp.fc1")
    expect(page.locator("#units h2")).to_have_text("blocks.10.mlp.fc1")
    expect(page.locator("#count")).to_contain_text(f"{1 + len(TOKENS)} of {len(UNITS)}")
    eventually(lambda: focused(page), "blocks.10.mlp.fc1")


def test_a_moved_gallery_works(page: Page, site: Path, tmp_path: Path) -> None:
    moved = tmp_path / "a folder # with % odd ? name"
    shutil.copytree(site, moved)
    open_page(page, moved / "index.html")
    page.locator("#models h2").first.click()
    page.get_by_role("link", name="patch_embed:9", exact=True).click()
    expect(page.locator(".plot")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_no_view_is_wider_than_the_screen(width: int, page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for view in (model_page.with_name("index.html"), model_page):
        open_page(page, view)
        fits(page, width)
    open_page(page, model_page, f"#unit={DIVERSE}")
    expect(page.locator(".plot")).to_have_count(2)
    fits(page, width)


def test_a_page_runs_no_inline_script_and_no_event_handler(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    open_page(page, site / "index.html")
    refused = page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) =>
                refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "globalThis.ran = true";
            document.body.append(script);
            const button = document.createElement("button");
            button.setAttribute("onclick", "globalThis.ran = true");
            document.body.append(button);
            button.click();
            while (refused.length < 2) await new Promise((go) => setTimeout(go, 10));
            return refused.sort();
        }"""
    )
    eventually(lambda: page.evaluate("globalThis.ran"), None)
    assert refused == ["script-src-attr", "script-src-elem"]
    page.close()
