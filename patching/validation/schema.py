"""The columns of a validation, and those of a neuron of which nothing is measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from patching.validation.layer_context import QUANTILES

ABLATIONS = ("mean", "resample")
CONTROLS = ("neurons", "directions")
DOSES = (*map(str, QUANTILES), "picture", "other")

Row = dict[str, Any]


def silent_row(classes: int) -> Row:
    """Make the row of a neuron that does not vary: nothing is measured."""
    nan, a, z, o = np.nan, len(ABLATIONS), len(CONTROLS), len(DOSES)
    shapes = {
        "necessity": (a,), "necessity_interval": (a, 2), "necessity_level": (a, z),
        "necessity_p": (a, z), "dose": (o,), "sufficiency": (o,), "sufficiency_interval": (o, 2),
        "converted": (o,), "sufficiency_level": (z,), "sufficiency_p": (z,), "response_p": (),
        "picture_p": (), "mediation": (), "mediation_control": (), "mediation_p": (),
        "total": (classes,), "direct": (classes,), "induced": (classes,), "agreement": (3,),
    }  # fmt: skip
    empty = {name: np.full(shape, nan) for name, shape in shapes.items()}
    counts = {"images": 0, "neutral": 0, "controls": np.zeros(z, np.int64)}
    return {"silent": 1, "class": -1} | counts | empty
