"""All that is known beside the pictures of a unit, and the same of every unit of a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.jsonable import plain
from featviz.analysis.evidence.causal import Verdict, verdict
from featviz.analysis.evidence.checks import converged, follows
from featviz.analysis.evidence.claims import Claim, claims
from featviz.analysis.evidence.metrics import Numbers, numbers
from featviz.analysis.evidence.wording import sentences
from featviz.store.columns import Row
from featviz.store.reader import Store

NAN = float("nan")

SIDES = 5
"""Dimensions of the pictures of a unit that have two sides: samples, sides, height, width, RGB."""

KINDS = ("examples", "scores", "paths", "validations")
"""What is read beside renders."""

CHECKS = ("beats_natural", "converged", "follows_natural")
"""What a picture can pass: it excites the unit at least as much as the best natural image; its
optimization had converged; and it travels through the network as natural images do."""


@dataclass(frozen=True)
class Route:
    """How a picture travels through the network, beside natural images; see `featviz.paths`.

    Attributes
    ----------
    layers : tuple of str
        Names of L layers.
    picture, natural, same, different : tuple of float
        At each layer, similarity to the natural images that excite the unit: of the picture, of
        these images to each other, of other images of their classes, and of images of other
        classes.
    agreement : float
        Up to the unit's layer: 1 as the natural images that excite it, 0 as other classes.
    """

    layers: tuple[str, ...]
    picture: tuple[float, ...]
    natural: tuple[float, ...]
    same: tuple[float, ...]
    different: tuple[float, ...]
    agreement: float


@dataclass(frozen=True)
class Evidence:
    """What is known beside the pictures of a unit. What was not measured is NaN or None.

    Attributes
    ----------
    address : str
    pictures : tuple of Numbers
        One for each sample.
    best : int
        The sample with the highest activation, which the checks and the route are of.
    agreement : float
        Likeness of the best picture to that of another seed, from 0 to 1.
    diversity : float
        How unlike the samples are: 1 less their mean likeness.
    route : Route or None
    verdict : Verdict or None
        Of the causal tests.
    examples : dict of str to object, or None
        Its natural images and the statistics of its values, by the columns of kind ``examples``,
        and `classes` by name.
    """

    address: str
    pictures: tuple[Numbers, ...]
    best: int
    agreement: float
    diversity: float
    route: Route | None
    verdict: Verdict | None
    examples: dict[str, Any] | None

    @property
    def picture(self) -> Numbers:
        """The numbers of the best picture."""
        return self.pictures[self.best]

    @property
    def checks(self) -> dict[str, bool | None]:
        """Whether the best picture passes each of `CHECKS`; None where that is not known."""
        route = NAN if self.route is None else self.route.agreement
        passed = (
            (self.picture.ratio, self.picture.ratio >= 1),
            # Scored pictures have a value on held-out views, but no rise where nothing was gained.
            (self.picture.held_out, bool(converged(np.array(self.picture.rise)))),
            (route, bool(follows(np.array(route)))),
        )
        return {
            name: None if np.isnan(value) else bool(holds)
            for name, (value, holds) in zip(CHECKS, passed, strict=True)
        }

    @property
    def claims(self) -> dict[str, Claim]:
        """The statements that were tested, none for silent units."""
        return {} if self.verdict is None or self.verdict.silent else self.verdict.claims

    @property
    def sentences(self) -> list[str]:
        """What the causal tests measured, in words; empty if there were none."""
        return [] if self.verdict is None else sentences(self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Write everything in values that JSON has; what is not known is null."""
        told: dict[str, Any] = plain(self)
        return told | {"checks": self.checks, "sentences": self.sentences}


class Evidences:
    """The evidence in a store; false discovery rates are computed once, over all of its neurons.

    Parameters
    ----------
    store : Store, str or Path

    Raises
    ------
    FeatvizError
        When there is no such store or it is damaged.
    """

    def __init__(self, store: Store | str | Path) -> None:
        self.store = store if isinstance(store, Store) else Store(store)

    def of(self, address: str) -> Evidence:
        """Tell what is known beside the pictures of a unit.

        A logit's pictures of two sides have no numbers but their activation: natural images are
        read on both sides at once.

        Raises
        ------
        FeatvizError
            When the unit has no picture there, with the nearest that have.
        """
        sides = address not in self.store and address in self._sides
        render = self.store.row(address, "sides" if sides else "renders")
        beside = {
            kind: self.store.row(address, kind)
            for kind, there in self._there.items()
            if address in there
        }
        return self._evidence(render, beside)

    def __iter__(self) -> Iterator[Evidence]:
        """Give the evidence of every unit that has pictures, in the order of the store.

        Pictures of two sides are left out. Every kind is read through once, and one row of it is
        held at a time.
        """
        streams = {kind: _Stream(self.store, kind) for kind in self._there}
        for render in self.store.rows():
            found = {kind: stream.take(render["address"]) for kind, stream in streams.items()}
            yield self._evidence(render, {kind: row for kind, row in found.items() if row})

    @cached_property
    def _there(self) -> dict[str, set[str]]:
        return {kind: set(self.store.addresses(kind)) for kind in KINDS if kind in self.store.kinds}

    @cached_property
    def _sides(self) -> set[str]:
        return set(self.store.addresses("sides"))

    @cached_property
    def _claims(self) -> dict[str, dict[str, Claim]]:
        if "validations" not in self._there:
            return {}
        doses = self.store.configuration["validations"]["doses"]
        return claims(self.store.rows("validations"), doses)

    def _evidence(self, render: Row, beside: dict[str, Row]) -> Evidence:
        scores, validation = beside.get("scores"), beside.get("validations")
        examples = beside.get("examples")
        return Evidence(
            render["address"],
            numbers(render, None if render["images"].ndim == SIDES else examples, scores),
            int(render["activation"].argmax()),
            NAN if scores is None else float(scores["agreement"]),
            NAN if scores is None else 1 - float(scores["similarity"]),
            self._route(beside.get("paths")),
            None
            if validation is None
            else verdict(
                validation,
                self.store.configuration["validations"],
                self._claims[render["address"]],
            ),
            None if examples is None else self._examples(examples),
        )

    def _examples(self, row: Row) -> dict[str, Any]:
        told = {name: value for name, value in row.items() if name != "address"}
        names = self.store.configuration["examples"]["classes"]
        means = row["classes"].tolist()
        return told | {"classes": dict(zip(names, means, strict=True))}

    def _route(self, row: Row | None) -> Route | None:
        if row is None:
            return None
        return Route(
            tuple(self.store.configuration["paths"]["layers"]),
            tuple(map(float, row["picture"])),
            tuple(map(float, row["natural"])),
            tuple(map(float, row["same"])),
            tuple(map(float, row["different"])),
            float(row["agreement"]),
        )


class _Stream:
    """Rows of one kind, taken by units that come in the order of the store."""

    def __init__(self, store: Store, kind: str) -> None:
        # There may be rows of units without pictures. The others are in the order of pictures.
        self._rows = (row for row in store.rows(kind) if row["address"] in store)
        self._head = next(self._rows, None)

    def take(self, address: str) -> Row | None:
        """Give the row of a unit, or None if there is none."""
        head = self._head
        if head is None or head["address"] != address:
            return None
        self._head = next(self._rows, None)
        return head


def evidence(store: Store | str | Path, address: str) -> Evidence:
    """Tell what is known beside the pictures of one unit; for many, see `Evidences`.

    Raises
    ------
    FeatvizError
        When there is no such store, it is damaged, or the unit has no picture there.
    """
    return Evidences(store).of(address)
