"""`LatentLayer`: a sparse autoencoder and the activation of a block that it reads."""

from __future__ import annotations

from dataclasses import dataclass

from featviz.errors import FeatvizError
from featviz.models.sae.latent_sites import written_activation
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class LatentLayer:
    """A sparse autoencoder of an activation of a block.

    Attributes
    ----------
    path : str
        Of the site of its latents, such as ``"sae.x"``.
    sae : SparseAutoencoder
        On the device of the model.
    kind : str
        What it reads and writes: ``"resid_pre"``, ``"resid_mid"``, ``"resid_post"``,
        ``"attn_out"`` or ``"mlp_out"``.
    layer : int
        Index of the block.
    """

    path: str
    sae: SparseAutoencoder
    kind: str
    layer: int


def latent_layer(model: VisionModel, path: str) -> LatentLayer:
    """Find the place of a sparse autoencoder.

    Parameters
    ----------
    model : VisionModel
    path : str
        Of the site of its latents, such as ``"sae.x"``.

    Returns
    -------
    LatentLayer

    Raises
    ------
    FeatvizError
        If the model has no such autoencoder, it is a transcoder, or it reads something else than
        the residual stream or what is added to it.
    """
    site = model.site(path)
    read = written_activation(site)
    blocks, _, rest = read.path.partition(".")
    layer, _, kind = rest.partition(".")
    if blocks != "blocks" or not layer.isdigit():
        raise FeatvizError(f"{path} reads {read.path}, which is in no block of the residual stream")
    assert site.sae is not None
    return LatentLayer(path, site.sae.on(model.device), kind, int(layer))
