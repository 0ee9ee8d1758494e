"""Which statements about neurons are made, once it is known how many neurons were tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.analysis.evidence.fdr import LEVEL, q_values
from featviz.store.columns import Row

CLAIMS = ("necessary", "sufficient", "pictured")
"""For its class the neuron is necessary, and sufficient; and it is sufficient with its own picture
raising the class more than another neuron's."""

BY_RANK = 0.05
"""Share of neurons like any others that lie above their controls' level: of each claim so many may
hold though nothing sets the neurons apart. q-values do not guard against it."""

TESTED_DOSE, PICTURE_DOSE = "99", "picture"

_AT_MOST = LEVEL * (1 + 1e-6)
"""The level, and what rounding p-values to float32 adds."""


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
        The largest of the tests that the statement needs; NaN where it was not tested. Above 0.05
        it is a lower bound.
    q : float
        The false discovery rate at which it is made, over all neurons of the store; above 0.05 a
        lower bound. It is about images: how often the images alone lift a neuron above the level of
        its controls. That `BY_RANK` of all neurons lie above that level it does not count.
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


def expected_by_rank(among: int) -> float:
    """Tell how many of so many neurons may lie above their controls' level by rank alone."""
    return BY_RANK * among


def _needs(row: Row, tested: int, picture: int) -> tuple[tuple[float, bool], ...]:
    """Give the p-value of each claim, and whether its effects are above 0."""
    doses = row["sufficiency_interval"][:, 0]
    # All are compared with the first kind of controls, and no claim can do without.
    ablations = _all(row["necessity_p"], np.fmax.reduce(row["necessity_p"][:, 0]))
    dose = [*row["sufficiency_p"], row["response_p"]]
    first = row["sufficiency_p"][:1]
    pictures = _all([*dose, row["picture_p"]], [*first, row["picture_p"]])
    sufficient = bool(doses[tested] > 0)
    return (
        (ablations, bool((row["necessity_interval"][:, 0] > 0).all())),
        (_all(dose, first), sufficient),
        (pictures, sufficient and bool(doses[picture] > 0)),
    )


def _all(p_values: npt.ArrayLike, needed: npt.ArrayLike) -> float:
    """Give the p-value that all tests pass; NaN if one that is `needed` could not be made.

    Tests are left out where another one failed. What remains is then a lower bound above the
    level, which changes no q-value up to it. Where none has failed, all must have been made.
    """
    values = np.asarray(p_values, np.float64).ravel()
    known = values[~np.isnan(values)]
    if not known.size or np.isnan(np.asarray(needed, np.float64)).any():
        return float("nan")
    largest = float(known.max())
    return largest if known.size == values.size or largest > LEVEL else float("nan")
