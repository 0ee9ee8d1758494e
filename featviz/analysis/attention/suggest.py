"""Suggestions which logits of a head to render, given where the head attends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.addressing.address import Unit
from featviz.addressing.tokens import ClassToken, Pair, Shift, Token
from featviz.analysis.attention.heads import Head

MIN_LIFT = 1.5
"""Lift from which a logit is suggested. On cueworld's ViT, a third of the means over patches and
the strongest pair of nearly every head reach it."""
MIN_SHARE = 0.25
"""Share of the patches that must have a key at a displacement. The displacement between opposite
corners has a single pair; one of the many such means would be the highest by chance."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Suggestion:
    """A suggested logit.

    Attributes
    ----------
    unit : Unit
    lift : float
        Mean attention to its keys, relative to the 1 / T that a uniform head gives to each of T
        tokens.
    """

    unit: Unit
    lift: float


def strongest_displacement(displacement: Floats, tokens: int) -> tuple[Shift, float]:
    """Find the displacement to which the patches of a head attend most.

    Parameters
    ----------
    displacement : array, shape (2 * R - 1, 2 * C - 1)
        See `featviz.analysis.attention.maps.Maps`.
    tokens : int
        Number T of tokens.

    Returns
    -------
    shift : Shift
        Among those at which at least a quarter of the patches have a key.
    lift : float
        Mean attention there times T.
    """
    rows, columns = (side // 2 + 1 for side in displacement.shape)
    pairs = np.multiply.outer(_overlaps(rows), _overlaps(columns))
    lifts = np.where(pairs >= MIN_SHARE * rows * columns, displacement, 0.0) * tokens
    row, column = np.unravel_index(int(lifts.argmax()), lifts.shape)
    return Shift(int(row) - rows + 1, int(column) - columns + 1), float(lifts[row, column])


def suggest(
    head: Head, pattern: Floats, displacement: Floats, has_class_token: bool
) -> list[Suggestion]:
    """Suggest logits of a head to render.

    The lift is the mean attention times T, the number of tokens: 1 in a uniform head. The
    suggestions are those of the following with a lift of at least `MIN_LIFT`:

    - ``@same``, the mean over patches of their attention to themselves;
    - ``@shift.R.C``, the strongest other displacement, see `strongest_displacement`;
    - ``@qI.kcls`` (or the position of another prefix token), where the mean attention of the
      patches to that prefix token has the lift, for the patch that attends to it most;
    - ``@qI.kJ``, the pair of patches with the highest attention, unless it is part of one of the
      suggested means.

    Parameters
    ----------
    head : Head
    pattern, displacement : array
        See `featviz.analysis.attention.maps.Maps`.
    has_class_token : bool
        Whether token 0 of the model is the class token.

    Returns
    -------
    list of Suggestion
        In descending order of the lift.
    """
    site, tokens = head.site, len(pattern)
    lifts = pattern[site.prefix :] * tokens
    found: list[tuple[Token, float]] = []
    rows, columns = (side // 2 for side in displacement.shape)
    own = float(displacement[rows, columns]) * tokens
    if own >= MIN_LIFT:
        found.append(("same", own))
    elsewhere = displacement.copy()
    elsewhere[rows, columns] = 0
    shift, lift = strongest_displacement(elsewhere, tokens)
    if lift >= MIN_LIFT:
        found.append((shift, lift))
    suggested_shifts = {Shift(0, 0) if token == "same" else token for token, _ in found}
    if site.prefix:
        means = lifts[:, : site.prefix].mean(0)
        key = int(means.argmax())
        if means[key] >= MIN_LIFT:
            query = int(lifts[:, key].argmax())
            name: int | ClassToken = "cls" if has_class_token and key == 0 else key
            found.append((Pair(site.prefix + query, name), float(lifts[query, key])))
    query, key = map(int, np.unravel_index(lifts[:, site.prefix :].argmax(), (len(lifts),) * 2))
    lift = float(lifts[query, site.prefix + key])
    width = columns + 1
    shift = Shift(key // width - query // width, key % width - query % width)
    if lift >= MIN_LIFT and shift not in suggested_shifts:
        found.append((Pair(site.prefix + query, site.prefix + key), lift))
    found.sort(key=lambda each: -each[1])
    return [Suggestion(Unit(site.path, head.index, token), lift) for token, lift in found]


def _overlaps(side: int) -> npt.NDArray[np.int64]:
    """Count, for each displacement along a line of `side` patches, the pairs at it."""
    return side - np.abs(np.arange(1 - side, side))
