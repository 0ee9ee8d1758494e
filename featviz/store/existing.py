"""What jobs share that put results beside the pictures of a store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


def open_folder(store: str | Path) -> Store:
    """Open a store that results can be added to.

    Raises
    ------
    FeatvizError
        If there is no store, or it is a packed file.
    """
    if Path(store).is_file():
        raise FeatvizError(f"results go into the folder of a store, and {store} is a packed file")
    return Store(store)


def read_units(model: VisionModel, addresses: Sequence[str]) -> tuple[list[Unit], dict[str, str]]:
    """Read the addresses of a store back.

    Returns
    -------
    units : list of Unit
    failures : dict of str to str
        Addresses that stand for nothing here, such as of a direction whose file is gone, and why.
    """
    found, failures = list[Unit](), dict[str, str]()
    for address in addresses:
        try:
            found += units(model, address)
        except FeatvizError as error:
            failures[address] = str(error)
    return found, failures
