"""Take screenshots of every page of a gallery: ``STORES``, a folder; see `make screenshots`.

It computes the stores that do not exist yet, exports a gallery of them to a temporary folder, and
writes ``docs/pictures/gallery/NAME-WIDTH-SCHEME.webp``.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image
from torchvision.utils import save_image
from tqdm import tqdm

import gallery
from featviz.cueworld.image_stream import draw

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = Path(__file__).parent / "pictures" / "gallery"
SIZES = ((390, 844), (1280, 800), (1920, 1080))
SCHEMES = ("light", "dark")
QUALITY = 50
MOST_BYTES = 4_500_000  # of all screenshots together

NEURONS = "blocks.3,7,11.mlp.fc1:0-7"
LAYER = "blocks.11.mlp.fc1"
LOGIT = "blocks.2.attn.qk:0@q20.k30"
TOKENS = "blocks.8.mlp.fc1:2@cls blocks.8.mlp.fc1:2@1,8,28,37,57,64"
SAVED = ("first.png", "second.png")  # images of cueworld, for gradients

# Run in the folder of the stores, with few steps: quality of the pictures does not matter here.
COMMANDS = (
    f"render cueworld/vit {NEURONS} -o neurons --samples 2 --steps 192",
    f"render cueworld/vit {TOKENS} -o tokenwise --steps 128",
    "render cueworld/vit blocks.0,2,5,8.attn.qk:0-1@same -o heads --split-qk --steps 128",
    f"render cueworld/vit {LOGIT} -o heads --split-qk --steps 128",
    "attention cueworld/vit --data cueworld:360 -o attention",
    "grid cueworld/vit blocks.2.attn.qk:0@q10,20,30.k10,20,30 -o grids --steps 96",
    f"gradients cueworld/vit {LOGIT} --image {' '.join(SAVED)} -o gradients",
    "filters cueworld/vit -o filters",
    "filters cueworld/resnet -o other",
    "tokens cueworld/vit blocks.8.mlp.fc1:2@all -o scored --steps 64",
    f"compare cueworld/vit cueworld/vit_colourblind {LAYER}:0-5 --data cueworld:360 "
    "-o compared --steps 96",
    "trace cueworld/vit --data cueworld:180 --corrupt grayscale --window 1,3 -o traces",
    f"examples cueworld/vit {NEURONS} --data cueworld:1440 -o neurons",
    "validate neurons --data cueworld",
    "render cueworld/vit sae.s:4,35,167,241@max -o latents --sae s=cueworld/sae --steps 128",
    "examples cueworld/vit sae.s:all@max --data cueworld:360 -o latents --sae s=cueworld/sae",
    "sae cueworld/sae --model cueworld/vit --data cueworld:360 -o latents",
    "circuit cueworld/vit --data cueworld:60 --corrupt grayscale -o color",
    "circuit cueworld/vit --data cueworld:60 --corrupt shuffle -o texture",
)
STORES = (
    "neurons",
    "tokenwise",
    "heads",
    "attention",
    "grids",
    "gradients",
    "filters",
    "scored",
    "compared",
    "traces",
    "latents",
    "color",
    "texture",
    "other",
)
# Labels as a reader may enter them: the classes that activate each neuron most.
LABELS = {
    f"{LAYER}:{index}": {"label": label, "favourite": index == 1}
    for index, label in enumerate(("not clear yet", "stripes", "stripes and crosses"))
}

# The pages: the fragment of each in the URL of the model's page, or None for the index.
SHOTS: dict[str, str | None] = {
    "index": None,
    "grid": "",
    "sorted": "#units&sort=-ratio&where=percentile>=0.5",
    "unit": f"#unit={LAYER}:1",
    "evidence": f"#unit={LAYER}:1",
    "token": "#unit=blocks.8.mlp.fc1:2@28",
    "pair": "#unit=blocks.2.attn.qk:0@same",
    "pins": f"#pins={','.join(quote(f'{LAYER}:{index}') for index in range(3))}",
    "labels": "#labels",
    "heads": "#heads",
    "report": "#report",
    "filters": "#filters",
    "attention": "#attention",
    "grids": "#grids",
    "gradients": "#gradients",
    "tokens": "#tokens",
    "compare": "#compare",
    "traces": "#traces",
    "circuits": "#circuits",
    "autoencoders": "#autoencoders",
}

# Pages to scroll, and to which heading.
HEADINGS = {"evidence": "Natural images", "circuits": "grayscale \u00b7 logit difference"}

# Resolves when all images in the window and all sheets of thumbnails are decoded.
DECODED = """async () => {
    await document.fonts.ready;
    const images = [...document.images].filter((image) => {
        const { top, bottom } = image.getBoundingClientRect();
        return bottom > 0 && top < innerHeight && image.currentSrc;
    });
    await Promise.all(images.map((image) => image.decode()));
    // A cell of a pair has two files.
    const sheets = [...document.querySelectorAll(".cell")].flatMap((cell) =>
        [...getComputedStyle(cell).getPropertyValue("--sheet-file").matchAll(/url\\("(.*?)"\\)/g)]
            .map((match) => match[1]));
    for (const sheet of new Set(sheets)) {
        const image = new Image();
        image.src = sheet;
        await image.decode();
    }
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
}"""


@dataclass(frozen=True)
class Shot:
    """A screenshot of one page.

    Attributes
    ----------
    name : str
        Name of the page in `SHOTS`.
    width, height : int
        Size of the window in pixels.
    scheme : str
        ``"light"`` or ``"dark"``.
    """

    name: str
    width: int
    height: int
    scheme: str

    @property
    def file(self) -> str:
        """Name of the image file."""
        return f"{self.name}-{self.width}-{self.scheme}.webp"

    def url(self, site: Path, page: str) -> str:
        """Return the URL to open.

        Parameters
        ----------
        site : Path
            Folder of the gallery.
        page : str
            File name of the model's page.
        """
        fragment = SHOTS[self.name]
        if fragment is None:
            return (site / "index.html").as_uri()
        return (site / page).as_uri() + fragment


def shots() -> list[Shot]:
    """Return all screenshots: every page at every size and in every color scheme."""
    return [
        Shot(name, width, height, scheme)
        for scheme in SCHEMES
        for width, height in SIZES
        for name in SHOTS
    ]


def make_stores(folder: Path) -> None:
    """Run the commands; results that the stores already hold are not computed again."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(SAVED, draw(len(SAVED), seed=3).images, strict=True):
        if not (folder / name).exists():
            save_image(image, folder / name)
    program = str(Path(sys.executable).with_name("featviz"))
    for command in COMMANDS:
        words = [program, *command.split()]
        done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"featviz {command}: exit {done.returncode}")


