"""Sentences that report the causal tests of a neuron or a latent."""

from __future__ import annotations

import math
from collections.abc import Iterator

from featviz.analysis.evidence.causal_tests import CausalTests, ControlGroup, Dose, Effect
from featviz.analysis.evidence.claims import LEVEL, PICTURE_DOSE, TESTED_DOSE

ABLATIONS = {
    "mean": "Mean ablation",
    "resample": "Resample ablation (activation of an image of another class)",
}
CONTROLS = {
    "neurons": "{unit}s of the same layer and activation level",
    "directions": "random directions of equal norm",
}
OTHER_DOSE = "other"


def sentences(tests: CausalTests) -> list[str]:
    """Report the causal tests of a neuron or a latent.

    Parameters
    ----------
    tests : CausalTests

    Returns
    -------
    list of str
        Sentences that state the effect of each intervention, the effects of the controls, and
        which claims hold. None states what it detects or represents.
    """
    if tests.silent and tests.unit == "latent":
        return [
            f"The latent is dead: it is not active on the reference images of {tests.data}, or its "
            "activation does not vary; no causal test was run."
        ]
    if tests.silent:
        return [f"The neuron does not vary over {tests.data}; no causal test was run."]
    return [*_necessity(tests), *_sufficiency(tests), *_picture(tests), *_profile(tests)]


def _necessity(tests: CausalTests) -> Iterator[str]:
    images = f"{tests.images} held-out images of {tests.data}"
    for name, ablation in tests.removals.items():
        intervention = ABLATIONS.get(name, f"Ablation ({name})")
        change = _change(ablation.effect, "lowers", "raises", f"the margin of {tests.label!r}")
        yield f"{intervention} {change} on {images}{_controls(tests, ablation.controls, 'lower')}."
        images = "these images"
    yield _claim(tests, "necessary")


def _sufficiency(tests: CausalTests) -> Iterator[str]:
    if TESTED_DOSE not in tests.doses or not _is_known(tests.doses[TESTED_DOSE]):
        yield (f"Sufficiency was not tested: there are only {tests.neutral} neutral images.")
        return
    tested = tests.doses[TESTED_DOSE]
    others = [
        f"{name}th: {_number(dose.effect.estimate, '+')}"
        for name, dose in tests.doses.items()
        if name.isdecimal() and name != TESTED_DOSE
    ]
    response = f"p = {_p(tests.response_p)} for a larger effect than at the 50th"
    details = f"; {', '.join(others)}; {response}"
    margin = f"the margin of {tests.label!r}"
    change = _change(tested.effect, "raises", "lowers", margin, details)
    yield (
        f"Patching the activation of the image at the {TESTED_DOSE}th percentile into "
        f"{tests.neutral} neutral images {change} and flips the prediction to it on "
        f"{_percent(tested.converted)} of them{_controls(tests, tests.controls, 'raise')}."
    )
    yield _claim(tests, "sufficient")


def _picture(tests: CausalTests) -> Iterator[str]:
    own, other = (tests.doses.get(name) for name in (PICTURE_DOSE, OTHER_DOSE))
    if own is not None and _is_known(own):
        change = _change(own.effect, "raises", "lowers", "this margin")
        baseline = f"; there is no picture of another {tests.unit} as a baseline"
        if other is not None and _is_known(other):
            baseline = (
                f"; baseline, the picture of another {tests.unit} of the layer: "
                f"{_number(other.effect.estimate, '+')} "
                f"(p = {_p(tests.picture_p)} for a smaller effect)"
            )
        yield (
            f"Patching the activation of the {tests.unit}'s own picture into neutral images "
            f"{change}{baseline}."
        )
    if not math.isnan(tests.mediation):
        control = ""
        if not math.isnan(tests.mediation_control):
            control = (
                f"; with a control {tests.unit} of the same layer and activation level frozen, the "
                f"median is {_percent(tests.mediation_control)}, and the {tests.unit} is among the "
                f"highest {100 * tests.mediation_p:.2g} %"
            )
        yield (
            f"Of the margin of {tests.label!r} on the {tests.unit}'s own picture, "
            f"{_percent(tests.mediation)} is lost with the {tests.unit} frozen at its mean"
            f"{control}."
        )


