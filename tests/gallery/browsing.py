"""A real browser for the tests of pages: Debian's Chromium, opening files, without network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start a Chromium once; without one, skip, but fail where CI is set."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = f"none of {', '.join(names)} is on the PATH; run tests/install_browser.sh"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415  # few tests need it

    expect.set_options(timeout=20_000)  # milliseconds: a busy machine is no failure
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a fresh window of a laptop's size."""
    fresh = browser.new_context(viewport={"width": 1280, "height": 800})
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Open an empty page that must, to its end, report no error and stay on the file system."""
    page = context.new_page()
    page.set_default_timeout(20_000)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("dialog", lambda dialog: _dismiss(dialog, faults))
    page.on("requestfailed", lambda request: _arrive(request, faults))
    page.on("request", lambda request: _stay(request.url, faults))
    yield page
    assert faults == []


def _dismiss(dialog: Dialog, faults: list[str]) -> None:
    faults.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _arrive(request: Request, faults: list[str]) -> None:
    # What a page still loads when it is left is given up; that is no fault.
    if request.failure != "net::ERR_ABORTED":
        faults.append(f"failed: {request.url}: {request.failure}")


def _stay(url: str, faults: list[str]) -> None:
    if not url.startswith("file:///"):
        faults.append(f"network: {url}")


def open_page(page: Page, path: Path, hash_: str = "") -> None:
    """Open a file as a user does, by its path."""
    page.goto(path.as_uri() + hash_)
