"""Which logits of a head are worth a picture, by where the head looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.addressing.address import Unit
from featviz.addressing.tokens import ClassToken, Pair, Shift, Token
from featviz.analysis.attention.heads import Head

LEAST_LIFT = 1.5
"""How many times a uniform head's attention makes a place worth a picture; on cueworld's ViT a
third of the means over patches and nearly every head's strongest pair reach it."""
LEAST_SHARE = 0.25
"""Share of the patches that must have a key at a displacement: at a corner's there is one pair,
and of the many such means some would be the highest by chance."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Suggestion:
    """A logit that is worth a picture.

    Attributes
    ----------
    unit : Unit
    lift : float
        The mean attention to its keys, in parts of what a uniform head gives to each of T tokens.
    """

    unit: Unit
    lift: float


def strongest_displacement(displacement: Floats, tokens: int) -> tuple[Shift, float]:
    """Find where, seen from a patch, a head looks most.

    Parameters
    ----------
    displacement : array, shape (2 * R - 1, 2 * C - 1)
        See `featviz.analysis.attention.maps.Maps`.
    tokens : int
        T: a uniform head gives 1 / T to each.

    Returns
    -------
    shift : Shift
        Of those at which a quarter of the patches or more have a key.
    lift : float
    """
    rows, columns = (side // 2 + 1 for side in displacement.shape)
    pairs = np.multiply.outer(_overlaps(rows), _overlaps(columns))
    lifts = np.where(pairs >= LEAST_SHARE * rows * columns, displacement, 0.0) * tokens
    row, column = np.unravel_index(int(lifts.argmax()), lifts.shape)
    return Shift(int(row) - rows + 1, int(column) - columns + 1), float(lifts[row, column])


def suggest(
    head: Head, pattern: Floats, displacement: Floats, has_class_token: bool
) -> list[Suggestion]:
    """Name the logits of a head that are worth a picture, the most lifted first.

    The lift of a place is the mean attention there times T, the number of tokens: 1 in a uniform
    head. With a lift of `LEAST_LIFT` or more are named:

    - ``@same`` for the mean over patches of their attention to themselves,
    - ``@shift.R.C`` for the strongest displacement, see `strongest_displacement`,
    - ``@qI.kcls`` (or the number of another prefix token) where the patches' attention to that
      prefix token is lifted on average, for the patch that looks there most,
    - ``@qI.kJ`` for the pair of patches with most attention, unless it is part of one of the means
      that are named.

    Parameters
    ----------
    pattern, displacement
        See `featviz.analysis.attention.maps.Maps`.
    has_class_token : bool
        Whether token 0 of the model is the class token.
    """
    site, tokens = head.site, len(pattern)
    lifts = pattern[site.prefix :] * tokens
    found: list[tuple[Token, float]] = []
    rows, columns = (side // 2 for side in displacement.shape)
    own = float(displacement[rows, columns]) * tokens
    if own >= LEAST_LIFT:
        found.append(("same", own))
    elsewhere = displacement.copy()
    elsewhere[rows, columns] = 0
    shift, lift = strongest_displacement(elsewhere, tokens)
    if lift >= LEAST_LIFT:
        found.append((shift, lift))
    named = {Shift(0, 0) if token == "same" else token for token, _ in found}
    if site.prefix:
        means = lifts[:, : site.prefix].mean(0)
        key = int(means.argmax())
        if means[key] >= LEAST_LIFT:
            query = int(lifts[:, key].argmax())
            name: int | ClassToken = "cls" if has_class_token and key == 0 else key
            found.append((Pair(site.prefix + query, name), float(lifts[query, key])))
    query, key = map(int, np.unravel_index(lifts[:, site.prefix :].argmax(), (len(lifts),) * 2))
    lift = float(lifts[query, site.prefix + key])
    width = columns + 1
    way = Shift(key // width - query // width, key % width - query % width)
    if lift >= LEAST_LIFT and way not in named:
        found.append((Pair(site.prefix + query, site.prefix + key), lift))
    found.sort(key=lambda each: -each[1])
    return [Suggestion(Unit(site.path, head.number, token), lift) for token, lift in found]


def _overlaps(side: int) -> npt.NDArray[np.int64]:
    """How many of the places on a line have a partner at each way along it."""
    return side - np.abs(np.arange(1 - side, side))
