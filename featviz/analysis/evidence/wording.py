"""A verdict in words: always what was measured, on what, and against what."""

from __future__ import annotations

import math
from collections.abc import Iterator

from featviz.analysis.evidence.causal import Control, Dose, Effect, Verdict
from featviz.analysis.evidence.claims import PICTURE_DOSE, TESTED_DOSE
from featviz.analysis.evidence.fdr import LEVEL

ABLATIONS = {
    "mean": "Keeping it at its mean activation",
    "resample": "Giving it its activation on an image of another class",
}
CONTROLS = {
    "neurons": "neurons of its layer and level",
    "directions": "random directions of equal norm",
}
OTHER_DOSE = "other"


def sentences(found: Verdict) -> list[str]:
    """Word what the tests of a neuron measured.

    Returns
    -------
    list of str
        Whole sentences: what each intervention did, beside what it did to controls, and which
        statements follow. None says what the neuron detects or means.
    """
    if found.silent:
        return [f"It does not vary over {found.data}: nothing was tested."]
    return [*_necessity(found), *_sufficiency(found), *_picture(found), *_profile(found)]


def _necessity(found: Verdict) -> Iterator[str]:
    where = f"on {found.images} held-out images of {found.data}"
    for name, removal in found.removals.items():
        what = ABLATIONS.get(name, f"Ablating it ({name})")
        change = _change(removal.effect, "lowers", "raises")
        beside = _beside(removal.controls, "lower")
        yield f"{what} {change.format(f'the margin of {found.label!r}')} {where}{beside}."
        where = "on these images"
    yield _statement(found, "necessary")


def _sufficiency(found: Verdict) -> Iterator[str]:
    if TESTED_DOSE not in found.doses or not _known(found.doses[TESTED_DOSE]):
        yield f"With {found.neutral} neutral images, whether it is sufficient was not tested."
        return
    tested = found.doses[TESTED_DOSE]
    change = _change(tested.effect, "raises", "lowers").format(f"the margin of {found.label!r}")
    others = [
        f"{name}th: {_number(dose.effect.estimate, '+')}"
        for name, dose in found.doses.items()
        if name.isdecimal() and name != TESTED_DOSE
    ]
    yield (
        f"Put into {found.neutral} neutral images, its activation on the image at the "
        f"{TESTED_DOSE}th percentile {change} ({', '.join(others)}; p = {_p(found.response_p)} "
        f"for more than at the 50th) and makes it the largest logit of "
        f"{_percent(tested.converted)} of them{_beside(found.controls, 'raise')}."
    )
    yield _statement(found, "sufficient")


def _picture(found: Verdict) -> Iterator[str]:
    own, other = (found.doses.get(name) for name in (PICTURE_DOSE, OTHER_DOSE))
    if own is not None and _known(own):
        change = _change(own.effect, "raises", "lowers").format("that margin")
        against = "; there is no other picture to compare with"
        if other is not None and _known(other):
            against = (
                f"; that on the picture of another neuron of its layer changes it by "
                f"{_number(other.effect.estimate, '+')} (p = {_p(found.picture_p)} for less)"
            )
        yield f"Its activation on its own picture {change} in neutral images{against}."
    if not math.isnan(found.mediation):
        control = ""
        if not math.isnan(found.mediation_control):
            control = (
                f"; with another one of its layer and level kept there, the median is "
                f"{_percent(found.mediation_control)}, and its own share is among the highest "
                f"{100 * found.mediation_p:.2g} %"
            )
        yield (
            f"Of the margin that its picture gives {found.label!r}, {_percent(found.mediation)} is "
            f"gone with it kept at its mean{control}."
        )


def _profile(found: Verdict) -> Iterator[str]:
    known = [
        f"{value:.2f} ({pair})" for pair, value in found.agreement.items() if not math.isnan(value)
    ]
    if known:
        count = len(found.profile["total"])
        yield f"Ranks of the {count} classes by effect agree to {', '.join(known)}."


def _statement(found: Verdict, word: str) -> str:
    """Say whether a claim is made, on what and against what."""
    claim = found.claims[word]
    what = f"{found.label!r} on {found.data}"
    if math.isnan(claim.p):
        return f"There are too few controls to tell whether it is {word} for {what}."
    tested = found.controls if word == "sufficient" else _kinds(found)
    against = " and ".join(CONTROLS.get(each, each) for each in tested)
    neurons = "neuron" if claim.among == 1 else "neurons"
    rate = f"{_at_least('q', claim.q)} among {claim.among} {neurons}"
    if claim.holds:
        return (
            f"{word.capitalize()} for {what}: among the strongest 5 % beside {against}, whichever "
            f"images are drawn ({rate})."
        )
    reason = ", since an interval reaches 0" if claim.significant else ""
    return (
        f"Not shown to be {word} for {what}, the class that it supports most, beside {against} "
        f"({rate}){reason}."
    )


def _kinds(found: Verdict) -> list[str]:
    """Give the kinds of control that some ablation was compared with: where one fails, no other."""
    kinds = [kind for removal in found.removals.values() for kind in removal.controls]
    return list(dict.fromkeys(kinds))


def _beside(controls: dict[str, Control], verb: str) -> str:
    """Tell what the controls come to, each on its own class."""
    told = []
    for kind, control in controls.items():
        p = f"({_at_least('p', control.p)})"
        of = f"of {control.count} {CONTROLS.get(kind, kind)}"
        much, least = _number(control.level), control.count - control.within + 1
        # The test asks for more than nothing, too.
        if control.p <= LEVEL and control.level <= 0:
            told.append(f"; {control.within} {of} do not {verb} theirs {p}")
        elif control.p <= LEVEL:
            told.append(f"; {control.within} {of} {verb} theirs by at most {much} {p}")
        elif control.level > 0:
            # Not all of them were run, and their level is no lower.
            told.append(f"; at least {least} {of} {verb} theirs by {much} or more {p}")
        else:
            told.append(f"; that it is above 0 and above {control.within} {of} is not shown {p}")
    return "".join(told)


def _change(effect: Effect, up: str, down: str) -> str:
    """Tell an effect with its interval, leaving room for what it is on."""
    sign = 1 if effect.estimate >= 0 else -1
    ends = sorted([sign * effect.low, sign * effect.high])
    verb = up if sign > 0 else down
    low, high = map(_number, ends)
    return f"{verb} {{}} by {_number(abs(effect.estimate))} [{low}, {high}]"


def _known(dose: Dose) -> bool:
    return not math.isnan(dose.effect.estimate)


def _number(value: float, sign: str = "") -> str:
    """Write a number with two digits behind the point, or two that count if it is small."""
    return f"{value:{sign}.2f}" if abs(value) >= 0.1 else f"{value:{sign}.2g}"


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _at_least(name: str, value: float) -> str:
    """Write a p-value or q-value, which is a lower bound above the level."""
    return f"{name} {'at least' if value > LEVEL else '='} {_p(value)}"


def _p(value: float) -> str:
    """Write a p-value or q-value, never as 0."""
    return "unknown" if math.isnan(value) else f"{value:.2g}"