def export(stores: Path, site: Path) -> str:
    """Export the gallery; return the file name of the model's page."""
    labels = site.with_name("labels.json")
    file = {"format": "featviz-labels", "version": 1, "labels": LABELS}
    labels.write_text(json.dumps(file), encoding="utf-8")
    gallery.export([stores / name for name in STORES], site, labels=labels)
    return next(site.glob("cueworld-vit-*.html")).name


def take(browser: Browser, site: Path, page: str) -> Iterator[tuple[Shot, bytes]]:
    """Yield every screenshot as PNG; those of one size and scheme share a browser context."""
    windows = groupby(shots(), key=lambda shot: (shot.width, shot.height, shot.scheme))
    for (width, height, scheme), group in windows:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        for shot in group:
            tab = context.new_page()
            tab.goto(shot.url(site, page), wait_until="networkidle")
            if shot.name in HEADINGS:
                heading = tab.get_by_role("heading", name=HEADINGS[shot.name], exact=True)
                heading.evaluate("(heading) => heading.scrollIntoView()")
                tab.wait_for_load_state("networkidle")
            tab.evaluate(DECODED)
            yield shot, tab.screenshot(animations="disabled")
            tab.close()
        context.close()


def main(stores: Path) -> None:
    """Take all screenshots and replace those in the docs.

    Parameters
    ----------
    stores : Path
        Folder for the stores.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not installed everywhere

    make_stores(stores)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        raise SystemExit("chromium is not installed; run tests/install_browser.sh")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Path(folder) / "site"
        page = export(stores, site)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot, png in tqdm(take(browser, site, page), total=len(shots())):
            Image.open(io.BytesIO(png)).convert("RGB").save(
                FOLDER / shot.file, quality=QUALITY, method=6
            )
        browser.close()
    pictures = list(FOLDER.glob("*.webp"))
    for path in pictures:
        if path.name not in {shot.file for shot in shots()}:
            path.unlink()  # of a page that no longer exists
    size = sum(path.stat().st_size for path in pictures if path.exists())
    if size > MOST_BYTES:
        raise SystemExit(f"the screenshots take {size:,} bytes, more than {MOST_BYTES:,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
