"""The code that embeds a unit in another page: it holds the bytes of the picture."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.gallery.browsing import allow_clipboard, open_page, violations
from tests.gallery.conftest import DIVERSE, UNITS

ONE = UNITS[3]


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".webp": ""}  # an old server

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    """Serve the gallery; return its URL."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def picture_of(page: Page, site: Path) -> Path:
    """File of the picture that the page shows."""
    shown = page.locator(".large img").get_attribute("src")
    assert shown is not None
    return site / shown


def embedded(code: str) -> bytes:
    (data,) = re.findall(r'src="data:image/webp;base64,([^"]*)"', code)
    return base64.b64decode(data)


def test_the_code_of_a_served_gallery_holds_the_file_of_the_sample_that_is_shown(
    context: BrowserContext, server: str, site: Path, model_page: Path
) -> None:
    allow_clipboard(context)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto(f"{server}/{model_page.name}#unit={DIVERSE}")
    expect(page.locator(".choice")).to_have_count(4)
    page.keyboard.press("3")
    section = page.locator(".render", has=page.locator(".choice"))
    section.get_by_role("button", name="Embed code").click()
    expect(page.get_by_role("textbox", name="Embed code")).to_have_value(re.compile("^<figure"))
    page.get_by_role("button", name="Copy embed code").press("Enter")
    expect(page.locator(".message")).to_contain_text("Embed code copied")
    code = str(page.evaluate("navigator.clipboard.readText()"))
    shown = section.locator(".large img").get_attribute("src")
    assert shown is not None
    assert embedded(code) == (site / shown).read_bytes()
    assert "<a " not in code  # nobody else can open this address
    assert DIVERSE in code
    assert "cueworld/vit" in code
    assert faults == []


def test_the_code_is_shown_by_another_page_without_scripts_or_requests(
    context: BrowserContext, server: str, model_page: Path
) -> None:
    page = context.new_page()
    page.goto(f"{server}/{model_page.name}#unit={ONE}")
    page.get_by_role("button", name="Embed code").click()
    box = page.get_by_role("textbox", name="Embed code")
    expect(box).to_have_value(re.compile("^<figure"))
    code = box.input_value()
    requests: list[str] = []
    blank = context.new_page()
    blank.on("request", lambda request: requests.append(request.url))
    blank.set_content(f"<body style='width: 200px'>{code}")
    blank.wait_for_function("document.querySelector('img').naturalWidth > 0")
    assert blank.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert blank.locator("img").bounding_box()["width"] <= 200  # type: ignore[index]
    assert all(url.startswith("data:") for url in requests)


def test_a_page_from_a_file_asks_for_the_picture_and_takes_no_other(
    page: Page, context: BrowserContext, site: Path, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, f"#unit={ONE}")
    page.get_by_role("button", name="Embed code").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This page was opened from a file")
    expect(dialog.get_by_role("button", name="Copy embed code")).to_be_hidden()
    picture = picture_of(page, site)
    expect(dialog).to_contain_text(picture.relative_to(site).as_posix())
    assert violations(page) == []
    chooser = dialog.locator("input[type=file]")
    other = next(path for path in sorted(picture.parent.iterdir()) if path != picture)
    chooser.set_input_files(other)
    expect(dialog.get_by_role("status")).to_contain_text(f"{other.name} is not the picture")
    expect(dialog.get_by_role("button", name="Copy embed code")).to_be_hidden()
    chooser.set_input_files(picture)
    dialog.get_by_role("button", name="Copy embed code").click()
    expect(page.locator(".message")).to_contain_text("Embed code copied")
    assert embedded(str(page.evaluate("navigator.clipboard.readText()"))) == picture.read_bytes()
