"""A model's page with as many units as DeiT-S/16 has neurons, written file by file.

It keeps to what the export writes (docs/gallery.md), without hours of rendering: all sheets are of
the same made-up pictures.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

import gallery
from gallery.build.js_data import Shards, rounded, script
from gallery.build.sheets import COLUMNS, ROWS
from gallery.units.unit_map.grid import ASPECT, FILLED
from gallery.units.unit_metrics import METRICS

LAYERS, WIDTH = 12, 1536
CELL = 64
HERE = Path(gallery.__file__).parent
RARE = ("necessity", "sufficiency")  # known only for neurons whose claim holds


def addresses() -> list[str]:
    """All units in the order of the page."""
    return [f"blocks.{layer}.mlp.fc1:{i}" for layer in range(LAYERS) for i in range(WIDTH)]


def columns(units: int = LAYERS * WIDTH) -> dict[str, NDArray[np.float64]]:
    """The numbers of all units, as many as there are; some are unknown."""
    generator = np.random.default_rng(0)
    values = {each.key: generator.gamma(3, 1, units) for each in METRICS}
    values["agreement"][::7] = np.nan
    for key in RARE:
        values[key][np.arange(units) % 4 > 0] = np.nan
    return values


def write_page(folder: Path, layers: int = LAYERS, width: int = WIDTH) -> Path:
    """Write the page and its data into a new folder; return the page's path."""
    data = folder / "data-1/1"
    data.mkdir(parents=True)
    shutil.copytree(HERE / "static", folder / "data-1/static")
    sites = [f"blocks.{layer}.mlp.fc1" for layer in range(layers)]
    sheets = -(-width // (COLUMNS * ROWS))
    page: dict[str, Any] = {
        "name": "made-up",
        "weights": "weights 00000000",
        "sections": [],
        "failures": [],
        "groups": [{"label": "", "settings": [["size", "64"]], "sides": 1}],
        "metrics": [asdict(each) | {"name": each.key} for each in METRICS],
        "sites": [
            {"name": name, "count": width, "wide": False, "sheets": sheets} for name in sites
        ],
        "cell": CELL,
        "columns": COLUMNS,
        "rows": ROWS,
        "pictures": "webp",
        "thumbnailsOnly": True,
        "labels": [],
        "lists": [],
        "map": True,
    }
    values = columns(layers * width)
    units = {
        "suffixes": [f":{i}" for _ in sites for i in range(width)],
        "renders": [[[0, row, 1, 0]] for row in range(layers * width)],
        "metrics": {name: rounded(values[name], 5) for name in values},
        "headlines": [],
        "facets": {},
        "colors": colors(layers * width),
    }
    (data / "model.js").write_text(script("model", page), encoding="ascii")
    (data / "units.js").write_text(script("units", units), encoding="ascii")
    (data / "map").mkdir()
    (data / "map/0.js").write_text(script("map/0", _map(layers * width)), encoding="ascii")
    details = Shards(data, "details")
    similar = {"picture": [[0, 0.5]], "activation": None}
    for value in values["activation"]:
        details.add([None, [CELL, CELL], rounded([value]), [[0.0, 1.0]], [], similar, None])
    details.flush()
    sheet = _sheet()
    (data / "sheets").mkdir()
    for number in range(layers):
        for part in range(sheets):
            (data / f"sheets/{number}-{part}.webp").write_bytes(sheet)
    blank = Template((HERE / "templates/model.html").read_text(encoding="utf-8"))
    path = folder / "made-up.html"
    text = blank.substitute(static="data-1/static", data="data-1/1")
    path.write_text(text, encoding="utf-8")
    return path


def colors(units: int) -> str:
    """Draw a mean color for each unit."""
    digits = np.random.default_rng(1).integers(0, 16, 3 * units)
    return "".join(f"{digit:x}" for digit in digits)


def _map(units: int) -> dict[str, Any]:
    """Scatter the units on a grid, of whose cells they fill the usual share."""
    columns = int(np.ceil(np.sqrt(units / FILLED * ASPECT)))
    rows = int(np.ceil(units / FILLED / columns))
    cells = np.random.default_rng(2).permutation(columns * rows)[:units]
    return {"basis": "pictures", "columns": columns, "rows": rows, "cells": cells.tolist()}


def _sheet() -> bytes:
    """Draw colored noise, smoothed until a cell takes 1.7 KB, as renders of DeiT-S do."""
    generator = np.random.default_rng(0)
    pictures = np.empty((ROWS, COLUMNS, CELL, CELL, 3))
    for row in range(ROWS):
        noise = generator.standard_normal((COLUMNS, CELL, CELL, 3))
        pictures[row] = gaussian_filter(noise, (0, 1.8, 1.8, 0))
    gray = np.clip(128 + 300 * pictures, 0, 255).astype(np.uint8)
    pixels = gray.transpose(0, 2, 1, 3, 4).reshape(ROWS * CELL, COLUMNS * CELL, 3)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
