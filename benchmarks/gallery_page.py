"""Time that the page of a model with 18,432 units takes to open, scroll, sort and filter.

``python -m benchmarks.gallery_page`` prints one JSON line with a record for each browser and window
size. The page is opened from the file system. Times are in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.machine import describe
from tests.gallery.big import write_page

SIZES = [(390, 800), (1280, 800), (1920, 1080)]

# From the start of the navigation to the second frame after all sheets are decoded.
OPENED = """async () => {
    const files = [...document.querySelectorAll(".cell")].map(
        (cell) => getComputedStyle(cell).getPropertyValue("--sheet-file").slice(5, -2));
    for (const file of new Set(files)) {
        const image = new Image();
        image.src = file;
        await image.decode();
    }
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    return performance.now();
}"""

# Scrolls through the whole page in 200 steps, one per frame.
SCROLLED = """async () => {
    const deltas = [];
    let [most, last] = [0, performance.now()];
    const step = document.documentElement.scrollHeight / 200;
    for (let y = 0; y < document.documentElement.scrollHeight; y += step) {
        scrollTo(0, y);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        deltas.push(now - last);
        last = now;
        most = Math.max(most, document.getElementsByTagName("*").length);
    }
    deltas.sort((a, b) => a - b);
    const at = (share) => deltas[Math.floor(share * (deltas.length - 1))];
    return { frames: deltas.length, median: at(0.5), p95: at(0.95), nodes: most };
}"""

# Time of the page's scripts and of the layout that they force, without painting.
WORKED = """(changes) => {
    const { grid, unitTable, view } = featviz.page;
    const start = performance.now();
    unitTable.forget();
    const state = { ...view.state(), ...changes };
    const units = unitTable.order(state);
    grid.fill(units, { headed: state.sort === null, sort: state.sort });
    document.body.getBoundingClientRect();
    return performance.now() - start;
}"""

# From a change of the address to the first frame that shows it.
SEEN = """(changes) => new Promise((go) => {
    const start = performance.now();
    addEventListener("hashchange", () => requestAnimationFrame(() => setTimeout(
        () => go(performance.now() - start))), { once: true });
    featviz.page.view.go(changes);
})"""

CHANGES: dict[str, dict[str, Any]] = {
    "sort": {"sort": "ratio", "down": True},
    "filter": {"where": [{"key": "fine", "op": "<=", "value": 2}]},
    "search": {"q": "fc1:42"},
}


def measure(page: Page, path: Path) -> dict[str, Any]:
    """Open the page, scroll through it, and make each change."""
    page.goto(path.as_uri())
    record: dict[str, Any] = {"opened": page.evaluate(OPENED)}
    record["scrolled"] = page.evaluate(SCROLLED)
    for name, change in CHANGES.items():
        record[name] = {
            "scripts": min(page.evaluate(WORKED, change) for _ in range(5)),
            "until seen": page.evaluate(SEEN, change),
        }
        page.evaluate("location.hash = ''")
        page.wait_for_function(
            "featviz.page.grid.units.length === featviz.page.unitTable.count"
            " && featviz.page.grid.headed"
        )
    return record


def main() -> None:
    """Run the benchmark in each installed browser and print the results."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    records = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = write_page(Path(folder) / "site")
        data = path.parent / "data-1"
        scripts = [p for p in (data / "static").iterdir() if p.suffix in {".js", ".css", ".svg"}]
        first = [
            path,
            *scripts,
            data / "1/model.js",
            data / "1/units.js",
            data / "1/sheets/0-0.webp",
        ]
        chromium, firefox = shutil.which("chromium"), shutil.which("firefox-esr")
        browsers: dict[str, Browser] = {}
        if chromium:
            browsers["chromium"] = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"]
            )
        if firefox:
            browsers["firefox"] = playwright.firefox.launch(
                executable_path=firefox, channel="moz-firefox"
            )
        for name, browser in browsers.items():
            for width, height in SIZES:
                page = browser.new_page(viewport={"width": width, "height": height})
                record = measure(page, path)
                records.append({"browser": name, "window": [width, height], **record})
                page.close()
            browser.close()
        size = sum(file.stat().st_size for file in first)
    load = os.getloadavg()[0]
    print(json.dumps({**describe(), "load": load, "bytes read": size, "records": records}))


if __name__ == "__main__":
    main()
