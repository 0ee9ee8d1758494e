"""Make a sheet of units and their most activating natural images: ``STORE ADDRESS... FILE``.

The store needs renders and examples. The sheet of the docs is ``docs/pictures/evidence.webp``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.analysis.examples.images import read_image
from featviz.store.reader import Store

EXAMPLES, GAP = 5, 4


def unit_row(store: Store, address: str) -> NDArray[np.uint8]:
    """Return a unit's best picture, followed by its most activating natural images."""
    row = store.row(address)
    picture = row["images"][int(row["activation"].argmax())]
    side = (picture.shape[1], picture.shape[0])
    top = store.row(address, "examples")["top"][:EXAMPLES].tolist()
    examples = [Image.fromarray(read_image(store, index)).resize(side) for index in top]
    return np.concatenate([_framed(np.asarray(each)) for each in (picture, *examples)], axis=1)


def _framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def main(arguments: Sequence[str]) -> None:
    """Write the sheet, one row per unit."""
    store, *addresses, file = arguments
    opened = Store(store)
    rows = [unit_row(opened, address) for address in addresses]
    Image.fromarray(np.concatenate(rows)).save(Path(file), quality=85)


if __name__ == "__main__":
    main(sys.argv[1:])
