"""Which statements about neurons are made, once it is known how many neurons were tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.evidence.fdr import LEVEL, q_values
from featviz.store import Row

CLAIMS = ("necessary", "sufficient", "pictured", "mediating")
"""For its class the neuron is necessary, and sufficient; its own picture does more than that of
another neuron; and more of what its picture does goes through it than through others."""

TESTED_DOSE, PICTURE_DOSE = "99", "picture"

_AT_MOST = LEVEL * (1 + 1e-6)
"""The level, and what rounding p-values to float32 adds: a p of 1/40 among two tests is at it."""


@dataclass(frozen=True)
class Claim:
    """Whether a statement about a neuron is made.

    Attributes
    ----------
    holds : bool
        It is significant, and the intervals of the effects are above 0.
    significant : bool
        `q` is at most 0.05.
    p : float
        The largest of the tests that the statement needs; NaN where it was not tested.
    q : float
        The false discovery rate at which it is made, over all neurons of the store.
    among : int
        How many neurons were tested.
    """

    holds: bool
    significant: bool
    p: float
    q: float
    among: int


def claims(rows: Iterable[Row], doses: Sequence[str]) -> dict[str, dict[str, Claim]]:
    """Decide which statements are made about which neurons.

    A statement needs all of its tests, so its p-value is the largest of theirs (Berger,
    "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24, 1982). Silent
    neurons were not tested and do not count.

    Parameters
    ----------
    rows : iterable of Row
        Of kind ``validations``: all of a store.
    doses : sequence of str
        Names of the doses, from the configuration.

    Returns
    -------
    dict of str to dict of str to Claim
        By address and name; see `CLAIMS`.
    """
    tested, picture = doses.index(TESTED_DOSE), doses.index(PICTURE_DOSE)
    found = [(row["address"], _needs(row, tested, picture)) for row in rows]
    made: dict[str, dict[str, Claim]] = {address: {} for address, _ in found}
    for place, name in enumerate(CLAIMS):
        p_values = np.array([needs[place][0] for _, needs in found])
        count = int((~np.isnan(p_values)).sum())
        for (address, needs), p, q in zip(found, p_values, q_values(p_values), strict=True):
            significant = bool(q <= _AT_MOST)
            holds = significant and needs[place][1]
            made[address][name] = Claim(holds, significant, float(p), float(q), count)
    return made


def _needs(row: Row, tested: int, picture: int) -> tuple[tuple[float, bool], ...]:
    """Give the p-value of each claim, and whether its effects are above 0."""
    doses = row["sufficiency_interval"][:, 0]
    return (
        (_all(row["necessity_p"]), bool((row["necessity_interval"][:, 0] > 0).all())),
        (_all([*row["sufficiency_p"], row["response_p"]]), bool(doses[tested] > 0)),
        (_all([row["picture_p"]]), bool(doses[picture] > 0)),
        (_all([row["mediation_p"]]), bool(row["mediation"] > 0)),
    )


def _all(p_values: npt.ArrayLike) -> float:
    """Give the p-value that all tests pass.

    Tests are left out where another one failed. What remains is then a lower bound above the
    level, which changes no q-value up to it. Where none has failed, all must have been made.
    """
    values = np.asarray(p_values, np.float64).ravel()
    known = values[~np.isnan(values)]
    largest = float(known.max()) if known.size else float("nan")
    return largest if known.size == values.size or largest > LEVEL else float("nan")
