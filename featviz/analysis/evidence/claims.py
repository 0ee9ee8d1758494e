"""Claims about neurons: which hold after correction for the number of neurons tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

CLAIMS = ("necessary", "sufficient", "pictured")
"""The neuron is necessary for its class; it is sufficient for it; it is sufficient and its own
picture raises the class more than the picture of another neuron does."""

LEVEL = 0.05
"""False discovery rate up to which a claim is made."""

BY_RANK = 0.05
"""Expected share of neurons above the level of their controls if the neurons do not differ from
the controls. It is the rank of the neuron alone; q-values do not correct for it."""

TESTED_DOSE, PICTURE_DOSE = "99", "picture"
"""Names of the doses that the claims are about: the activation at the 99th percentile, and the
activation on the neuron's picture."""

_MAX_Q = LEVEL * (1 + 1e-6)
"""`LEVEL` plus the rounding error of p-values stored as float32."""


@dataclass(frozen=True)
class Claim:
    """Result of testing one claim about one neuron.

    Attributes
    ----------
    holds : bool
        The claim is significant, and the confidence intervals of its effects are above 0.
    significant : bool
        `q` is at most 0.05.
    p : float
        Largest p-value of the tests that the claim requires; NaN if it was not tested. Above 0.05
        it is a lower bound.
    q : float
        False discovery rate at which the claim is made, over all neurons of the store; above 0.05
        a lower bound. It accounts for the sampling of images only, and does not count the share
        `BY_RANK` of neurons that exceed their controls by rank alone.
    among : int
        Number of neurons for which the claim was tested.
    """

    holds: bool
    significant: bool
    p: float
    q: float
    among: int


def claims(rows: Iterable[Row], doses: Sequence[str]) -> dict[str, dict[str, Claim]]:
    """Decide which claims hold for which neurons.

    A claim requires all of its tests to be significant, so that its p-value is the largest of
    theirs (Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24,
    1982). The p-values of a claim are then corrected for the number of neurons; see `q_values`.
    Silent neurons are not tested and do not count.

    Parameters
    ----------
    rows : iterable of Row
        All rows of kind ``validations`` of a store.
    doses : sequence of str
        Names of the doses, from the configuration of that kind.

    Returns
    -------
    dict of str to dict of str to Claim
        By address and name of the claim; see `CLAIMS`.
    """
    tested, picture = doses.index(TESTED_DOSE), doses.index(PICTURE_DOSE)
    tests = {row["address"]: _tests(row, tested, picture) for row in rows}
    found: dict[str, dict[str, Claim]] = {address: {} for address in tests}
    for index, name in enumerate(CLAIMS):
        p_values = np.array([of_neuron[index][0] for of_neuron in tests.values()])
        count = int((~np.isnan(p_values)).sum())
        q_of_each = q_values(p_values)
        for (address, of_neuron), p, q in zip(tests.items(), p_values, q_of_each, strict=True):
            significant = bool(q <= _MAX_Q)
            holds = significant and of_neuron[index][1]
            found[address][name] = Claim(holds, significant, float(p), float(q), count)
    return found


def q_values(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Adjust p-values for the number of tests by the Benjamini-Hochberg procedure.

    The procedure controls the false discovery rate for independent tests and for tests with
    positive dependence (Benjamini and Yekutieli, Annals of Statistics 29, 2001).

    Parameters
    ----------
    p_values : array_like, shape (N,)
        In [0, 1]; NaN for what was not tested, which does not count.

    Returns
    -------
    float64 array, shape (N,)
        The smallest false discovery rate at which each test is significant: at least its p-value
        and at most 1. NaN where the p-value is NaN.

    Source: Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
    """
    # Importing SciPy takes longer than most commands, and few of them need it.
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    found = np.array(p_values, np.float64)
    tested = ~np.isnan(found)
    found[tested] = false_discovery_control(found[tested])
    return found


def expected_by_rank(among: int) -> float:
    """Return how many of `among` neurons are expected above the level of their controls by rank.

    Parameters
    ----------
    among : int
        Number of neurons tested.

    Returns
    -------
    float
    """
    return BY_RANK * among


def _tests(row: Row, tested: int, picture: int) -> tuple[tuple[float, bool], ...]:
    """Return the p-value of each claim, and whether its confidence intervals are above 0."""
    lower_bounds = row["sufficiency_interval"][:, 0]
    # The first kind of controls is required: neurons are compared with it before any other.
    ablations = _intersection(row["necessity_p"], np.fmax.reduce(row["necessity_p"][:, 0]))
    dose = [*row["sufficiency_p"], row["response_p"]]
    first = row["sufficiency_p"][:1]
    pictures = _intersection([*dose, row["picture_p"]], [*first, row["picture_p"]])
    sufficient = bool(lower_bounds[tested] > 0)
    return (
        (ablations, bool((row["necessity_interval"][:, 0] > 0).all())),
        (_intersection(dose, first), sufficient),
        (pictures, sufficient and bool(lower_bounds[picture] > 0)),
    )


def _intersection(p_values: npt.ArrayLike, required: npt.ArrayLike) -> float:
    """Return the p-value of all tests together: the largest; NaN if a required one is NaN.

    Tests are skipped (NaN) once another one has failed. The largest of the others is then a lower
    bound above the level, which changes no q-value up to the level. If none has failed, all tests
    must have been made.
    """
    values = np.asarray(p_values, np.float64).ravel()
    known = values[~np.isnan(values)]
    if not known.size or np.isnan(np.asarray(required, np.float64)).any():
        return float("nan")
    largest = float(known.max())
    return largest if known.size == values.size or largest > LEVEL else float("nan")
