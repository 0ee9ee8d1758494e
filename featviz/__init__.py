"""Feature visualization for the units of vision models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featviz._util.lazy import lazy_names

if TYPE_CHECKING:
    from featviz.activations.readout import Readout, readout
    from featviz.addressing.address import Unit
    from featviz.addressing.combinations import Combination, combine
    from featviz.addressing.selectors import units
    from featviz.errors import FeatvizError
    from featviz.models.loading.load import load
    from featviz.models.loading.wrap import wrap
    from featviz.models.sae.load import load_sae
    from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
    from featviz.models.vision_model import VisionModel
    from featviz.rendering.render import Rendering, render
    from featviz.store.reader import Store

__all__ = [
    "Combination",
    "FeatvizError",
    "Readout",
    "Rendering",
    "SparseAutoencoder",
    "Store",
    "Unit",
    "VisionModel",
    "combine",
    "load",
    "load_sae",
    "readout",
    "render",
    "units",
    "wrap",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Combination": "addressing.combinations",
        "FeatvizError": "errors",
        "Readout": "activations.readout",
        "Rendering": "rendering.render",
        "SparseAutoencoder": "models.sae.sparse_autoencoder",
        "Store": "store.reader",
        "Unit": "addressing.address",
        "VisionModel": "models.vision_model",
        "combine": "addressing.combinations",
        "load": "models.loading.load",
        "load_sae": "models.sae.load",
        "readout": "activations.readout",
        "render": "rendering.render",
        "units": "addressing.selectors",
        "wrap": "models.loading.wrap",
    },
)
