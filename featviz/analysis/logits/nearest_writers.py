"""Units that write in the direction of a latent: other latents, and neurons of MLPs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz.addressing.address import Unit
from featviz.analysis.logits.stream_writes import StreamWrites
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Columns

KIND = "nearest_writers"

SHOWN = 5
"""Maximum number of latents, and of neurons, for each latent."""


class NearestWriters:
    """Finds the units with the highest cosine of what they write with what a latent writes.

    Parameters
    ----------
    model : VisionModel
    writes : StreamWrites
        Of the model.
    """

    def __init__(self, model: VisionModel, writes: StreamWrites) -> None:
        self._model, self._writes = model, writes
        self._neurons = cache(self._all_neurons)

    def is_latent(self, unit: Unit) -> bool:
        """Return whether a `unit` has nearest writers."""
        return self._model.site(unit.site).kind == "latents"

    def columns(self, latents: Sequence[Unit]) -> Columns:
        """Find the nearest other latents of the autoencoder, and the nearest neurons of all blocks.

        Parameters
        ----------
        latents : sequence of Unit
            Of one site.

        Returns
        -------
        dict of str to list or array
            Columns of a store. The addresses of a row are separated by spaces, nearest first.
        """
        rows = torch.tensor([unit.index for unit in latents])
        site = latents[0].site
        directions = _normalized(self._of(site))
        others = directions[rows] @ directions.T
        others[torch.arange(len(rows)), rows] = -torch.inf
        names, neurons = self._neurons()
        found = {
            "latents": (others, [f"{site}:{index}" for index in range(len(directions))]),
            "neurons": (directions[rows] @ neurons.T, names),
        }
        columns: dict[str, Any] = {"address": list(map(str, latents))}
        for kind, (cosines, addresses) in found.items():
            count = min(SHOWN, len(addresses) - (kind == "latents"))
            nearest = torch.topk(cosines, count)
            columns[kind] = [
                " ".join(addresses[i] for i in row) for row in nearest.indices.tolist()
            ]
            columns[f"{kind[:-1]}_cosines"] = nearest.values.float().numpy()
        return columns

    def _of(self, site: str) -> Tensor:
        written = self._writes.of(site)
        assert written is not None
        return written

    def _all_neurons(self) -> tuple[list[str], Tensor]:
        """Return the addresses of all neurons that write to the stream, and what each writes."""
        names: list[str] = []
        found: list[Tensor] = []
        for path in self._model.sites:
            if not path.endswith(".mlp_act"):
                continue
            try:
                written = self._of(path)
            except FeatvizError:
                continue  # they write nothing that reaches the head by addition
            names += [f"{path}:{index}" for index in range(len(written))]
            found.append(_normalized(written))
        return names, torch.cat(found) if found else torch.empty(0, 1, dtype=torch.float64)


def _normalized(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=1)
