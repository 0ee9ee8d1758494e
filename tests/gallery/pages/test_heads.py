"""The heads of a model at a glance, in a real browser: where the links of each lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import gallery
from tests.gallery.browsing import open_page
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_everything

HEAD = "blocks.2.attn.qk:0"
LOGITS = [f"{HEAD}@{place}" for place in ("q1.k1", "q2.k2", "q12.k3")]
OTHERS = ["blocks.2.attn.qk:10@q1.k1", "blocks.10.attn.qk:0@q1.k1"]


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    sites = ["patch_embed", "blocks.2.attn.qk", "blocks.10.attn.qk", "head"]
    stores = [
        write_everything(folder / "all", ["head:0", "head:1"]),
        write_store(folder / "logits", [*LOGITS, *OTHERS], sites=sites),
    ]
    gallery.export(stores, folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


@pytest.fixture(params=["mouse", "keyboard"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def follow(link: Locator, way: str) -> None:
    if way == "mouse":
        link.click()
    else:
        link.press("Enter")


def test_the_picture_of_a_head_leads_to_its_first_unit_and_back(
    way: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#heads")
    link = page.locator(f"#section a[title='{LOGITS[0]}']")
    follow(link, way)
    expect(page.locator("#unit h1")).to_have_text(LOGITS[0])
    page.keyboard.press("Escape")
    expect(link).to_be_focused()


def test_the_count_of_a_head_leads_to_its_units_alone(
    way: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#heads")
    follow(page.get_by_role("link", name=f"pictures of {HEAD}"), way)
    expect(page.get_by_role("link", name="Remove filter: blocks.2.attn.qk")).to_be_visible()
    units = page.evaluate(
        "[...featviz.page.grid.units].map((i) => featviz.page.unitTable.address(i))"
    )
    assert {unit.split("@")[0] for unit in units} == {HEAD}
    assert set(LOGITS) <= set(units)


def test_a_head_leads_to_where_it_looks(way: str, page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#heads")
    follow(page.get_by_role("link", name=f"Attention map of {HEAD}", exact=True), way)
    card = page.get_by_role("article", name=HEAD, exact=True)
    expect(card).to_be_in_viewport()
    expect(card.locator("button.zoom").first).to_be_focused()


def test_a_row_of_heads_leads_to_its_layer(way: str, page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#heads")
    follow(page.get_by_role("link", name="block 10", exact=True), way)
    expect(page.get_by_role("heading", name="blocks.10.attn.qk")).to_be_focused()
