"""The range ``alive``: latents that fire on the images of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError
from featviz.store.reader import Store

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

KIND = "firing"
"""Kind of result that says how often latents fire."""


def alive_latents(model: VisionModel, site: Site, store: str | Path | None) -> list[int]:
    """Return the latents of a sparse autoencoder that fire on the images of a store.

    Parameters
    ----------
    model : VisionModel
    site : Site
        Of kind ``"latents"``.
    store : str or Path, optional
        Store with examples of its latents.

    Returns
    -------
    list of int
        Ascending.

    Raises
    ------
    FeatvizError
        If there is no store, it is of another model or autoencoder, it has no examples of these
        latents, or none of them fires.
    """
    advice = f"run `featviz examples MODEL {site.path}:all@max --data DATA -o STORE` first"
    if store is None:
        raise FeatvizError(f"{site.path}:alive needs a store with examples of it: {advice}")
    opened = Store(store)
    load = model.load_options.to_json()
    if conflict := opened.manifest.conflict(model.name, model.fingerprint, load):
        raise FeatvizError(f"{store} {conflict}")
    fires: dict[int, bool] = {}
    for row in opened.rows(KIND):
        path, _, rest = row["address"].partition(":")
        if path == site.path:
            fires[int(rest.partition("@")[0])] = bool(row["tokens"] > 0)
    if not fires:
        raise FeatvizError(f"{store} has no examples of latents of {site.path}: {advice}")
    found = sorted(latent for latent, is_alive in fires.items() if is_alive)
    if not found:
        raise FeatvizError(f"no latent of {site.path} in {store} fires on its images")
    return found
