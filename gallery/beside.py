"""What `featviz.evidence` tells beside the pictures of a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from featviz.evidence import Evidences
from featviz.evidence.units import KINDS
from featviz.store import Store
from gallery.plan import Render
from gallery.units import Quantity

_PICTURE = (
    Quantity("ratio", "share of the best natural image", higher=True),
    Quantity("percentile", "percentile among natural images", higher=True),
    Quantity("held_out", "value on unseen views", higher=True),
    Quantity("kept", "share kept on unseen views", higher=True),
    Quantity("fine", "share of high frequencies", higher=False),
    Quantity("grid", "share on the grid of patches", higher=False),
    Quantity("spectrum", "distance to natural spectra", higher=False),
    Quantity("rise", "rise at the end", higher=False),
)
_UNIT = (
    Quantity("agreement", "agreement of seeds", higher=True),
    Quantity("diversity", "diversity of samples", higher=None),
)
_PATH = Quantity("path", "path like natural images", higher=True)


class Beside:
    """The evidence in the stores of a model: of renders, where a store holds any.

    Parameters
    ----------
    stores : iterable of Store
    shown : callable
        Tells whether the natural images of a store are those that the page has.
    """

    def __init__(self, stores: Iterable[Store], shown: Callable[[Store], bool]) -> None:
        self._shown = shown
        self._known = {
            store: Evidences(store) for store in stores if not set(KINDS).isdisjoint(store.kinds)
        }

    def of(self, render: Render) -> tuple[dict[str, Any] | None, dict[Quantity, float]]:
        """Return what the page shows of a unit, as JSON, and the numbers that sort it."""
        evidences = None if render.paired else self._known.get(render.store)
        if evidences is None:
            return None, {}
        found = evidences.of(render.address)
        values = {quantity: getattr(found.picture, quantity.key) for quantity in _PICTURE}
        values |= {quantity: getattr(found, quantity.key) for quantity in _UNIT}
        values[_PATH] = math.nan if found.route is None else found.route.agreement
        told = found.to_json()
        if not self._shown(render.store):
            told["examples"] = None
        return told, {q: float(v) for q, v in values.items() if math.isfinite(v)}
