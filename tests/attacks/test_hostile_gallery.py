"""Stores whose every text attacks the page, the shell or the file system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import gallery
from tests.gallery.browsing import open_page
from tests.gallery.stores import write_store

TEXTS = [
    "<img src=x onerror=globalThis.pwned=1>",
    "</script><script>globalThis.pwned=1</script>",
    "<!--<script>",
    "\"'`;globalThis.pwned=1;//",
    '"></a><svg onload=globalThis.pwned=1>',
    "\u2028globalThis.pwned=1\u2029",
    "\\u003cscript>\\",
    "../../../../escaped",
    "/tmp/escaped",
    "C:\\escaped",
    "__proto__",
    "constructor",
    "javascript:globalThis.pwned=1",
    "${globalThis.pwned=1}",
    "$static$data",
    "unit=",
    "&lt;b&gt;&#x3c;",
    "%00%2e%2e%2f",
    "\u202egnp.exe",
    "a\nb\tc",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attack")
    stores = [
        write_store(
            folder / f"store-{number}",
            [f"{site}:{text}" for site in ("head", text) for text in TEXTS],
            model=text,
            load={"untrained": True, "arch": text},
            sites=TEXTS,
            settings={text: text, "preset": text, "samples": 1},
            failures={f"failed:{text}": text for text in TEXTS},
        )
        for number, text in enumerate(TEXTS)
    ]
    stores.append(
        write_store(
            folder / "again",
            [f"head:{text}" for text in TEXTS],
            model=TEXTS[0],
            settings={TEXTS[1]: TEXTS[1]},
        )
    )
    gallery.export(stores, folder / "export" / "site")
    return folder / "export" / "site"


def untouched(page: Page) -> bool:
    """Whether the document holds only the page's own kinds of elements, and nothing ran."""
    return bool(
        page.evaluate(
            """() => globalThis.pwned === undefined && ({}).pwned === undefined
            && [...document.scripts].every((script) => script.src && !script.textContent)
            && [...document.querySelectorAll("*")].every((node) =>
                 node.getAttributeNames().every((name) => !name.startsWith("on")))
            && [...document.links].every((link) => /^file:/.test(link.href))
            && [...document.images].every((image) => image.src.includes("/data-1/"))
            && !document.querySelector("iframe, object, embed, form, base")"""
        )
    )


def test_no_file_is_written_outside_the_folder_or_named_by_a_store(site: Path) -> None:
    assert [path.name for path in site.parent.iterdir()] == ["site"]
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    for path in site.rglob("*"):
        assert set(path.name) <= allowed
        assert not path.name.startswith((".", "-"))
    assert len(list(site.glob("*.html"))) == len(TEXTS) + 1


def test_no_text_of_a_store_reaches_html_or_leaves_its_json(site: Path) -> None:
    for page in site.glob("*.html"):
        assert "pwned" not in page.read_text()
    for script in site.glob("data-1/*/**/*.js"):
        if script.parent.name == "static":
            continue
        text = script.read_text(encoding="ascii")
        assert not set("<>&") & set(text)
        assert text.count("\n") == 1
        json.loads(text.split("=", 2)[2].rstrip(";\n"))


def test_the_index_shows_hostile_names_as_text(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    shown = page.locator("#models h2").evaluate_all("all => all.map((node) => node.textContent)")
    assert shown == TEXTS
    assert untouched(page)


def test_every_hostile_unit_can_be_looked_at_and_runs_nothing(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.locator("#models .card").first.click()
    expect(page.locator("h1#name")).to_have_text(TEXTS[0])
    assert untouched(page)
    shown = set(page.locator(".cell img").evaluate_all("all => all.map((node) => node.alt)"))
    assert {f"head:{text}" for text in TEXTS} <= shown
    hashes = page.locator(".cell").evaluate_all("all => all.map((node) => node.hash)")
    for hash_ in hashes:
        page.evaluate("hash => { location.hash = hash; }", hash_)
        expect(page.locator("#unit .plot").first).to_be_visible()
        assert page.locator("#unit h1").evaluate("node => node.textContent") in shown
        assert untouched(page)


def test_hostile_layers_can_be_linked_to(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.locator("#models .card").nth(3).click()
    for link in page.locator("#sites a").all():
        link.click()
        assert untouched(page)
    expect(page.locator("#failed dt")).to_have_count(len(TEXTS))
