"""Direct effects on logits on a unit's page, and the filter by them, in Chromium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.gallery.browsing import fits, open_page, violations
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data

UNITS = ["blocks.0.mlp.fc1:0", "blocks.0.mlp.fc1:1", "blocks.0.mlp.fc1:2"]
NAMES = [f"class {number}" for number in range(11)] + ["<i>tench</i>, Tinca tinca"]


@pytest.fixture(scope="session")
def browser_name() -> str:
    """Run these tests in one browser: they use nothing that browsers do unlike."""
    return "chromium"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of three units; the first two raise the last and the first class most."""
    folder = tmp_path_factory.mktemp("logits")
    write_store(folder / "s", UNITS)
    rising = np.linspace(-0.5, 0.6, 12, dtype=np.float32)
    rows = {"address": UNITS[:2], "effects": np.stack([rising, rising[::-1]])}
    write_results(folder / "s", "logits", rows, {"classes": NAMES, "norm": "unscaled"})
    gallery.export([folder / "s"], folder / "site")
    return folder / "site"


def page_of(site: Path) -> Path:
    (found,) = site.glob("cueworld-vit-*.html")
    return found


def test_a_unit_has_the_five_classes_at_either_end(page: Page, site: Path) -> None:
    open_page(page, page_of(site), f"#unit={UNITS[0]}")
    block = page.get_by_role("region", name="Writes to logits", exact=True)
    tables = block.locator("table.bars")
    names = tables.nth(0).locator("th")
    expect(names).to_have_text([NAMES[11], NAMES[10], NAMES[9], NAMES[8], NAMES[7]])
    expect(tables.nth(0).locator("td:last-child").first).to_have_text("0.600")
    expect(tables.nth(1).locator("th")).to_have_text(NAMES[:5])
    expect(tables.nth(1).locator("td:last-child").first).to_have_text("\u22120.500")
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    fits(page, 390)


def test_a_unit_without_effects_has_no_such_block(page: Page, site: Path) -> None:
    open_page(page, page_of(site), f"#unit={UNITS[2]}")
    expect(page.get_by_role("heading", level=1)).to_have_text(UNITS[2])
    expect(page.locator(".render")).to_have_count(1)
    expect(page.get_by_role("region", name="Writes to logits", exact=True)).to_have_count(0)


def test_units_are_filtered_by_the_class_that_they_raise_most(page: Page, site: Path) -> None:
    facet = data(site, "1/units")["facets"]["writes"]
    assert [None if unit is None else facet["values"][unit] for unit in facet["units"]] == [
        NAMES[11],
        NAMES[0],
        None,
    ]
    open_page(page, page_of(site), "#units&writes=class%200")
    expect(page.get_by_text("Writes to class 0")).to_have_count(1)
    expect(page.locator("#count")).to_have_text("1 of 3 units")
