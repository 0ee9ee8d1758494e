"""The pages in a real browser, opened from the file system."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import gallery
from tests.gallery.browsing import open_page
from tests.gallery.stores import activation, write_store

NEURONS = [f"blocks.2.mlp.fc1:{i}" for i in range(30)]
TOKENS = [f"blocks.10.mlp.fc1:3@{token}" for token in ("0", "2", "10", "cls")]
UNITS = ["patch_embed:9", "patch_embed:10", *NEURONS, "blocks.10.mlp.fc1:3", *TOKENS, "head:0"]
DIVERSE = NEURONS[7]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    stores = [
        write_store(folder / "a", UNITS[::-1], failures={"head:1": "the value became NaN"}),
        write_store(folder / "b", [DIVERSE], settings={"samples": 4, "diversity": 1.0}),
        write_store(folder / "c", UNITS[:3], model="cueworld/mixer", fingerprint="ab" * 32),
    ]
    gallery.export(stores, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def model_page(site: Path) -> Path:
    (found,) = site.glob("cueworld-vit-*.html")
    return found


def focused(page: Page) -> str:
    """Where the keyboard is: the link's target, or the element's text."""
    return str(
        page.evaluate(
            "document.activeElement.getAttribute('href') ?? document.activeElement.textContent"
        )
    )


def loaded(page: Page) -> int:
    """Number of pictures that the browser has decoded."""
    return int(page.evaluate("[...document.images].filter((image) => image.naturalWidth).length"))


def test_the_index_lists_every_model_and_leads_to_its_page(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    names = page.locator("#models h2")
    expect(names).to_have_text(["cueworld/vit", "cueworld/mixer"])
    names.nth(1).click()
    expect(page.locator("h1#name")).to_have_text("cueworld/mixer")
    page.get_by_role("link", name="All models").click()
    expect(names).to_have_count(2)


def test_a_model_page_shows_every_unit_in_forward_order(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    expect(page.locator("section h2")).to_have_text(
        ["patch_embed", "blocks.2.mlp.fc1", "blocks.10.mlp.fc1", "head", "Failed"]
    )
    shown = [picture.get_attribute("alt") for picture in page.locator(".cell img").all()]
    assert shown == UNITS
    for cell in page.locator(".cell").all():
        cell.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every((image) => image.naturalWidth)")
    assert loaded(page) == len(UNITS)


def test_layer_and_caption_read_as_the_address(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for section in page.locator("section:has(.cell)").all():
        layer = section.locator("h2").inner_text()
        for cell in section.locator(".cell").all():
            caption = cell.locator(".caption").inner_text().partition("\u00d7")[0].strip()
            assert layer + caption == cell.locator("img").get_attribute("alt")


def test_failed_units_are_listed_with_their_reason(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.get_by_role("link", name="1 failed").click()
    expect(page.locator("#failed dt")).to_have_text("head:1")
    expect(page.locator("#failed dd")).to_contain_text("the value became NaN")
    expect(page.locator("#failed")).to_be_in_viewport()


def test_a_click_opens_a_unit_and_back_returns_to_its_place(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.get_by_alt_text("head:0", exact=True).click()
    expect(page.locator("#unit h1")).to_have_text("head:0")
    expect(page.locator(".samples img")).to_have_attribute("alt", "head:0")
    expect(page.locator("#atlas")).to_be_hidden()
    assert page.url.endswith("#unit=head:0")
    page.go_back()
    expect(page.locator("#unit")).to_be_hidden()
    expect(page.get_by_alt_text("head:0", exact=True)).to_be_in_viewport()
    assert focused(page) == "#unit=head:0"
    page.go_forward()
    expect(page.locator("#unit h1")).to_have_text("head:0")


def test_the_keyboard_alone_opens_a_unit_walks_on_and_returns(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page).startswith("#unit="):
            break
    assert focused(page) == "#unit=patch_embed:9"
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
    assert focused(page) == f"#unit={UNITS[1]}"


def test_the_skip_link_leads_past_the_layers_to_the_pictures(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.keyboard.press("Tab")
    assert focused(page) == "#pictures"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused(page) == "#unit=patch_embed:9"


def test_previous_and_next_run_through_all_units_in_order(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    heading = page.locator("#unit h1")
    expect(page.locator("a[rel=prev]")).to_have_count(0)
    for address in UNITS[1:]:
        page.locator("a[rel=next]").click()
        expect(heading).to_have_text(address)
    expect(page.locator("a[rel=next]")).to_have_count(0)


def test_a_deep_link_opens_the_unit_with_all_its_samples(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    expect(page.locator("#unit h1")).to_have_text(DIVERSE)
    blocks = page.locator(".render")
    expect(blocks.locator("h2")).to_have_text(
        ["samples 1, diversity 0.0", "samples 4, diversity 1.0"]
    )
    expect(blocks.nth(0).locator(".samples img")).to_have_count(1)
    expect(blocks.nth(1).locator(".samples img")).to_have_count(4)
    page.wait_for_function(
        "[...document.querySelectorAll('#unit img')].every((image) => image.naturalWidth === 32)"
    )
    values = blocks.nth(1).locator("figcaption b").all_inner_texts()
    assert [float(v) for v in values] == pytest.approx(activation(DIVERSE, 4), rel=5e-4)


def test_a_deep_link_to_a_layer_scrolls_there(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#site=blocks.10.mlp.fc1")
    expect(page.get_by_role("heading", name="blocks.10.mlp.fc1")).to_be_in_viewport()
    assert focused(page) == "blocks.10.mlp.fc1"


@pytest.mark.parametrize("hash_", ["#unit=head:99", "#unit=%E0%A4%A", "#unit="])
def test_a_link_to_no_unit_says_so(hash_: str, page: Page, model_page: Path) -> None:
    open_page(page, model_page, hash_)
    expect(page.get_by_text("This gallery holds no such unit.")).to_be_visible()
    page.get_by_role("link", name="All units").click()
    expect(page.locator(".cell").first).to_be_visible()


def test_the_plot_has_a_line_for_each_sample_and_labelled_axes(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={DIVERSE}")
    plot = page.locator(".render.many .plot")
    expect(plot.locator(".line")).to_have_count(4)
    expect(plot.locator(".end")).to_have_text(["1", "2", "3", "4"])
    expect(plot.locator(".name")).to_have_text(["step", "activation"])
    colours = plot.locator(".line").evaluate_all(
        "all => all.map((l) => getComputedStyle(l).stroke)"
    )
    assert len(set(colours)) == 4
    ticks = [float(text) for text in plot.locator(".tick").all_text_contents()]
    assert len(ticks) >= 6
    assert 0 in ticks


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-0.83, 0.41), (1e-7, 3.3e-7), (-9e5, 2e6), (99.7, 100.1), (3, 3.5)]
)
def test_ticks_are_few_round_even_and_inside(
    low: float, high: float, page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    ticks = page.evaluate("([low, high]) => ticks(low, high, 5)", [low, high])
    assert 3 <= len(ticks) <= 9
    assert low - 1e-9 * (high - low) <= ticks[0] < ticks[-1] <= high + 1e-9 * (high - low)
    steps = {f"{b - a:.6g}" for a, b in itertools.pairwise(ticks)}
    assert len(steps) == 1
    (digit,) = {f"{float(step):e}"[:8] for step in steps}
    assert digit in {"1.000000", "2.000000", "5.000000"}


def test_a_plotted_line_runs_where_its_values_say(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#unit=head:0")
    plot = page.locator(".plot")
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


def test_the_copied_command_is_the_one_shown(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, model_page, "#unit=blocks.10.mlp.fc1:3@cls")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".command code").inner_text()
    assert shlex.split(copied)[:4] == ["featviz", "render", "cueworld/vit", TOKENS[-1]]


def test_without_a_clipboard_the_command_is_selected(page: Page, model_page: Path) -> None:
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject()")
    open_page(page, model_page, "#unit=head:0")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_contain_text("Selected")
    selected = page.evaluate("getSelection().toString()")
    assert selected == page.locator(".command code").inner_text()


def test_settings_tell_everything_that_was_configured(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#unit=head:0")
    page.get_by_text("Settings").click()
    expect(page.locator(".settings dt")).to_contain_text(["samples", "steps", "learning_rate"])
    expect(page.locator(".settings dd")).to_contain_text(["1", "12", "0.05"])


def test_small_pictures_are_enlarged_by_a_whole_number_without_smoothing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#unit=head:0")
    picture = page.locator(".samples img")
    box = picture.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (32 * 9, 24 * 9)
    assert picture.evaluate("node => getComputedStyle(node).imageRendering") == "pixelated"


def test_a_missing_file_is_named(browser: Browser, site: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(site, tmp_path / "site")
    for shard in broken.glob("data-1/1/details/*.js"):
        shard.unlink()
    page = browser.new_page()
    (found,) = broken.glob("cueworld-vit-*.html")
    open_page(page, found, "#unit=head:0")
    expect(page.get_by_text("A file of this gallery is missing")).to_contain_text("details/1.js")
    page.close()


def test_a_moved_gallery_works(page: Page, site: Path, tmp_path: Path) -> None:
    moved = tmp_path / "a folder # with % odd ? name"
    site.rename(moved)
    try:
        open_page(page, moved / "index.html")
        page.locator("#models h2").first.click()
        page.get_by_alt_text("patch_embed:9", exact=True).click()
        expect(page.locator(".plot")).to_be_visible()
    finally:
        moved.rename(site)


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_no_view_is_wider_than_the_screen(width: int, page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for view in (model_page.with_name("index.html"), model_page):
        open_page(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    open_page(page, model_page, f"#unit={DIVERSE}")
    expect(page.locator(".plot")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_runs_no_inline_script_and_no_event_handler(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    open_page(page, site / "index.html")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "globalThis.ran = true";
            document.body.append(script);
            const button = document.createElement("button");
            button.setAttribute("onclick", "globalThis.ran = true");
            document.body.append(button);
            button.click();
        }"""
    )
    assert page.evaluate("globalThis.ran") is None
    assert len(refused) == 2
    assert all("Content Security Policy" in text for text in refused)
    page.close()
