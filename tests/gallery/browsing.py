"""Real browsers for the tests of pages: Debian's Chromium and Firefox, without network.

Firefox is driven over WebDriver BiDi, so that it need not be a patched build. Over that protocol,
the scheme of colors is set when it starts, and `Page.go_back` waits for a load that a change
of the hash never makes: use `back` and `forward`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        Dialog,
        FloatRect,
        Locator,
        Page,
        Playwright,
        Request,
    )

    Launch = Callable[[str, bool], Browser]

NAMES = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
}
PATIENCE = 20  # seconds that a busy machine may take to follow an action
_STARTING = 60_000  # milliseconds that it may take to start a browser
_FIREFOX = {
    "dom.events.testing.asyncClipboard": True,  # reads what a page copied, without asking
    "app.normandy.enabled": False,
}


def find(name: str) -> str:
    """Path of a browser; without it, skip the test, but fail where CI is set."""
    found = next(filter(None, map(shutil.which, NAMES[name])), None)
    if found is None:
        reason = f"none of {', '.join(NAMES[name])} is on the PATH; run tests/install_browser.sh"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Start the driver of browsers once."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415  # few tests need it

    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def launch(playwright: Playwright) -> Iterator[Launch]:
    """Start each browser at most once in each scheme of colors."""
    started: dict[tuple[str, bool], Browser] = {}

    def start(name: str, dark: bool) -> Browser:
        if name == "chromium":  # which changes its scheme at run time
            dark = False
        if (name, dark) not in started:
            started[name, dark] = (
                playwright.chromium.launch(
                    executable_path=find(name),
                    args=["--no-sandbox", "--disable-background-networking"],
                    timeout=_STARTING,
                )
                if name == "chromium"
                else playwright.firefox.launch(
                    executable_path=find(name),
                    channel="moz-firefox",
                    firefox_user_prefs={
                        **_FIREFOX,
                        "layout.css.prefers-color-scheme.content-override": 0 if dark else 1,
                    },
                    timeout=_STARTING,
                )
            )
        return started[name, dark]

    yield start
    for browser in started.values():
        browser.close()


@pytest.fixture(
    scope="session", params=["chromium", pytest.param("firefox", marks=pytest.mark.slow)]
)
def browser_name(request: pytest.FixtureRequest) -> str:
    """Run the test in each browser; in Firefox, which is slower to drive, with the slow tests."""
    return str(request.param)


@pytest.fixture
def browser(browser_name: str, launch: Launch) -> Browser:
    """Start a browser once."""
    return launch(browser_name, False)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a fresh window of a laptop's size."""
    fresh = browser.new_context(viewport={"width": 1280, "height": 800})
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Open an empty page that must, to its end, report no error and stay on the file system."""
    yield from _watched(context)


@pytest.fixture(params=["light", "dark"])
def schemed(request: pytest.FixtureRequest, browser_name: str, launch: Launch) -> Iterator[Page]:
    """Open a page as `page` does, in each scheme of colors."""
    dark = request.param == "dark"
    fresh = launch(browser_name, dark).new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="dark" if dark else "light"
    )
    yield from _watched(fresh)
    fresh.close()


def _watched(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: _fail(str(error), faults))
    page.on("dialog", lambda dialog: _dismiss(dialog, faults))
    page.on("requestfailed", lambda request: _arrive(request, faults))
    page.on("request", lambda request: _stay(request.url, faults))
    yield page
    assert faults == []


def _fail(error: str, faults: list[str]) -> None:
    # Firefox says so of an image that it stops loading when a page is left or scrolled.
    if "Image corrupt or truncated" not in error:
        faults.append(f"error: {error}")


def _dismiss(dialog: Dialog, faults: list[str]) -> None:
    faults.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _arrive(request: Request, faults: list[str]) -> None:
    # What a page still loads when it is left is given up; that is no fault.
    if request.failure not in {"net::ERR_ABORTED", "NS_BINDING_ABORTED"}:
        faults.append(f"failed: {request.url}: {request.failure}")


def _stay(url: str, faults: list[str]) -> None:
    # What a page makes itself, such as a file to save, comes from no network either.
    if not url.startswith(("file:///", "blob:", "data:")):
        faults.append(f"network: {url}")


def open_page(page: Page, path: Path, hash_: str = "") -> None:
    """Open a file as a user does, by its path."""
    page.goto(path.as_uri() + hash_)


def back(page: Page) -> None:
    """Go back as by the browser's button, to another view of the same file too."""
    page.evaluate("history.back()")


def forward(page: Page) -> None:
    """Go forward, as `back` goes back."""
    page.evaluate("history.forward()")


def box_of(shown: Locator) -> FloatRect:
    """Return the place and size of an element that is shown, in CSS pixels."""
    box = shown.bounding_box()
    assert box is not None
    return box


def eventually(read: Callable[[], object], wanted: object = True) -> None:
    """Assert that a value becomes `wanted`: a page follows an action in its own time.

    Parameters
    ----------
    read : callable
        Reads the value; called again until it is `wanted`, for at most `PATIENCE` seconds.
    wanted : object
        What the value is compared with, `pytest.approx` too.
    """
    deadline = time.monotonic() + PATIENCE
    while (value := read()) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert value == wanted


def fits(page: Page, width: int) -> None:
    """Assert that a page does not scroll sideways in a window of this width, in pixels."""
    eventually(lambda: page.evaluate("document.documentElement.scrollWidth") <= width)


def press_at_once(page: Page, *keys: str) -> None:
    """Press keys in one go: the page gets no hashchange event and draws no frame in between."""
    page.evaluate(
        """(keys) => {
            for (const key of keys) {
                const event = { key, bubbles: true, cancelable: true };
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", event));
            }
        }""",
        list(keys),
    )


def allow_clipboard(context: BrowserContext) -> None:
    """Let a page read the clipboard; Firefox is started so that it may."""
    browser = context.browser
    if browser is not None and browser.browser_type.name == "chromium":
        context.grant_permissions(["clipboard-read", "clipboard-write"])


def violations(page: Page, ignored: Sequence[str] = ()) -> list[str]:
    """Name what axe-core finds wrong with the page, as it is shown now.

    Parameters
    ----------
    ignored : sequence of str
        Rules that are not asked for.

    Returns
    -------
    list of str
        A line for each violation that is serious or critical: its rule, and the first element.
    """
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    rules = {rule: {"enabled": False} for rule in ignored}
    # It would read the style sheets again, which a page from the file system may not.
    options = {"rules": rules, "resultTypes": ["violations"], "preload": False}
    found: list[dict[str, Any]] = page.evaluate(
        f"axe.run(document, {json.dumps(options)}).then((result) => result.violations)"
    )
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])} times): {one['nodes'][0]['html'][:200]}"
        f" | {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
