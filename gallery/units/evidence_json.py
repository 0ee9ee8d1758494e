"""Evidence of a unit as JSON for its page: the parts that the page shows, rounded."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.evidence.causal_tests import PROFILES
from featviz.analysis.evidence.image_classes import MISSING, ImageClasses
from featviz.analysis.evidence.unit_evidence import UnitEvidence
from featviz.analysis.examples.maps import KIND as MAPS
from featviz.analysis.examples.maps import read_maps
from featviz.errors import FeatvizError
from featviz.models.token_grid import patch_box
from featviz.store.reader import Store
from gallery.stores.tolerant_store import DamagedRowError

DIGITS = 5  # significant digits of all numbers
EXTREMES = 6  # classes at either end of a profile, since datasets may have a thousand
WRITTEN = 5  # classes whose logits a unit raises, and lowers, most
PATCH_UNITS = 1000  # units per image side of patch coordinates
MAP_LEVELS = 15  # the highest level of an activation map


class ExamplesFormatter:
    """Converts the natural images of units in a store to JSON.

    Parameters
    ----------
    store : Store
        With kind ``examples``.

    Attributes
    ----------
    warnings : list of str
        One line for each unit whose maps cannot be shown.
    classes : ImageClasses
        Of the store.
    """

    def __init__(self, store: Store) -> None:
        self.warnings: list[str] = []
        self._store = store
        self._mapped = set(store.addresses(MAPS)) if MAPS in store.kinds else set()
        self._settings: Mapping[str, Any] = store.configuration["examples"]
        self.classes = ImageClasses(store)
        self._side = int(store.configuration.get("example_images", {}).get("side", 1))

    def to_json(self, address: str, examples: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the examples of a unit.

        Parameters
        ----------
        address : str
        examples : mapping
            As in `featviz.analysis.evidence.unit_evidence.UnitEvidence.examples`.

        Returns
        -------
        dict
            ``side`` is that of the images in pixels; 1 if the store has none. ``top``, ``spread``
            and ``bottom`` are lists of image index, activation, class or None, patches, and the
            activation map, if any. If there are two patches, the first is the query, the second the
            key. A patch is left, top, right and bottom in thousandths of the image side, or None if
            the token is not a patch. ``map`` has the rows and columns of the maps, and the values
            of their lowest and highest level: the medians of the lowest and of the highest patch of
            each image in ``top``, so that a single image does not set the scale.
            It is None if there is no map. See `encode_map`.
        """
        percentiles = examples["percentiles"]
        maps = self._read_maps(address)
        ends = [
            (np.nanmin(each), np.nanmax(each))
            for index in examples["top"].tolist()
            if (each := maps.get(index)) is not None and np.isfinite(each).any()
        ]
        low, high = np.median(np.array(ends, np.float64), 0).tolist() if ends else (0.0, 0.0)
        encoded = {i: encode_map(each, low, high) for i, each in maps.items()} if ends else {}
        shape = next(iter(maps.values())).shape if ends else ()
        no_maps: Mapping[int, str] = {}
        data = self._settings["data"]
        return {
            "data": str(data["name"] if isinstance(data, Mapping) else data),
            "side": self._side,
            "images": int(examples["histogram"].sum()),
            "quantiles": self._settings.get("quantiles", []),
            "map": [*shape, low, high] if ends else None,
            "top": self._images(examples, "top", encoded),
            "spread": self._images(examples, "spread", encoded),
            "bottom": self._images(examples, "bottom", no_maps),
            "low": percentiles[0],
            "median": percentiles[50],
            "high": percentiles[-1],
            "histogram": examples["histogram"],
            **{name: examples[name] for name in ("mean", "deviation", "sparsity", "active")},
            "classes": extremes(examples["classes"]),
        }

    def _read_maps(self, address: str) -> dict[int, NDArray[np.float32]]:
        if address not in self._mapped:
            return {}
        try:
            return read_maps(self._store.row(address, MAPS))
        except DamagedRowError:  # which the store lists
            self._mapped = set(self._store.addresses(MAPS))
        except FeatvizError as error:
            self.warnings.append(f"maps of {address}: {error}")
        return {}

    def _images(
        self, examples: Mapping[str, Any], name: str, maps: Mapping[int, str]
    ) -> list[list[Any]]:
        indices, values = examples[name].tolist(), examples[f"{name}_values"].tolist()
        tokens = examples[f"{name}_tokens"].tolist()
        grid, prefix = examples["grid"].tolist(), int(examples["prefix"])
        return [
            [index, value, self.classes.of(index), _patches(of_image, grid, prefix)]
            + ([maps[index]] if index in maps else [])
            for index, value, of_image in zip(indices, values, tokens, strict=True)
            if index != MISSING
        ]


