"""The map of units in real browsers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.gallery.browsing import back, box_of, eventually, fits, open_page, violations

UNIT = "blocks.2.mlp.fc1:5"
FEW = "blocks.2.mlp.fc1:1"  # part of eleven addresses


def canvas(page: Page) -> Locator:
    return page.get_by_role("application", name="Map of units")


def show(page: Page, path: Path, hash_: str = "#map") -> None:
    """Open the map, and wait until it is drawn."""
    open_page(page, path, hash_)
    page.wait_for_function("featviz.page.map?.theme")


def at(page: Page, address: str) -> tuple[float, float]:
    """Where the center of a unit is in the window."""
    box = box_of(canvas(page))
    code = """(address) => {
        const { map, unitTable } = featviz.page;
        const [column, row] = map.cellOf(unitTable.find(address));
        return [map.viewport.left(column + 0.5), map.viewport.top(row + 0.5)];
    }"""
    left, top = page.evaluate(code, address)
    return box["x"] + 1 + left, box["y"] + 1 + top


def place(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.evaluate(
        "(({ x, y, scale }) => ({ x, y, scale }))(featviz.page.map.viewport)"
    )
    return found


def focused(page: Page) -> str | None:
    code = "(({ map, unitTable }) => map.focused === null ? null : unitTable.address(map.focused))"
    found: str | None = page.evaluate(f"{code}(featviz.page)")
    return found


def test_a_click_opens_the_unit_and_back_returns_to_the_same_part(
    page: Page, model_page: Path
) -> None:
    show(page, model_page)
    x, y = at(page, UNIT)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    eventually(lambda: "&at=" in page.evaluate("location.hash"))
    zoomed = place(page)
    page.mouse.click(*at(page, UNIT))
    expect(page.get_by_role("heading", level=1)).to_have_text(UNIT)
    back(page)
    expect(canvas(page)).to_be_focused()
    eventually(lambda: place(page), pytest.approx(zoomed, abs=0.02))
    assert focused(page) == UNIT
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(UNIT)
    page.keyboard.press("Escape")
    eventually(lambda: place(page), pytest.approx(zoomed, abs=0.02))


def test_the_wheel_zooms_around_the_mouse_and_does_not_scroll_the_page(
    page: Page, model_page: Path
) -> None:
    show(page, model_page)
    before, scale = at(page, UNIT), place(page)["scale"]
    mouse = [int(x) for x in before]  # events have whole pixels
    page.mouse.move(*mouse)
    page.mouse.wheel(0, -300)
    eventually(lambda: place(page)["scale"] > 30)
    factor = place(page)["scale"] / scale
    wanted = [m + factor * (x - m) for m, x in zip(mouse, before, strict=True)]
    assert at(page, UNIT) == pytest.approx(wanted, abs=0.5)
    assert page.evaluate("scrollY") == 0


def test_a_drag_moves_the_map_and_opens_nothing(page: Page, model_page: Path) -> None:
    show(page, model_page)
    x, y = at(page, UNIT)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=3)
    page.mouse.move(x + 60, y + 40, steps=3)
    page.mouse.up()
    eventually(lambda: at(page, UNIT)[0] > x + 50)
    assert at(page, UNIT) == pytest.approx((x + 60, y + 40), abs=8)
    expect(canvas(page)).to_be_visible()


def test_arrow_keys_move_to_the_nearest_unit_in_their_direction(
    page: Page, model_page: Path
) -> None:
    show(page, model_page, f"#map={UNIT}")
    status = page.locator(".map-status")
    expect(status).to_contain_text(UNIT)
    expect(canvas(page)).to_be_focused()
    moves = {"ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowLeft": (-1, 0), "ArrowDown": (0, 1)}
    for key, (across, down) in moves.items():
        before = focused(page)
        assert before is not None
        x, y = at(page, before)
        page.keyboard.press(key)
        after = focused(page)
        assert after is not None
        new_x, new_y = at(page, before)
        if after == before:
            continue  # at the edge of the map
        to_x, to_y = at(page, after)
        along = (to_x - new_x) * across + (to_y - new_y) * down
        aside = abs((to_x - new_x) * down) + abs((to_y - new_y) * across)
        assert along > 0, (key, x, y)
        assert aside <= along + 0.1, key
        expect(status).to_contain_text(after)


def test_filters_dim_the_other_units_and_arrow_keys_skip_them(page: Page, model_page: Path) -> None:
    show(page, model_page, f"#map&q={FEW}")
    expect(page.locator("#count")).to_have_text("11 of 38 units")
    alphas = page.evaluate(
        """() => {
            const { map, unitTable } = featviz.page;
            const { columns, rows } = map.viewport;
            const { data } = map.painter.squares
                .getContext("2d")
                .getImageData(0, 0, columns, rows);
            return map.cells.map((cell, i) => [unitTable.address(i), data[4 * cell + 3]]);
        }"""
    )
    assert {address for address, alpha in alphas if alpha == 255} == {
        address for address, _ in alphas if FEW in address
    }
    canvas(page).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        assert FEW in str(focused(page))
    page.get_by_role("link", name="Show as list").click()
    expect(page.locator("#units")).to_be_visible()
    expect(page.locator("#count")).to_have_text("11 of 38 units")
    page.get_by_role("link", name="Show on map").click()
    expect(canvas(page)).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("#count")).to_have_text("38 units")
    expect(canvas(page)).to_be_visible()


def test_pictures_are_drawn_once_a_cell_is_large(page: Page, model_page: Path) -> None:
    show(page, model_page, f"#map={UNIT}")
    loaded = "featviz.page.map.painter.thumbnails.bitmaps"
    i = page.evaluate("(address) => featviz.page.unitTable.find(address)", UNIT)
    eventually(lambda: page.evaluate(f"{loaded}.has({i})"))
    assert page.evaluate(f"{loaded}.size") <= 38


def test_few_pictures_are_kept(page: Page, model_page: Path) -> None:
    show(page, model_page, f"#map={UNIT}")
    page.evaluate("featviz.page.map.painter.thumbnails.most = 3")
    page.evaluate("featviz.page.map.painter.thumbnails.request([...Array(38).keys()])")
    eventually(lambda: page.evaluate("featviz.page.map.painter.thumbnails.wanted.size") == 0)
    eventually(lambda: page.evaluate("featviz.page.map.painter.thumbnails.loading.size") == 0)
    assert page.evaluate("featviz.page.map.painter.thumbnails.bitmaps.size") <= 3


def test_colors_by_layer_have_a_legend_that_filters(page: Page, model_page: Path) -> None:
    show(page, model_page)
    page.get_by_label("Color of the units").select_option("layer")
    legend = page.get_by_role("list", name="Colors")
    expect(legend.get_by_role("listitem")).to_have_count(4)
    legend.get_by_role("link", name="patch_embed").click()
    expect(page.locator("#count")).to_have_text("2 of 38 units")
    assert "color=layer" in page.evaluate("location.hash")
    colors: list[Any] = page.evaluate(
        "[...document.querySelectorAll('.swatch')].map((s) => s.style.background)"
    )
    assert len(set(colors)) == 4


def test_two_fingers_zoom(page: Page, model_page: Path) -> None:
    show(page, model_page)
    before = place(page)["scale"]
    page.evaluate(
        """() => {
            const canvas = document.querySelector("#unit-map canvas");
            canvas.setPointerCapture = () => {};
            const { left, top } = canvas.getBoundingClientRect();
            const fire = (type, pointerId, x) => canvas.dispatchEvent(
                new PointerEvent(type, {
                    pointerId, pointerType: "touch", clientX: left + x, clientY: top + 99,
                }),
            );
            fire("pointerdown", 1, 100);
            fire("pointerdown", 2, 200);
            fire("pointermove", 2, 300);
            fire("pointerup", 2, 300);
            fire("pointerup", 1, 100);
        }"""
    )
    assert place(page)["scale"] == pytest.approx(2 * before)
    expect(canvas(page)).to_be_visible()


def test_a_unit_page_leads_to_its_place(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNIT}")
    page.get_by_role("link", name="Show this unit on the map").click()
    page.wait_for_function("featviz.page.map?.theme")
    eventually(lambda: focused(page), UNIT)


def test_what_a_link_names_in_vain_is_said(page: Page, model_page: Path) -> None:
    show(page, model_page, "#map=blocks.99.mlp.fc1:1&color=odor&at=here")
    for text in ("blocks.99.mlp.fc1:1", "odor", "at=here"):
        expect(page.locator("#problem")).to_contain_text(text)


def test_a_model_of_few_units_has_no_map(page: Page, site: Path) -> None:
    (few,) = site.glob("cueworld-mixer-*.html")
    open_page(page, few, "#map")
    expect(page.locator("#problem")).to_contain_text("map")
    expect(page.get_by_role("link", name="Map")).to_have_count(0)
    expect(page.locator("#units")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_map_fits_the_window_and_is_accessible(
    schemed: Page, model_page: Path, width: int
) -> None:
    schemed.set_viewport_size({"width": width, "height": 800})
    show(schemed, model_page, "#map&color=layer")
    fits(schemed, width)
    box = box_of(canvas(schemed))
    assert box["y"] + box["height"] <= 800
    assert violations(schemed) == []
