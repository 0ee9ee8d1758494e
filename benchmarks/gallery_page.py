"""Time until the pages of large models show all pictures in the window, and their memory.

``python -m benchmarks.gallery_page`` prints one JSON line with a record for each page, browser and
window size. The pages have 18,432 units in 12 layers, and 50,000 in one, and are opened from the
file system. Times are in milliseconds, up to the second frame after all pictures in the window are
decoded. Memory is the proportional set size of the page's process, in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.machine import describe
from tests.gallery.big import write_page

SIZES = [(390, 800), (1280, 800), (1920, 1080)]
PAGES = {"18,432 in 12 layers": (12, 1536), "50,000 in one layer": (1, 50_000)}
REPEATS = 3

# Time since `start` at which all pictures in the window are decoded and painted.
PAINTED = """async (start) => {
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    const files = new Set();
    for (const cell of document.querySelectorAll(".cell")) {
        const box = cell.getBoundingClientRect();
        if (box.bottom > 0 && box.top < innerHeight)
            files.add(getComputedStyle(cell).getPropertyValue("--sheet-file").slice(5, -2));
    }
    await Promise.all([...files].map((file) => {
        const image = new Image();
        image.src = file;
        return image.decode();
    }));
    await frame();
    await frame();
    return performance.now() - start;
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

SORTS = ["fine", "kept", "spectrum", "agreement"]
ACTIONS = {
    "filter": """featviz.page.view.go({ sort: null,
        where: [{ key: "fine", op: "<=", value: 1 }] })""",
    "search": "featviz.page.view.go({ where: [], q: 'fc1:42' })",
    "list": "featviz.page.view.go({ q: '' })",
    "jump": "scrollTo(0, 0.61 * document.documentElement.scrollHeight)",
}


def measure(page: Page, path: Path) -> dict[str, Any]:
    """Open the page, sort it several times, filter, search, jump and scroll."""
    page.goto(path.as_uri())
    record: dict[str, Any] = {"opened": page.evaluate(PAINTED, 0)}
    sort = "featviz.page.view.go({{ sort: '{}', down: true }})"
    record["first sort"] = _painted_after(page, sort.format("ratio"))
    later = [_painted_after(page, sort.format(key)) for key in SORTS]
    record["later sorts"] = statistics.median(later)
    for name, action in ACTIONS.items():
        record[name] = _painted_after(page, action)
    record["scrolled"] = page.evaluate(SCROLLED)
    record["memory"] = max(_page_memory(os.getpid()), default=None)
    return record


def _painted_after(page: Page, action: str) -> float:
    """Return the time from an action to when all pictures in the window are painted."""
    code = f"() => {{ const start = performance.now(); {action}; return ({PAINTED})(start); }}"
    return float(page.evaluate(code))


def _page_memory(process: int) -> Iterator[float]:
    """Yield the memory of each process of a page below a process, in MB."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
        if "--type=renderer" in command or command.rstrip("\0").endswith("tab"):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            (pss,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
            yield int(pss) / 1000
    except (OSError, ValueError):  # the process has ended
        return
    for child in children:
        yield from _page_memory(int(child))


def _launch(playwright: Playwright) -> Iterator[tuple[str, Browser]]:
    """Start each installed browser."""
    chromium, firefox = shutil.which("chromium"), shutil.which("firefox-esr")
    if chromium:
        yield (
            "chromium",
            playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]),
        )
    if firefox:
        yield (
            "firefox",
            playwright.firefox.launch(executable_path=firefox, channel="moz-firefox"),
        )


def _median(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each number of some records."""
    return {
        key: _median([record[key] for record in records])
        if isinstance(value, dict)
        else statistics.median(record[key] for record in records)
        for key, value in records[0].items()
    }


def main() -> None:
    """Run the benchmark in each installed browser and print the results."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    records = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for number, (name, (layers, width)) in enumerate(PAGES.items()):
            path = write_page(Path(folder) / str(number), layers, width)
            for browser_name, browser in _launch(playwright):
                for across, down in SIZES:
                    runs = []
                    for _ in range(REPEATS):
                        page = browser.new_page(viewport={"width": across, "height": down})
                        runs.append(measure(page, path))
                        page.close()
                    record = {"browser": browser_name, "window": [across, down], **_median(runs)}
                    records.append({"page": name, **record})
                browser.close()
    print(json.dumps({**describe(), "load": os.getloadavg()[0], "records": records}))


if __name__ == "__main__":
    main()
