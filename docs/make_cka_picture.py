"""Make the figure of docs/compare.md: ``STORE...``, stores of `featviz compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from featviz.store.reader import Store

CELL, GAP, MARGIN = 24, 24, 74
DARK, LIGHT = np.array([13.0, 22, 60]), np.array([255.0, 236, 150])


def heat_map(store: Store) -> Image.Image:
    """Draw the CKA of every pair of layers, 0 dark and 1 light; rows are the store's model."""
    settings = store.configuration["cka"]
    rows, columns = settings["own_layers"], settings["layers"]
    values = np.stack([store.row(path, "cka")["similarity"] for path in rows]).clip(0, 1)
    colors = DARK + values[..., None] * (LIGHT - DARK)
    cells = Image.fromarray(colors.round().astype(np.uint8))
    size = len(columns) * CELL, len(rows) * CELL
    canvas = Image.new("RGB", (size[0] + MARGIN, size[1] + MARGIN), "white")
    canvas.paste(cells.resize(size, Image.Resampling.NEAREST), (MARGIN, MARGIN))
    draw = ImageDraw.Draw(canvas)
    for index, path in enumerate(rows):
        position = MARGIN - 4, MARGIN + (index + 0.5) * CELL
        draw.text(position, path, fill="black", anchor="rm")
    for index, path in enumerate(columns):
        label = Image.new("RGB", (MARGIN - 4, CELL), "white")
        ImageDraw.Draw(label).text((0, CELL / 2), path, fill="black", anchor="lm")
        canvas.paste(label.rotate(90, expand=True), (MARGIN + index * CELL, 0))
    return canvas


if __name__ == "__main__":
    maps = [heat_map(Store(path)) for path in sys.argv[1:]]
    width = sum(each.width for each in maps) + GAP * (len(maps) - 1)
    whole = Image.new("RGB", (width, max(each.height for each in maps)), "white")
    left = 0
    for each in maps:
        whole.paste(each, (left, 0))
        left += each.width + GAP
    whole.save(Path(__file__).parent / "pictures" / "cka.webp", lossless=True)
