"""The grid of units: what of a long list is in the document, and how it is walked through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gallery.build.sheets import COLUMNS, ROWS
from tests.gallery.big import CELL, LAYERS, WIDTH, addresses, colors, write_page
from tests.gallery.browsing import back, eventually, fits, open_page, press_at_once
from tests.gallery.conftest import UNITS

MOST_NODES = 1500
FOCUSED = "document.activeElement.getAttribute('aria-label')"


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("big"))


def nodes(page: Page) -> int:
    return int(page.evaluate("document.getElementsByTagName('*').length"))


def in_sight(page: Page) -> list[str]:
    """Units of which the upper left corner is in the window and under no bar."""
    return list(
        page.evaluate(
            """[...document.querySelectorAll(".cell")].filter((cell) => {
                const box = cell.getBoundingClientRect();
                return document.elementFromPoint(box.left + 2, box.top + 2) === cell;
            }).map((cell) => cell.ariaLabel)"""
        )
    )


def on(page: Page, address: str) -> None:
    """Assert that the keyboard is on the cell of a unit."""
    eventually(lambda: page.evaluate(FOCUSED), address)


def frame(page: Page) -> None:
    """Wait until the page has drawn what it was asked to."""
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


@pytest.mark.parametrize("size", [(390, 800), (1280, 800), (1920, 1080)])
def test_of_18432_units_few_are_in_the_document_and_all_are_reached_by_scrolling(
    size: tuple[int, int], page: Page, big: Path
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_page(page, big)
    step = size[1] - 300
    seen, most = page.evaluate(
        """async (step) => {
            const plain = new CSSStyleSheet(); // the pictures are not loaded, which saves time
            plain.replaceSync(".cell::before { background-image: none !important }");
            document.adoptedStyleSheets = [plain];
            const seen = new Set();
            let most = 0;
            for (let y = 0; y < document.documentElement.scrollHeight; y += step) {
                scrollTo(0, y);
                featviz.page.grid.jumped(); // each step is a jump, not fast scrolling
                featviz.page.grid.draw();
                for (const cell of document.querySelectorAll(".cell")) seen.add(cell.ariaLabel);
                most = Math.max(most, document.getElementsByTagName("*").length);
            }
            return [[...seen], most];
        }""",
        step,
    )
    assert seen == addresses()
    assert most < MOST_NODES


def test_a_step_of_scrolling_touches_only_the_rows_that_come_and_go(page: Page, big: Path) -> None:
    open_page(page, big)
    touched = page.evaluate(
        """async () => {
            let count = 0;
            const watch = new MutationObserver((all) => {
                for (const one of all) count += one.addedNodes.length + one.removedNodes.length;
            });
            watch.observe(document.getElementById("units"), { childList: true });
            scrollTo(0, 3000);
            featviz.page.grid.draw();
            while (!featviz.page.grid.hasMargin) // rows outside of the window follow
                await new Promise(requestAnimationFrame);
            featviz.page.grid.draw();
            await null;
            count = 0;
            for (let y = 3000; y < 6000; y += 30) {
                scrollTo(0, y);
                featviz.page.grid.draw();
            }
            await null;
            return count;
        }"""
    )
    rows = 3000 / (CELL + 30)
    assert touched <= 2 * rows + 4


# Scrolls over several windows without a pause, and returns the rows in the document.
SCROLLED_FAST = """() => {
    const { grid } = featviz.page;
    grid.jump = 0; // long ago
    for (let y = 0; y <= 6000; y += 600) {
        scrollTo(0, y);
        grid.draw();
    }
    return [...document.querySelectorAll("#units .row:not(.head)")]
        .filter((row) => Number(row.dataset.top) > 5800 && Number(row.dataset.top) < 6000);
}"""


@pytest.mark.parametrize("size", [(390, 800), (1280, 800), (1920, 1080)])
def test_fast_scrolling_shows_mean_colors_in_the_places_of_the_pictures_that_follow(
    size: tuple[int, int], page: Page, big: Path
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_page(page, big)
    colors, pictures = page.evaluate(
        """(scrolled) => {
            const edge = /rgba[^)]*[)] \\d+px, rgb[(][^)]*[)] (\\d+)px/g; // after a gap
            const edges = (row) => {
                const gradient = getComputedStyle(row).backgroundImage;
                return [...gradient.matchAll(edge)].map(([, left]) => Number(left));
            };
            const places = (row) =>
                [...row.querySelectorAll(".cell")].map((cell) => Math.round(cell.offsetLeft));
            const colors = scrolled().map((row) => [row.dataset.top, edges(row)]);
            featviz.page.grid.pause();
            const rows = [...document.querySelectorAll("#units .row:not(.head)")];
            const tops = colors.map(([top]) => top);
            const same = rows.filter((row) => tops.includes(row.dataset.top));
            return [colors, same.map((row) => [row.dataset.top, places(row)])];
        }""".replace("scrolled()", f"({SCROLLED_FAST})()")
    )
    assert len(colors) > 1
    for (top, places), (same_top, edges) in zip(pictures, colors, strict=True):
        assert top == same_top
        assert edges == pytest.approx(places, abs=1)  # pixels


def test_pictures_follow_when_fast_scrolling_pauses(page: Page, big: Path) -> None:
    open_page(page, big)
    rows = page.locator("#units .row.colors")
    assert page.evaluate(f"({SCROLLED_FAST})().every((row) => row.matches('.colors'))")
    expect(rows).to_have_count(0)
    assert len(in_sight(page)) > 50


def test_a_jump_shows_pictures_at_once(page: Page, big: Path) -> None:
    open_page(page, big)
    page.wait_for_timeout(300)  # longer than between two frames of scrolling
    page.evaluate("scrollTo(0, 60000); featviz.page.grid.draw()")
    expect(page.locator("#units .row.colors")).to_have_count(0)
    assert len(in_sight(page)) > 50


def test_keys_reach_any_unit_while_the_list_is_scrolled_fast(page: Page, big: Path) -> None:
    open_page(page, big)
    page.evaluate(f"({SCROLLED_FAST})(); featviz.page.grid.focus(18431)")
    on(page, addresses()[-1])


def test_a_first_sort_decodes_little_more_than_what_is_in_the_window(page: Page, big: Path) -> None:
    open_page(page, big)
    files, pixels = page.evaluate(
        """async () => {
            featviz.page.view.go({ sort: "ratio", down: true });
            const files = new Set([...document.querySelectorAll(".cell")].map((cell) =>
                getComputedStyle(cell).getPropertyValue("--sheet-file").slice(5, -2)));
            let pixels = 0;
            for (const file of files) {
                const image = new Image();
                image.src = file;
                await image.decode();
                pixels += image.naturalWidth * image.naturalHeight;
            }
            return [[...files], pixels];
        }"""
    )
    # Of 12 layers; each sheet is decoded before the frame is painted, not after it.
    assert len({file.rsplit("/", 1)[1].split("-")[0] for file in files}) == LAYERS
    assert pixels < 4_000_000
    assert 4 * pixels / len(files) <= 512 * 1024


def test_the_rows_outside_of_the_window_follow_those_in_it(page: Page, big: Path) -> None:
    open_page(page, big)
    count = "document.querySelectorAll('#units [role=row]').length"
    first = page.evaluate(
        f"() => {{ featviz.page.view.go({{ sort: 'ratio', down: true }}); return {count}; }}"
    )
    eventually(lambda: page.evaluate(count) >= first + 3)


def test_a_cell_has_the_mean_color_of_its_picture_until_that_is_loaded(
    page: Page, big: Path
) -> None:
    open_page(page, big)
    color = page.locator(".cell").first.evaluate(
        "cell => getComputedStyle(cell, '::before').backgroundColor"
    )
    red, green, blue = (17 * int(digit, 16) for digit in colors(1))
    assert color == f"rgb({red}, {green}, {blue})"


def test_a_window_at_the_top_reads_little(page: Page, big: Path) -> None:
    open_page(page, big)
    frame(page)
    files = page.evaluate(
        "[...new Set([...document.querySelectorAll('.cell')].map("
        "(cell) => getComputedStyle(cell).getPropertyValue('--sheet-file')))]"
    )
    names = [re.sub(r'^url\("file:.*/(sheets/.*)"\)$', r"\1", file) for file in files]
    assert names == [f"sheets/0-{part}.webp" for part in range(len(names))]
    folder = big.parent / "data-1"
    read = [*(folder / "static").iterdir(), folder / "1/model.js", folder / "1/units.js"]
    sheets = [folder / "1" / name for name in names]
    assert sum(path.stat().st_size for path in [big, *read, *sheets]) < 6_000_000


def test_each_cell_shows_its_own_part_of_its_sheet(page: Page, big: Path) -> None:
    sheet, column, row = 41, COLUMNS - 1, ROWS - 1
    number = sheet * COLUMNS * ROWS + row * COLUMNS + column
    address = f"blocks.7.mlp.fc1:{number}"
    open_page(page, big, f"#units&q={address}")
    shown = page.locator(f".cell[aria-label='{address}']").evaluate(
        """(cell) => {
            const { backgroundImage, backgroundPosition, backgroundSize, width } =
                getComputedStyle(cell, "::before");
            return [backgroundImage, backgroundPosition, backgroundSize, width];
        }"""
    )
    assert shown[0].endswith(f'/sheets/7-{sheet}.webp")')
    assert shown[1] == f"-{column * CELL}px -{row * CELL}px"
    assert shown[2] == f"{COLUMNS * CELL}px {ROWS * CELL}px"
    assert shown[3] == f"{CELL}px"


def test_headings_have_the_layers_and_the_layer_in_view_is_marked(page: Page, big: Path) -> None:
    open_page(page, big)
    expect(page.locator("#sites a")).to_have_count(LAYERS + 1)
    marked = page.locator("#sites a.in-view")
    expect(marked).to_have_text(re.compile(r"^blocks\.0\.mlp\.fc1"))
    top = page.evaluate("featviz.page.grid.layout.bands[8].top")
    page.evaluate(f"scrollTo(0, {top} + 300)")
    expect(marked).to_have_text(re.compile(r"^blocks\.8\.mlp\.fc1"))
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(marked).to_have_text(re.compile(r"^blocks\.11\.mlp\.fc1"))


def test_keys_step_through_all_layers_and_each_of_them(page: Page, big: Path) -> None:
    open_page(page, big)
    shown = page.locator("#sites a[aria-current]")
    for key, wanted in [("]", "blocks.0."), ("]", "blocks.1."), ("[", "blocks.0."), ("[", "All ")]:
        page.keyboard.press(key)
        expect(shown).to_have_text(re.compile(f"^{re.escape(wanted)}"))
    press_at_once(page, "]", "]", "]", "[")
    expect(shown).to_have_text(re.compile(r"^blocks\.1\."))
    eventually(lambda: in_sight(page)[0], "blocks.1.mlp.fc1:0")


def test_in_a_sorted_list_steps_there_and_back_at_once_keep_to_one_layer(
    page: Page, big: Path
) -> None:
    hash_ = "#site=blocks.4.mlp.fc1&sort=-ratio"
    open_page(page, big, hash_)
    press_at_once(page, "]", "[")
    eventually(lambda: page.evaluate("location.hash"), hash_)
    expect(page.locator("#count")).to_contain_text("1,536 of")
    press_at_once(page, "[", "]", "]")
    expect(page.locator(".cell").first).to_have_attribute("data-name", re.compile(r"^5:"))


@pytest.mark.parametrize("modifier", ["ctrlKey", "metaKey", "shiftKey", "altKey"])
def test_a_link_that_is_to_open_elsewhere_is_left_to_the_browser(
    modifier: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    taken, hash_ = page.locator(".cell").first.evaluate(
        """(cell, modifier) => {
            let taken;
            addEventListener("click", (event) => {
                taken = event.defaultPrevented;
                event.preventDefault(); // no window is to be opened
            }, { once: true });
            const more = { bubbles: true, cancelable: true, [modifier]: true };
            cell.dispatchEvent(new MouseEvent("click", more));
            return [taken, location.hash];
        }""",
        modifier,
    )
    assert taken is False
    assert hash_ == ""


def test_on_a_phone_a_choice_of_layers_has_the_one_in_view(page: Page, big: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, big)
    choice = page.get_by_role("combobox", name="Layer", exact=True)
    expect(page.locator("#sites ol")).to_be_hidden()
    all_layers = choice.locator("option").first
    expect(all_layers).to_have_text("All layers (18,432), at blocks.0.mlp.fc1")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(all_layers).to_have_text("All layers (18,432), at blocks.11.mlp.fc1")
    choice.select_option("blocks.5.mlp.fc1")
    eventually(lambda: in_sight(page)[:1], ["blocks.5.mlp.fc1:0"])
    expect(choice).to_have_value("blocks.5.mlp.fc1")


def test_arrow_keys_walk_the_grid_and_only_one_cell_stops_the_tab_key(
    page: Page, big: Path
) -> None:
    open_page(page, big)
    expect(page.locator(".cell[tabindex='0']")).to_have_count(1)
    page.locator(".cell").first.focus()
    frame(page)
    columns = page.locator("[role=row]:has(.cell)").first.locator(".cell").count()
    steps = [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("End", 2 * columns - 1),
        ("Home", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
    ]
    for key, number in steps:
        page.keyboard.press(key)
        on(page, f"blocks.0.mlp.fc1:{number}")
        expect(page.locator(".cell[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Control+End")
    on(page, addresses()[-1])
    eventually(lambda: page.evaluate(FOCUSED) in in_sight(page))
    page.keyboard.press("PageUp")
    eventually(lambda: page.evaluate(FOCUSED) in in_sight(page))
    eventually(lambda: page.evaluate(FOCUSED) != addresses()[-1])
    page.keyboard.press("Control+Home")
    on(page, addresses()[0])


def test_down_and_up_cross_from_layer_to_layer_in_the_same_column(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("ArrowDown")
    on(page, "blocks.2.mlp.fc1:1")
    page.keyboard.press("ArrowUp")
    on(page, UNITS[1])


def test_the_keyboard_keeps_its_cell_when_that_is_scrolled_away(page: Page, big: Path) -> None:
    open_page(page, big)
    page.locator(".cell").nth(3).focus()
    page.evaluate("scrollTo(0, 50000)")
    frame(page)
    on(page, "blocks.0.mlp.fc1:3")
    page.keyboard.press("ArrowRight")
    on(page, "blocks.0.mlp.fc1:4")
    eventually(lambda: "blocks.0.mlp.fc1:4" in in_sight(page))


def test_back_from_a_unit_finds_the_list_where_it_was_left(page: Page, big: Path) -> None:
    open_page(page, big)
    page.evaluate("scrollTo(0, 61234)")
    frame(page)
    eventually(lambda: bool(in_sight(page)))
    seen = in_sight(page)
    address = seen[len(seen) // 2]
    # Not Playwright's click, which scrolls a little in Firefox.
    page.locator(f".cell[aria-label='{address}']").evaluate("cell => cell.click()")
    expect(page.locator("#unit h1")).to_have_text(address)
    back(page)
    expect(page.locator(f".cell[aria-label='{address}']")).to_be_focused()
    eventually(lambda: page.evaluate("scrollY"), pytest.approx(61234, abs=1))
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(address)
    page.keyboard.press("Escape")
    expect(page.locator(f".cell[aria-label='{address}']")).to_be_focused()
    eventually(lambda: page.evaluate("scrollY"), pytest.approx(61234, abs=1))


def test_another_width_keeps_the_first_unit_that_is_seen(page: Page, big: Path) -> None:
    open_page(page, big, "#site=blocks.6.mlp.fc1")
    near = {f"blocks.6.mlp.fc1:{i}" for i in range(60)}
    for width in (900, 640, 1920, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        # Rows break elsewhere now: the unit is in the first full row or the one before it.
        eventually(lambda: bool(near & set(in_sight(page)[:40])))
        fits(page, width)


def test_the_grid_has_its_row_count_and_row_indices(page: Page, big: Path) -> None:
    open_page(page, big)
    grid = page.get_by_role("grid", name="Units")
    columns = grid.locator("[role=row]:has(.cell)").first.locator(".cell").count()
    rows = LAYERS * (1 + -(-WIDTH // columns))
    eventually(lambda: grid.get_attribute("aria-rowcount"), str(rows))
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(grid.locator("[role=row]").last).to_have_attribute("aria-rowindex", str(rows))


def test_on_a_narrow_window_pictures_fill_the_width(page: Page, big: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, big)
    cells = page.locator("#units .row:has(.cell)").first.locator(".cell")
    expect(cells.last).to_be_visible()
    frame(page)
    count = cells.count()
    box, last = page.locator("#units").bounding_box(), cells.last.bounding_box()
    assert box is not None
    assert last is not None
    assert last["x"] + last["width"] == pytest.approx(box["x"] + box["width"], abs=count)
    drawn = cells.last.evaluate("cell => parseFloat(getComputedStyle(cell, '::before').width)")
    assert drawn == last["width"] > CELL
    position = cells.last.evaluate("c => getComputedStyle(c, '::before').backgroundPositionX")
    column = (count - 1) % COLUMNS
    assert float(position[:-2]) == pytest.approx(-column * drawn, abs=0.01)
