"""All evidence on a unit and its pictures, and on every unit of a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from featviz._util.jsonable import to_jsonable
from featviz.analysis.evidence.causal_tests import CausalTests, Effect
from featviz.analysis.evidence.claims import Claim, claims
from featviz.analysis.evidence.metrics import PictureMetrics, picture_metrics
from featviz.analysis.evidence.wording import sentences
from featviz.analysis.paths.path import ActivationPath, is_natural
from featviz.analysis.scores.metrics import converged
from featviz.store.columns import Row
from featviz.store.order import by_site
from featviz.store.reader import Store

NAN = float("nan")

SPLIT_NDIM = 5
"""Dimensions of the pictures of a unit with separate query and key images: samples, two images,
height, width, RGB."""

PICTURES = ("renders", "sides")
"""Kinds of results whose rows are the pictures of a unit."""

KINDS = ("examples", "scores", "paths", "validations", "logits", "latents")
"""Kinds of results that are combined with the pictures."""

CHECKS = ("beats_natural", "converged", "follows_natural")
"""Checks of a picture: it activates the unit at least as much as the best natural image; its
optimization has converged; the network processes it like natural images."""


@dataclass(frozen=True)
class UnitEvidence:
    """Evidence on the pictures of a unit. What was not measured is NaN or None.

    Attributes
    ----------
    address : str
    pictures : tuple of PictureMetrics
        One for each sample; empty without a picture.
    best : int
        Index of the sample with the highest activation; the checks and the path refer to it. -1
        without a picture.
    agreement : float
        Gram similarity of the best picture to those of other seeds, in [0, 1].
    diversity : float
        1 minus the mean Gram similarity of the samples.
    path : ActivationPath or None
        Of the best picture.
    causal_tests : CausalTests or None
    examples : dict of str to object, or None
        Natural images of the unit and statistics of its values: the columns of kind ``examples``,
        with ``classes`` by name.
    logits : dict of str to float, or None
        Direct effect on the logit of each class, by name; see `featviz.analysis.logits`.
    """

    address: str
    pictures: tuple[PictureMetrics, ...]
    best: int
    agreement: float
    diversity: float
    path: ActivationPath | None
    causal_tests: CausalTests | None
    examples: dict[str, Any] | None
    logits: dict[str, float] | None = None

    @property
    def picture(self) -> PictureMetrics:
        """Metrics of the best picture; NaN without a picture."""
        return self.pictures[self.best] if self.pictures else PictureMetrics(NAN)

    @property
    def naturalness(self) -> float:
        """Naturalness of the path of the best picture; NaN if it is not known."""
        return NAN if self.path is None else self.path.naturalness

    @property
    def checks(self) -> dict[str, bool | None]:
        """Whether the best picture passes each of `CHECKS`; None where this is not known."""
        passed = (
            (self.picture.ratio, self.picture.ratio >= 1),
            # A score exists if held_out does; the gain is NaN if the activation did not increase.
            (self.picture.held_out, bool(converged(self.picture.rise))),
            (self.naturalness, bool(is_natural(self.naturalness))),
        )
        return {
            name: None if np.isnan(value) else bool(holds)
            for name, (value, holds) in zip(CHECKS, passed, strict=True)
        }

    @property
    def claims(self) -> dict[str, Claim]:
        """The claims that were tested, by name; empty for silent units."""
        tests = self.causal_tests
        return {} if tests is None or tests.silent else tests.claims

    @property
    def effects(self) -> dict[str, Effect]:
        """The effect that each claim is about; empty for silent units, and without tests."""
        return {} if self.causal_tests is None else self.causal_tests.effects

    @property
    def sentences(self) -> list[str]:
        """The results of the causal tests as sentences; empty if there were none."""
        return [] if self.causal_tests is None else sentences(self.causal_tests)

    def to_json(self) -> dict[str, Any]:
        """Convert to values that JSON can represent.

        Returns
        -------
        dict
            The fields, ``checks`` and ``sentences``; None for what is not known. The path is
            ``route``, its naturalness ``agreement``, and the causal tests are ``verdict``.
        """
        fields: dict[str, Any] = to_jsonable(self)
        path, tests = fields.pop("path"), fields.pop("causal_tests")
        if path is not None:
            path["agreement"] = path.pop("naturalness")
        derived = {"checks": self.checks, "sentences": self.sentences}
        return fields | {"route": path, "verdict": tests} | derived


class EvidenceReader:
    """The evidence in a store.

    False discovery rates are computed once, over all neurons of the store. Iterating gives the
    evidence of every unit.

    Parameters
    ----------
    store : Store, str or Path

    Raises
    ------
    FeatvizError
        If there is no such store, or it is damaged.
    """

    def __init__(self, store: Store | str | Path) -> None:
        self.store = store if isinstance(store, Store) else Store(store)

    def read(self, address: str) -> UnitEvidence:
        """Read the evidence of one unit.

        The pictures of a logit with separate query and key images have no metric except their
        activation: on a natural image, both are read at once.

        Parameters
        ----------
        address : str

        Returns
        -------
        UnitEvidence

        Raises
        ------
        FeatvizError
            If the unit has no picture in the store; the message names the most similar address.
        """
        split = address not in self.store and address in self._split
        render = self.store.row(address, "sides" if split else "renders")
        rows = {
            kind: self.store.row(address, kind)
            for kind, addresses in self._addresses.items()
            if address in addresses
        }
        return self._evidence(address, render, rows)

    def __iter__(self) -> Iterator[UnitEvidence]:
        """Yield the evidence of every unit with pictures, in the order of the store.

        Units with separate query and key images are left out. Every kind is read once, one row at
        a time.
        """
        for evidence, kind in self.all_units():
            if kind == "renders":
                yield evidence

    def all_units(self) -> Iterator[tuple[UnitEvidence, str | None]]:
        """Yield the evidence of every unit, with or without pictures, in the order of the store.

        Every kind is read once, one row at a time.

        Yields
        ------
        evidence : UnitEvidence
        kind : str or None
            The one of `PICTURES` whose pictures the evidence is about, if there are any.
        """
        kinds = [kind for kind in (*PICTURES, *KINDS) if kind in self.store.kinds]
        streams = {kind: _RowStream(self.store.rows(kind)) for kind in kinds}
        known = {address: None for kind in kinds for address in self.store.addresses(kind)}
        for _, addresses in by_site(known, self.store.sites):
            for address in addresses:
                found = {kind: stream.take(address) for kind, stream in streams.items()}
                rows = {kind: row for kind, row in found.items() if row is not None}
                pictured = next((kind for kind in PICTURES if kind in rows), None)
                render = None if pictured is None else rows[pictured]
                yield self._evidence(address, render, rows), pictured

    @cached_property
    def _addresses(self) -> dict[str, set[str]]:
        return {kind: set(self.store.addresses(kind)) for kind in KINDS if kind in self.store.kinds}

    @cached_property
    def _split(self) -> set[str]:
        return set(self.store.addresses("sides"))

    @cached_property
    def _claims(self) -> dict[str, dict[str, Claim]]:
        if "validations" not in self._addresses:
            return {}
        doses = self.store.configuration["validations"]["doses"]
        return claims(self.store.rows("validations"), doses)

    def _evidence(self, address: str, render: Row | None, rows: dict[str, Row]) -> UnitEvidence:
        """Combine the pictures of a unit with its rows of other kinds."""
        scores, examples = rows.get("scores"), rows.get("examples")
        pictures: tuple[PictureMetrics, ...] = ()
        best = -1
        if render is not None:
            is_split = render["images"].ndim == SPLIT_NDIM
            natural = None if is_split else examples
            pictures = picture_metrics(render, natural, scores, rows.get("latents"))
            best = int(render["activation"].argmax())
        return UnitEvidence(
            address,
            pictures,
            best,
            NAN if scores is None else float(scores["agreement"]),
            NAN if scores is None else 1 - float(scores["similarity"]),
            self._path(rows.get("paths")),
            self._causal_tests(rows.get("validations")),
            self._examples(examples),
            self._logits(rows.get("logits")),
        )

    def _path(self, row: Row | None) -> ActivationPath | None:
        if row is None:
            return None
        return ActivationPath.from_row(row, self.store.configuration["paths"]["layers"])

    def _causal_tests(self, row: Row | None) -> CausalTests | None:
        if row is None:
            return None
        configuration = self.store.configuration["validations"]
        return CausalTests.from_row(row, configuration, self._claims[row["address"]])

    def _examples(self, row: Row | None) -> dict[str, Any] | None:
        if row is None:
            return None
        columns = {name: value for name, value in row.items() if name != "address"}
        names = self.store.configuration["examples"]["classes"]
        means = row["classes"].tolist()
        return columns | {"classes": dict(zip(names, means, strict=True))}

    def _logits(self, row: Row | None) -> dict[str, float] | None:
        if row is None:
            return None
        names = self.store.configuration["logits"]["classes"]
        return dict(zip(names, row["effects"].tolist(), strict=True))


class _RowStream:
    """Rows of one kind, taken by address in the order of the store."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._head = next(self._rows, None)

    def take(self, address: str) -> Row | None:
        """Return the row of a unit, or None if there is none."""
        head = self._head
        if head is None or head["address"] != address:
            return None
        self._head = next(self._rows, None)
        return head


def read_evidence(store: Store | str | Path, address: str) -> UnitEvidence:
    """Read the evidence of one unit; for many units, use `EvidenceReader`.

    Parameters
    ----------
    store : Store, str or Path
    address : str

    Returns
    -------
    UnitEvidence

    Raises
    ------
    FeatvizError
        If there is no such store, it is damaged, or the unit has no picture in it.
    """
    return EvidenceReader(store).read(address)
