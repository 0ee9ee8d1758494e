"""Direct effects of units on the logits: the logit lens of what they write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.directions import Direction
from featviz.addressing.selectors import Chosen, as_units, site_of
from featviz.analysis.logits.class_readout import ClassReadout
from featviz.analysis.logits.stream_writes import StreamWrites
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class DirectEffects:
    """Direct effects of N units on the logits of C classes.

    Attributes
    ----------
    units : list of Unit
    effects : float32 array, shape (N, C)
        Change of each logit per unit of the unit's activation, through the residual stream and the
        head, and not through later layers. The scale of the final norm is left out; see
        `featviz.analysis.logits.class_readout`.
    skipped : dict of str to str
        Addresses of the other units, and why they have no direct effect.
    """

    units: list[Unit]
    effects: npt.NDArray[np.float32]
    skipped: dict[str, str]


class LogitLens:
    """Computes direct effects of the units of a model.

    The activation of a neuron is the one after its nonlinearity, also for ``mlp.fc1``; that of a
    latent is the one after its threshold. A unit
    without a token is taken at all tokens that the head reads; at one token, its effect is that of
    this token alone, such as 1/T of it with average pooling over T tokens. A direction is moved
    along until its value has risen by 1.

    Parameters
    ----------
    model : VisionModel

    Attributes
    ----------
    readout : ClassReadout
    writes : StreamWrites

    Raises
    ------
    FeatvizError
        If the logits of the model are no linear map of its final tokens; see `ClassReadout`.

    Source: Dar et al., "Analyzing Transformers in Embedding Space", ACL 2023; for vision
    transformers, Vilas et al., "Analyzing Vision Transformers for Image Classification in Class
    Embedding Space", NeurIPS 2023.
    """

    def __init__(self, model: VisionModel) -> None:
        self._model = model
        self.readout = ClassReadout(model)
        self.writes = StreamWrites(model, self.readout.block)

    def skip_reason(self, unit: Unit) -> str | None:
        """Return why a `unit` has no direct effect on the logits, or None if it has one."""
        if isinstance(unit, Combination):
            return "a sum of units is not written to the stream"
        try:
            site_of(self._model, unit)
            self.writes.of(unit.site)
        except FeatvizError as error:
            return str(error)
        if not self.readout.weights(_token(unit)).any():
            return f"the head does not read token {unit.token}"
        return None

    def effects(self, units: Sequence[Unit]) -> npt.NDArray[np.float32]:
        """Compute the direct effects of units that are not skipped.

        Parameters
        ----------
        units : sequence of Unit
            For which `skip_reason` is None.

        Returns
        -------
        float32 array, shape (N, C)
        """
        groups: dict[tuple[str, int | None], list[int]] = defaultdict(list)
        for row, unit in enumerate(units):
            groups[unit.site, _token(unit)].append(row)
        found = np.empty((len(units), self.readout.classes), np.float32)
        for (site, token), rows in groups.items():
            written = self._written(site, [units[row] for row in rows])
            found[rows] = (written @ self.readout.weights(token).T).float().numpy()
        return found

    def _written(self, site: str, units: Sequence[Unit]) -> Tensor:
        """Return what units of one site write per unit of activation, (N, channels)."""
        matrix = self.writes.of(site)
        rows: list[Tensor] = []
        for unit in units:
            if isinstance(unit.index, Direction):
                vector = torch.from_numpy(unit.index.vector).double()
                step = vector / vector.square().sum()
                rows.append(step if matrix is None else step @ matrix)
            else:
                assert isinstance(unit.index, int)
                width = self._model.site(site).width
                rows.append(
                    torch.eye(1, width, dtype=torch.float64).roll(unit.index)[0]
                    if matrix is None
                    else matrix[unit.index]
                )
        return torch.stack(rows)


def direct_effects(model: VisionModel, units: Chosen) -> DirectEffects:
    """Compute the direct effects of units on the logits.

    Parameters
    ----------
    model : VisionModel
    units : str, Unit, or iterable of these
        Selectors or units; see `featviz.units`.

    Returns
    -------
    DirectEffects

    Raises
    ------
    FeatvizError
        If a unit does not exist, or the logits are no linear map of the final tokens; see
        `LogitLens`.
    """
    chosen = list(dict.fromkeys(as_units(model, units)))
    lens = LogitLens(model)
    reasons = {unit: lens.skip_reason(unit) for unit in chosen}
    kept = [unit for unit in chosen if reasons[unit] is None]
    skipped = {str(unit): reason for unit, reason in reasons.items() if reason is not None}
    return DirectEffects(kept, lens.effects(kept), skipped)


def _token(unit: Unit) -> int | None:
    """Return the position of a unit in the stream; None for all tokens."""
    if unit.token == "cls":
        return 0
    return unit.token if isinstance(unit.token, int) else None
