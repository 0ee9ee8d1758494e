"""JSON compared by its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

WORDING = {"sentences"}
"""Keys below which there is prose, which may change."""

DIGITS = 6


def shortened(value: Any) -> Any:
    """Round numbers, and leave prose and statistics of groups of images out.

    Those of all images are kept.
    """
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items() if key not in WORDING}
    if isinstance(value, list):
        return [shortened(each) for each in value if not _is_of_a_group(each)]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _is_of_a_group(value: Any) -> bool:
    return isinstance(value, dict) and "group" in value and value.get("kind") != "all"


def differences(
    golden: Any, found: Any, relative: float, absolute: float, where: str = ""
) -> Iterator[str]:
    """Tell where JSON is not what it was; what is new in an object is no difference."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for key, each in golden.items():
            if key not in found:
                yield f"{where}.{key} is gone"
            else:
                yield from differences(each, found[key], relative, absolute, f"{where}.{key}")
    elif isinstance(golden, list) and isinstance(found, list):
        if len(golden) != len(found):
            yield f"{where} has {len(golden)} entries there, {len(found)} here"
        for place, (one, other) in enumerate(zip(golden, found, strict=False)):
            yield from differences(one, other, relative, absolute, f"{where}[{place}]")
    elif isinstance(golden, float | int) and isinstance(found, float | int):
        exact = isinstance(golden, int) and isinstance(found, int)
        if not math.isclose(golden, found, rel_tol=relative, abs_tol=absolute) or (
            exact and golden != found
        ):
            yield f"{where} is {golden} there, {found} here"
    elif golden != found:
        yield f"{where} is {golden!r} there, {found!r} here"