def evidence_json(evidence: UnitEvidence, formatter: ExamplesFormatter | None) -> dict[str, Any]:
    """Convert the evidence of a unit to JSON: a part of `UnitEvidence.to_json`, rounded.

    Parameters
    ----------
    evidence : UnitEvidence
    formatter : ExamplesFormatter or None
        Of the unit's store; None if the page does not show its natural images.

    Returns
    -------
    dict
    """
    content = evidence.to_json()
    content["examples"] = None
    if evidence.firing is None:
        del content["firing"]
    if formatter is not None and evidence.examples is not None:
        content["examples"] = formatter.to_json(evidence.address, evidence.examples)
    if evidence.logits is not None:
        content["logits"] = extremes(evidence.logits, WRITTEN)
    if evidence.causal_tests is not None and not evidence.causal_tests.silent:
        profile = evidence.causal_tests.profile
        chosen = [name for end in extremes(profile["total"]).values() for name, _ in end]
        content["verdict"]["profile"] = {
            name: [(each, profile[name][each]) for each in chosen] for name in PROFILES
        }
    result: dict[str, Any] = _rounded(content)
    return result


def encode_map(values: NDArray[np.float32], low: float, high: float) -> str:
    """Encode an activation map in half a byte per patch.

    Parameters
    ----------
    values : float32 array, shape (rows, columns)
        NaN at patches without a value, which get the lowest level.
    low, high : float
        Values of the lowest and the highest of 16 levels; values outside get these.

    Returns
    -------
    str
        Base64. The levels row by row, two in a byte, the first in its upper half.
    """
    span = high - low if high > low else 1.0
    levels = np.rint((values.astype(np.float64).ravel() - low) / span * MAP_LEVELS)
    halves = np.nan_to_num(levels).clip(0, MAP_LEVELS).astype(np.uint8)
    pairs = np.pad(halves, (0, len(halves) % 2)).reshape(-1, 2)
    return base64.b64encode(((pairs[:, 0] << 4) | pairs[:, 1]).tobytes()).decode()


def extremes(
    values: Mapping[str, float], most: int = EXTREMES
) -> dict[str, list[tuple[str, float]]]:
    """Return the highest and the lowest of some named values.

    Parameters
    ----------
    values : mapping
        NaN values are left out. Ties keep their order.
    most : int
        Number of values at either end.

    Returns
    -------
    dict
        ``up``: highest values first; ``down``: lowest values first. No name is in both; of an odd
        number of values below `2 * most`, ``up`` has one more.
    """
    known = [(name, value) for name, value in values.items() if not math.isnan(value)]
    ascending = sorted(known, key=lambda pair: pair[1])
    descending = sorted(known, key=lambda pair: -pair[1])
    down = ascending[: min(most, len(known) // 2)]
    up = [pair for pair in descending if pair not in down][:most]
    return {"up": up, "down": down}


def _patches(
    tokens: Sequence[int], grid: Sequence[int], prefix: int
) -> list[tuple[int, int, int, int] | None]:
    return [patch_box(token, grid, prefix, PATCH_UNITS) for token in tokens if token != MISSING]


def _rounded(value: Any) -> Any:
    """Round all numbers in a JSON value; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if hasattr(value, "tolist"):
        return _rounded(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
