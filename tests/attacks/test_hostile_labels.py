"""Labels with hostile addresses and texts, from a file, the browser's storage and the export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.attacks.test_hostile_gallery import TEXTS, untouched
from tests.gallery.browsing import eventually, open_page
from tests.gallery.made_stores import write_store

UNITS = [f"head:{text}" for text in TEXTS]
ADDRESSES = [*UNITS, *TEXTS, "toString", "hasOwnProperty", "\ud800", "x" * 5000]
LABELS = [TEXTS[i % len(TEXTS)] for i in range(len(ADDRESSES))]


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    gallery.export([write_store(folder / "store", UNITS)], folder / "site")
    (found,) = (folder / "site").glob("cueworld-*.html")
    return found


def labels_file(addresses: list[str], labels: list[str]) -> str:
    """Return the text of a label file in which every unit is a favourite."""
    entries = {a: {"label": t, "favourite": True} for a, t in zip(addresses, labels, strict=True)}
    return json.dumps({"format": "featviz-labels", "version": 1, "labels": entries})


def choose(page: Page, text: str, name: str = "labels.json") -> None:
    page.locator(".label-chooser").set_input_files(
        {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    )


def stored_labels(page: Page) -> dict[str, Any]:
    return {
        address: entry["label"] for address, entry in page.evaluate("featviz.page.labels.entries()")
    }


def clean(page: Page) -> bool:
    """Whether no hostile script ran, and no prototype was changed."""
    added = "() => Object.keys(Object.getPrototypeOf({})).length + ('label' in {})"
    return untouched(page) and page.evaluate(added) == 0


def test_hostile_labels_of_a_file_are_shown_as_text_and_exported_unchanged(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    choose(page, labels_file(ADDRESSES, LABELS))
    expect(page.locator(".labeled-unit")).to_have_count(len(ADDRESSES))
    names = page.locator(".labeled-unit bdi")
    eventually(
        lambda: sorted(names.evaluate_all("all => all.map((node) => node.textContent)")),
        sorted(text.strip() for text in LABELS),
    )
    eventually(lambda: clean(page))
    page.reload()
    expect(page.locator(".labeled-unit")).to_have_count(len(ADDRESSES))
    written = json.loads(page.evaluate("featviz.page.labels.serialize()"))["labels"]
    assert len(written) == len(ADDRESSES)
    assert written["__proto__"] == {
        "label": LABELS[ADDRESSES.index("__proto__")],
        "favourite": True,
    }
    eventually(lambda: clean(page))
    eventually(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_hostile_labels_of_an_export_are_shown_as_text(page: Page, model_page: Path) -> None:
    script = model_page.parent / "data-1" / "1" / "model.js"
    before = script.read_text()
    assert '"labels":[]' in before
    rows = [[address, text, True] for address, text in zip(UNITS, LABELS, strict=False)]
    script.write_text(before.replace('"labels":[]', f'"labels":{json.dumps(rows)}'))
    try:
        open_page(page, model_page, "#labels")
        expect(page.locator(".labeled-unit")).to_have_count(len(UNITS))
        eventually(lambda: stored_labels(page), dict(zip(UNITS, LABELS, strict=False)))
        eventually(lambda: clean(page))
    finally:
        script.write_text(before)


def test_hostile_labels_do_nothing_on_the_pages_of_their_units(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    choose(page, labels_file(ADDRESSES, LABELS))
    expect(page.locator(".labeled-unit")).to_have_count(len(ADDRESSES))
    for address, text in zip(UNITS, LABELS, strict=False):
        page.evaluate(
            "address => { location.hash = featviz.page.view.link({unit: address}); }", address
        )
        page.wait_for_function(
            "address => document.querySelector('#unit h1')?.textContent === address", arg=address
        )
        # A one-line input removes line breaks.
        expect(page.locator(".label-input")).to_have_value(text.strip().replace("\n", ""))
        expect(page.locator("#unit h1")).to_have_count(1)
    eventually(lambda: clean(page))


def test_hostile_units_are_pinned_compared_and_linked_to(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for some in (UNITS[:8], UNITS[8:16], UNITS[12:]):
        page.evaluate("addresses => featviz.page.pins.replace(addresses)", some)
        page.evaluate(
            "addresses => { location.hash = featviz.page.view.link({pins: addresses}); }", some
        )
        page.wait_for_function(
            """addresses => {
                const shown = [...document.querySelectorAll(".compared thead th > a")];
                return addresses.join("|") === shown.map((link) => link.textContent).join("|");
            }""",
            arg=some,
        )
        eventually(lambda: clean(page))


def test_a_right_to_left_override_in_a_label_does_not_affect_other_text(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    choose(page, labels_file([UNITS[0]], ["\u202egnp.exe"]))
    expect(page.locator(".labeled-unit bdi")).to_have_text("\u202egnp.exe")
    isolation = page.locator(".labeled-unit bdi").evaluate(
        "node => getComputedStyle(node).unicodeBidi"
    )
    assert isolation == "isolate"


def test_the_name_of_an_imported_file_is_shown_as_text(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#labels")
    name = "<img src=x onerror=globalThis.pwned=1>.json"
    choose(page, "{", name)
    expect(page.locator(".message")).to_have_text(f"{name} was not imported: it is not valid JSON")
    eventually(lambda: clean(page))


def test_corrupt_storage_is_ignored_and_kept(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for text in ("{", "null", "[]", '{"__proto__":{"label":"x"}}', "<script>", "9" * 400):
        page.evaluate(
            "text => { localStorage.setItem(featviz.page.labels.key, text);"
            " sessionStorage.setItem(featviz.page.pins.key, text); }",
            text,
        )
        page.reload()
        eventually(lambda: stored_labels(page), {})
        eventually(lambda: page.evaluate("featviz.page.pins.list()"), [])
        eventually(lambda: page.evaluate("localStorage.getItem(featviz.page.labels.key)"), text)
        eventually(lambda: clean(page))


NAMES = ["__proto__", "<img src=x onerror=alert(1)>", "a&list=b#c%", "constructor", "=1+1"]


def test_hostile_names_of_lists_are_text_on_the_page_and_in_links(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    lists = json.dumps({name: [UNITS[1], "<b>gone</b>"] for name in NAMES})
    file = f'{{"format": "featviz-labels", "version": 1, "labels": {{}}, "lists": {lists}}}'
    choose(page, file)
    links = page.locator(".named-lists a")
    expect(links).to_have_count(len(NAMES))
    page.reload()
    eventually(lambda: sorted(links.all_text_contents()), sorted(NAMES))
    for name in NAMES:
        page.locator(".named-lists a").filter(has_text=name).click()
        expect(page.locator("#units a.cell")).to_have_count(1)
        expect(page.locator(".chip-off").filter(has_text=name)).to_be_visible()
        expect(page.locator("#problem")).to_contain_text("<b>gone</b>")
        page.evaluate("location.hash = '#labels'")
        expect(links).to_have_count(len(NAMES))
    eventually(lambda: clean(page))
