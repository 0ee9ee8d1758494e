"""Stores whose texts attack the page, the shell or the file system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import gallery
from featviz.store.reader import Store
from tests.gallery import results
from tests.gallery.browsing import eventually, open_page
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results

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
            folder / f"store-{index}",
            [f"{site}:{text}" for site in ("head", text) for text in TEXTS],
            model=text,
            load={"untrained": True, "arch": text},
            sites=TEXTS,
            settings={text: text, "preset": text, "samples": 1},
            failures={f"failed:{text}": text for text in TEXTS},
        )
        for index, text in enumerate(TEXTS)
    ]
    stores.append(
        write_store(
            folder / "again",
            [f"head:{text}" for text in TEXTS],
            model=TEXTS[0],
            settings={TEXTS[1]: TEXTS[1]},
        )
    )
    stores.append(hostile_results(folder / "results"))
    gallery.export(stores, folder / "export" / "site")
    return folder / "export" / "site"


def hostile_results(path: Path) -> Store:
    """Write all other kinds of results, with hostile texts, for the first model."""
    addresses = [f"head:{text}" for text in TEXTS]
    classes = {**results.filters(addresses), "class": TEXTS}
    configuration = {
        **{text: text for text in TEXTS},
        "other": {"model": TEXTS[1], "fingerprint": TEXTS[0]},
        "layers": TEXTS[:3],
        "grid": [TEXTS[0], TEXTS[1]],
        "prefix": TEXTS[2],
    }
    rows = {
        "sides": results.sides(addresses),
        "grids": results.grids(addresses),
        "attention": results.attention(addresses),
        "gradients": results.gradients(addresses),
        "filters": classes,
        "components": results.components(addresses),
        "positions": results.positions(addresses[: results.PATCHES]),
        "tokens": results.tokens(addresses),
        "matches": results.matches(addresses, TEXTS),
        "cka": results.cka(addresses),
    }
    for kind, columns in rows.items():
        write_results(path, kind, columns, configuration, model=TEXTS[0], sites=TEXTS)
    return Store(path)


def untouched(page: Page) -> bool:
    """Whether no hostile script ran, and the document has no elements that could run one."""
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


def test_files_are_written_in_the_folder_only_and_not_named_after_texts_of_a_store(
    site: Path,
) -> None:
    assert [path.name for path in site.parent.iterdir()] == ["site"]
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    for path in site.rglob("*"):
        assert set(path.name) <= allowed
        assert not path.name.startswith((".", "-"))
    assert len(list(site.glob("*.html"))) == len(TEXTS) + 1


def test_texts_of_a_store_are_not_in_html_and_are_escaped_in_json(site: Path) -> None:
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
    names = page.locator("#models h2")
    eventually(lambda: names.evaluate_all("all => all.map((node) => node.textContent)"), TEXTS)
    eventually(lambda: untouched(page))


def test_every_hostile_unit_is_shown_without_running_scripts(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.locator("#models h2").first.click()
    expect(page.locator("h1#name")).to_have_text(TEXTS[0])
    eventually(lambda: untouched(page))
    cells = page.locator(".cell")
    wanted = {f"head:{text}" for text in TEXTS}
    eventually(
        lambda: wanted <= set(cells.evaluate_all("all => all.map((node) => node.ariaLabel)"))
    )
    shown = set(cells.evaluate_all("all => all.map((node) => node.ariaLabel)"))
    hashes = page.locator(".cell").evaluate_all("all => all.map((node) => node.hash)")
    for hash_ in hashes:
        page.evaluate("hash => { location.hash = hash; }", hash_)
        expect(page.locator("#unit .plot").first).to_be_visible()
        eventually(lambda: page.locator("#unit h1").evaluate("node => node.textContent") in shown)
        eventually(lambda: untouched(page))


@pytest.mark.parametrize(
    ("name", "selector", "expected"),
    [
        ("filters", "#section section .heading h3", TEXTS),
        ("attention", ".card-head h4", [f"head {text}" for text in TEXTS]),
        ("grids", "#section figure figcaption b", [f"head:{text}" for text in TEXTS]),
        ("gradients", ".gradient h4", [f"head:{text}" for text in TEXTS]),
        ("tokens", ".token-map figcaption b", [f":{text}" for text in TEXTS]),
        ("compare", ".match .two > div:last-child .who", TEXTS),
        ("compare", "#section .label a, #section .label span", [TEXTS[1]] * 2),
        ("compare", ".layers .tick title", [*(f"head:{text}" for text in TEXTS), *TEXTS[:3]]),
    ],
)
def test_every_hostile_result_is_shown_as_text_without_running_scripts(
    name: str, selector: str, expected: list[str], page: Page, site: Path
) -> None:
    open_page(page, site / "index.html")
    page.locator("#models h2").first.click()
    page.locator(f"#views a[href='#{name}']").click()
    shown = page.locator(selector)
    expect(shown).to_have_count(len(expected))
    eventually(
        lambda: sorted(shown.evaluate_all("all => all.map((node) => node.textContent)")),
        sorted(expected),
    )
    for table in page.locator("#section summary").all():
        table.click()
    if name != "grids":  # whose pictures are those of units
        page.locator("#section button.zoom").first.click()
        expect(page.locator("dialog#zoom img").first).to_be_visible()
    eventually(lambda: untouched(page))


def test_links_to_hostile_rows_of_a_section_work(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.locator("#models h2").first.click()
    follow = "address => { location.hash = `#tokens=${encodeURIComponent(address)}`; }"
    focused = "document.activeElement.querySelector('img')?.alt.startsWith"
    for text in TEXTS:
        page.evaluate(follow, f"head:{text}")
        page.wait_for_function(f"name => {focused}?.(name)", arg=f"head:{text}:")
        eventually(lambda: untouched(page))


def test_links_to_hostile_layers_work(page: Page, site: Path) -> None:
    open_page(page, site / "index.html")
    page.locator("#models .card").nth(3).click()
    for link in page.locator("#sites a").all():
        link.click()
        eventually(lambda: untouched(page))
    expect(page.locator("#failed dt")).to_have_count(len(TEXTS))
