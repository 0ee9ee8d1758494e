"""What `featviz.evidence` tells beside the pictures of a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from featviz.analysis.evidence.claims import TESTED_DOSE
from featviz.analysis.evidence.summary import Line, line_of
from featviz.analysis.evidence.unit import KINDS, Evidence, Evidences
from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.plan import Render
from gallery.stores.tolerant_store import LostRowError
from gallery.units.evidence import NaturalImages, told
from gallery.units.unit_columns import ACTIVATION, Quantity

_PICTURE = (
    Quantity("ratio", "share of the best natural image", higher=True),
    Quantity("percentile", "percentile among natural images", higher=True),
    # Between units neither is better: each has its own scale.
    Quantity("held_out", "value on unseen views", higher=None),
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
_NECESSITY = Quantity("necessity", "effect where necessary", higher=True)
_SUFFICIENCY = Quantity("sufficiency", "effect where sufficient", higher=True)

QUANTITIES = (ACTIVATION, *_PICTURE, *_UNIT, _PATH, _NECESSITY, _SUFFICIENCY)
"""All by which units may be sorted."""


class UnitMetrics:
    """The evidence in the stores of a model, where a store holds any.

    Parameters
    ----------
    stores : iterable of Store
        Of one that leaves out what is damaged, as `gallery.stores.tolerant_store.TolerantStore`, that is not told.
    shown : callable
        Tells whether the natural images of a store are those that the page has.

    Attributes
    ----------
    lines : dict of int to Line
        What the report needs of each unit that was told, by its number.
    warnings : list of str
        One line for each unit whose picture is damaged, so that its evidence is not told.
    """

    def __init__(self, stores: Iterable[Store], shown: Callable[[Store], bool]) -> None:
        stores = [store for store in stores if not set(KINDS).isdisjoint(store.kinds)]
        self._known = {store: Evidences(store) for store in stores}
        self._images = {store: NaturalImages(store) for store in stores if shown(store)}
        self.lines: dict[int, Line] = {}
        self.warnings: list[str] = []

    def of(self, render: Render) -> tuple[dict[str, Any] | None, dict[Quantity, float]]:
        """Return what the page shows of a unit, as JSON, and the numbers that sort it.

        Pictures of two sides have examples and no numbers: these are of one picture.
        """
        found = self._find(render)
        if found is None:
            return None, {}
        page = told(found, self._images.get(render.store))
        if render.paired:
            return page, {}
        self.lines.setdefault(render.unit, line_of(found))
        return page, {q: value for q, value in _values(found).items() if math.isfinite(value)}

    def _find(self, render: Render) -> Evidence | None:
        evidences = self._known.get(render.store)
        try:
            return None if evidences is None else evidences.of(render.address)
        except LostRowError:
            self._known[render.store] = Evidences(render.store)  # which lists it no longer
            return self._find(render)
        except FeatvizError as error:
            self.warnings.append(f"evidence of {render.address}: {error}")
            return None


def _values(found: Evidence) -> dict[Quantity, float]:
    """Give the numbers of a unit; what is not known is NaN.

    The effects are only those of which a statement is made: the weaker ablation's, and that of the
    dose at the 99th percentile. Others are not there to be sorted.
    """
    values = {quantity: float(getattr(found.picture, quantity.key)) for quantity in _PICTURE}
    values |= {quantity: float(getattr(found, quantity.key)) for quantity in _UNIT}
    values[_PATH] = math.nan if found.route is None else found.route.agreement
    held = {name for name, claim in found.claims.items() if claim.holds}
    if found.verdict is not None and "necessary" in held:
        removals = found.verdict.removals.values()
        values[_NECESSITY] = min(removal.effect.estimate for removal in removals)
    if found.verdict is not None and "sufficient" in held:
        values[_SUFFICIENCY] = found.verdict.doses[TESTED_DOSE].effect.estimate
    return values
