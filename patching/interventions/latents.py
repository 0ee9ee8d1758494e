"""`set_latents`: run a model with latents of sparse autoencoders set to other values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor

from featviz._util.arguments import described
from featviz.activations.site_values import change_values
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import as_units
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.sae.latent_sites import written_activation
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.vision_model import VisionModel, check_model


@contextmanager
def set_latents(model: VisionModel, values: Mapping[str, float | Tensor]) -> Iterator[None]:
    """Set latents of sparse autoencoders in every forward pass of the ``with`` block.

    At the site of an autoencoder, the activation x becomes ``x + decode(changed) -
    decode(latents)``: what the autoencoder does not reconstruct stays, and so do all other latents.
    The model is in evaluation mode.

    Parameters
    ----------
    model : VisionModel
        With the autoencoders; see `VisionModel.with_saes`.
    values : mapping of str to float or Tensor
        By address: ``"sae.x:5"`` is set at all tokens, ``"sae.x:5@cls"`` or ``"sae.x:5@7"`` at
        one; a range such as ``"sae.x:0-3"`` sets each of its latents. 0 ablates a latent, another
        number clamps it; a tensor that can be broadcast to (images, tokens) gives the values of
        each image, such as those on other images. Values are those after the threshold, as
        `SparseAutoencoder.encode` returns them.

    Raises
    ------
    FeatvizError
        If a unit is no latent or does not exist, is that of a transcoder, a token suffix names no
        single token, a latent is set twice at a token, or a value is no number.

    Examples
    --------
    >>> import featviz
    >>> model = featviz.load("cueworld/vit", saes={"s": "cueworld/sae"})
    >>> images = torch.zeros(1, 3, model.image_size, model.image_size)
    >>> with torch.no_grad(), set_latents(model, {"sae.s:35": 0.0}):
    ...     logits = model(images)
    """
    check_model(model)
    settings: dict[str, dict[tuple[int, int | None], float | Tensor]] = defaultdict(dict)
    for selector, value in values.items():
        _check_value(selector, value)
        for unit in as_units(model, selector):
            place = _place(model, unit)
            if place in settings[unit.site]:
                raise FeatvizError(f"{unit} is set twice")
            settings[unit.site][place] = value
    with ExitStack() as changed:
        changed.enter_context(eval_mode(model.module))
        for path, of_site in settings.items():
            site = model.sites[path]
            assert site.sae is not None
            change = partial(_set, site.sae.on(model.device), of_site)
            changed.enter_context(change_values(model, written_activation(site), change))
        yield


def _check_value(selector: str, value: object) -> None:
    if not isinstance(value, Tensor | int | float) or isinstance(value, bool):
        raise FeatvizError(
            f"the value of {selector} must be a number or tensor, got {described(value)}"
        )


def _place(model: VisionModel, unit: Unit) -> tuple[int, int | None]:
    """Return the index of a latent, and the position at which it is set; None for all."""
    site = None if isinstance(unit, Combination) else model.sites[unit.site]
    if site is None or site.kind != "latents" or not isinstance(unit.index, int):
        raise FeatvizError(f"{unit} is no latent of a sparse autoencoder, such as sae.x:5")
    token = 0 if unit.token == "cls" else unit.token
    if token is not None and not isinstance(token, int):
        raise FeatvizError(f"{unit} names no single token; set it at all tokens, @cls or @7")
    return unit.index, token


def _set(
    sae: SparseAutoencoder,
    settings: Mapping[tuple[int, int | None], float | Tensor],
    values: Tensor,
) -> Tensor:
    """Set latents of activations, (N, positions, width)."""
    latents = list(dict.fromkeys(latent for latent, _ in settings))
    own = sae.encode(values, latents)
    new = own.clone()
    for (latent, token), value in settings.items():
        tokens = slice(None) if token is None else slice(token, token + 1)
        chosen = new[:, tokens, latents.index(latent)]
        given = torch.as_tensor(value).to(new)
        try:
            chosen[:] = given
        except RuntimeError:
            raise FeatvizError(
                f"the values of latent {latent} have shape {tuple(given.shape)}, which cannot be "
                f"broadcast to {tuple(chosen.shape)} (images, tokens)"
            ) from None
    return values + sae.decode_change(new - own, values, latents).to(values)
