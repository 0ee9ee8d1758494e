"""The view of one unit in a real browser, opened from the file system."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.gallery.browsing import allow_clipboard, open_page
from tests.gallery.conftest import DIVERSE, TOKENS, UNITS
from tests.gallery.stores import activation


def test_previous_and_next_run_through_all_units_in_order(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    heading = page.locator("#unit h1")
    expect(page.locator("a[rel=prev]")).to_have_count(0)
    open_page(page, model_page, f"#unit={UNITS[29]}")
    expect(page.locator("a[rel=prev]")).to_have_attribute("href", f"#unit={UNITS[28]}")
    for address in UNITS[30:]:  # the details of these are in two scripts
        page.locator("a[rel=next]").click()
        expect(heading).to_have_text(address)
        expect(page.locator(".command code")).to_contain_text(f" {address} ")
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
    allow_clipboard(context)
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
    names = page.locator(".settings dt")
    expect(names).to_contain_text(["samples", "steps", "learning_rate", "views.shift"])
    expect(page.locator(".settings dd")).to_contain_text(["1", "12", "0.05", "6"])


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