def _profile(tests: CausalTests) -> Iterator[str]:
    known = [
        f"{value:.2f} ({pair})" for pair, value in tests.agreement.items() if not math.isnan(value)
    ]
    if known:
        count = len(tests.profile["total"])
        yield f"Rank correlation of the effects on {count} classes: {', '.join(known)}."


def _claim(tests: CausalTests, name: str) -> str:
    """State whether a claim holds, for which class and data, and against which controls."""
    claim = tests.claims[name]
    data = f"{tests.label!r} on {tests.data}"
    if math.isnan(claim.p):
        return f"Too few controls to test whether the {tests.unit} is {name} for {data}."
    tested = tests.controls if name == "sufficient" else _kinds(tests)
    controls = "; ".join(_control_name(tests, kind) for kind in tested)
    units = tests.unit if claim.among == 1 else f"{tests.unit}s"
    rate = f"{_bound('q', claim.q)}, {claim.among} {units} tested"
    if claim.holds:
        return (
            f"{name.capitalize()} for {data}: among the strongest 5 % of the comparison set "
            f"({controls}), significant under resampling of the images ({rate})."
        )
    reason = "; a confidence interval includes 0" if claim.significant else ""
    return (
        f"Not shown to be {name} for {data}, the class that it supports most; comparison set: "
        f"{controls} ({rate}{reason})."
    )


def _control_name(tests: CausalTests, kind: str) -> str:
    return CONTROLS.get(kind, kind).format(unit=tests.unit)


def _kinds(tests: CausalTests) -> list[str]:
    """Return the kinds of control that an ablation was compared with."""
    kinds = [kind for ablation in tests.removals.values() for kind in ablation.controls]
    return list(dict.fromkeys(kinds))


def _controls(tests: CausalTests, controls: dict[str, ControlGroup], verb: str) -> str:
    """Report the effects of the controls, each on the margin of its own class."""
    reports = []
    for kind, control in controls.items():
        name, margin = _control_name(tests, kind), f"{verb} the margin of their own class"
        within, level = f"{control.within} of {control.count} {name}", _number(control.level)
        if control.p <= LEVEL and control.level <= 0:  # the effect is tested against 0, too
            report = f"{within} do not {margin}"
        elif control.p <= LEVEL:
            report = f"{within} {margin} by at most {level}"
        elif control.level > 0:
            # Controls that were not run have an effect of at least this level.
            reaching = control.count - control.within + 1
            report = f"at least {reaching} of {control.count} {name} {margin} by {level} or more"
        else:
            report = f"the effect is not shown to be above 0 and above that of {within}"
        reports.append(f"{report} ({_bound('p', control.p)})")
    return f"; controls: {'; '.join(reports)}" if reports else ""


def _change(effect: Effect, up: str, down: str, margin: str, details: str = "") -> str:
    """Report an effect with its confidence interval, as an increase or a decrease."""
    sign = 1 if effect.estimate >= 0 else -1
    low, high = map(_number, sorted([sign * effect.low, sign * effect.high]))
    verb, size = up if sign > 0 else down, _number(abs(effect.estimate))
    return f"{verb} {margin} by {size} (95 % CI {low} to {high}{details})"


def _is_known(dose: Dose) -> bool:
    return not math.isnan(dose.effect.estimate)


def _number(value: float, sign: str = "") -> str:
    """Format with two decimals, or with two significant digits below 0.1."""
    return f"{value:{sign}.2f}" if abs(value) >= 0.1 else f"{value:{sign}.2g}"


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _bound(name: str, value: float) -> str:
    """Format a p-value or q-value, which is a lower bound above `LEVEL`."""
    return f"{name} {'≥' if value > LEVEL else '='} {_p(value)}"


def _p(value: float) -> str:
    """Format a p-value or q-value with two significant digits, never as 0."""
    return "unknown" if math.isnan(value) else f"{value:.2g}"
