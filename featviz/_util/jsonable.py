"""Conversion to values that JSON can represent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def to_jsonable(value: object) -> Any:
    """Convert dataclasses, mappings, sequences and arrays to values that JSON can represent.

    Parameters
    ----------
    value : object
        Nested to any depth. Keys of mappings become strings.

    Returns
    -------
    object
        Dataclasses and mappings as dicts, sequences and arrays as lists, NumPy scalars as Python
        scalars, NaN and infinities as None; anything else unchanged.
    """
    if is_dataclass(value):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [to_jsonable(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
