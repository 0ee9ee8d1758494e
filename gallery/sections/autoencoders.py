"""Section of sparse autoencoders: density of their latents, and their quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from featviz.analysis.examples.firing import KIND as FIRING
from featviz.analysis.examples.firing import Firing, latent_name
from featviz.store.columns import Row
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section
from gallery.stores.merge import Group

QUALITY = "sae_quality"
FIGURES = ("explained_variance", "l0", "alive", "dense")
CHANGES = ("reconstruction", "zero_ablation")
OUTPUTS = ("kl", "same_top1", "cosine")
"""Columns of the quality, and what those of `CHANGES` are; see `featviz.analysis.reconstruction`,
which the gallery does not import, since it needs PyTorch."""

PER_DECADE = 4
"""Bins of the histogram of densities for each factor of 10."""


class Autoencoders(Section):
    """Sparse autoencoders whose latents have examples."""

    name = "autoencoders"
    kinds = (FIRING, QUALITY)

    def entry(self, group: Group, row: Row) -> Entry:
        """Keep the density of a latent, or the quality of an autoencoder.

        See `Section.entry`.
        """
        if group.kind == QUALITY:
            facts = {name: row[name] for name in ("library", "architecture")}
            counts = {name: int(row[name]) for name in ("images", "tokens")}
            figures = {name: float(row[name]) for name in FIGURES}
            outputs = {
                change: dict(zip(OUTPUTS, rounded(row[change], 5), strict=True))
                for change in CHANGES
            }
            return [row["address"], facts | counts | figures | outputs]
        return [row["address"], Firing.from_row(row).tokens]

    def blocks(self, groups: Any) -> list[dict[str, Any]]:
        """Return a block for each autoencoder with examples in each configuration.

        See `Section.blocks`.
        """
        return [
            {"label": self.model.label(group), "settings": list(group.settings.items()), **block}
            for group in groups
            if group.kind == FIRING
            for block in self._autoencoders(group)
        ]

    def finish(self) -> dict[str, Any]:
        """Return the data of the section: a block for each autoencoder."""
        return {"autoencoders": self.blocks(self.model.of(FIRING))}

    def count(self) -> int:
        """Return the number of autoencoders."""
        return len(self.blocks(self.model.of(FIRING)))

    def _autoencoders(self, group: Group) -> list[dict[str, Any]]:
        densities: dict[str, dict[str, float]] = {}
        for address, density in self.entries[self.model.groups.index(group)]:
            latent = latent_name(address)  # which may be read at several tokens
            densities.setdefault(latent.partition(":")[0], {})[latent] = density
        files = self.model.load.get("saes", {})
        return [
            {
                "site": site,
                "read": files.get(site.partition(".")[2], {}).get("site"),
                **density_histogram(list(found.values())),
                "quality": self._quality(files.get(site.partition(".")[2], {}).get("digest")),
            }
            for site, found in densities.items()
        ]

    def _quality(self, digest: str | None) -> list[dict[str, Any]]:
        """Return the quality of an autoencoder on each dataset it was measured on."""
        return [
            {"data": group.settings.get("data.name", group.settings.get("data", "")), **quality}
            for group in self.model.of(QUALITY)
            for address, quality in self.entries[self.model.groups.index(group)]
            if address == digest
        ]


def density_histogram(densities: Sequence[float]) -> dict[str, Any]:
    """Count densities in bins of equal width of their logarithm.

    Parameters
    ----------
    densities : sequence of float
        In [0, 1].

    Returns
    -------
    dict
        ``latents`` and ``dead`` (of density 0), their numbers; ``counts`` of the others between
        the ``edges``, logarithms to base 10 from the first to 0. A density of 1 is in the last bin.
    """
    values = np.array(densities, np.float64)
    alive = np.log10(values[values > 0])
    decades = max(1, math.ceil(-float(alive.min(initial=-1.0))))
    bins = decades * PER_DECADE
    edges = np.arange(-bins, 1) / PER_DECADE
    counts, _ = np.histogram(alive, edges)
    return {
        "latents": len(values),
        "dead": int((values == 0).sum()),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }
