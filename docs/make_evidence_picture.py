"""Lay pictures of units beside their natural examples: ``STORE ADDRESS... FILE``.

``docs/pictures/evidence.webp`` is of a store with renders and examples.
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


def beside(store: Store, address: str) -> NDArray[np.uint8]:
    """Put a unit's best picture before the natural images that excite it most."""
    row = store.row(address)
    picture = row["images"][int(row["activation"].argmax())]
    side = (picture.shape[1], picture.shape[0])
    numbers = store.row(address, "examples")["top"][:EXAMPLES].tolist()
    found = [Image.fromarray(read_image(store, number)).resize(side) for number in numbers]
    return np.concatenate([_framed(np.asarray(each)) for each in (picture, *found)], axis=1)


def _framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def main(arguments: Sequence[str]) -> None:
    """Write the sheet, a row a unit."""
    store, *addresses, file = arguments
    opened = Store(store)
    rows = [beside(opened, address) for address in addresses]
    Image.fromarray(np.concatenate(rows)).save(Path(file), quality=85)


if __name__ == "__main__":
    main(sys.argv[1:])
