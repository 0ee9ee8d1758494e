"""Sites of latents: each sparse autoencoder of a model is a site after the one that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from featviz.errors import FeatvizError
from featviz.models.blocks.activations import OUTPUTS, STREAM
from featviz.models.loading.sae_files import LATENTS
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.sites import Site, Sites


def add_latents(sites: Sites, saes: Mapping[str, SparseAutoencoder]) -> Sites:
    """Add the latents of sparse autoencoders to the sites of a model.

    Parameters
    ----------
    sites : Sites
        Of the model alone.
    saes : mapping of str to SparseAutoencoder
        By name; the site of the latents is ``sae.NAME``.

    Returns
    -------
    Sites

    Raises
    ------
    FeatvizError
        If the model has such a site already; see also `read_site`.
    """
    latents: dict[str, list[Site]] = {}
    for name, sae in saes.items():
        path, read = f"{LATENTS}{name}", read_site(sites, sae)
        if path in sites:
            raise FeatvizError(f"the model has a site {path}; give the autoencoder another name")
        site = replace(
            read,
            path=path,
            width=sae.latents,
            kind="latents",
            source=None,
            sae=sae,
            read=read,
        )
        latents.setdefault(read.path, []).append(site)
    found: dict[str, Site] = {}
    for path, site in sites.items():
        found |= {each.path: each for each in (site, *latents.get(path, []))}
    return sites.with_found(found)


def read_site(sites: Sites, sae: SparseAutoencoder) -> Site:
    """Return the site that a sparse autoencoder reads.

    Parameters
    ----------
    sites : Sites
        Of the model.
    sae : SparseAutoencoder

    Returns
    -------
    Site

    Raises
    ------
    FeatvizError
        If the site is unknown, the model does not have it, or its width is another one.
    """
    path = sae.origin.path
    if sae.site is None:
        raise FeatvizError(
            f"{path} does not say which site it reads: pass site='blocks.N.resid_post', or --sae "
            "NAME=PATH@blocks.N.resid_post"
        )
    site = sites[sae.site]
    if site.kind not in ("layer", "activation"):
        raise FeatvizError(f"{path} cannot read {site.path}, which has no vectors of the model")
    if site.width != sae.width:
        raise FeatvizError(
            f"{path} reads vectors of width {sae.width}; {site.path} has width {site.width}"
        )
    return site


def written_activation(site: Site) -> Site:
    """Return the activation that latents read, and to which they also write.

    Parameters
    ----------
    site : Site
        Of kind ``"latents"``.

    Returns
    -------
    Site
        The residual stream, or what an attention or an MLP adds to it.

    Raises
    ------
    FeatvizError
        If the latents are those of a transcoder, or of another activation.
    """
    if site.sae is None or site.read is None:
        raise ValueError(f"{site.path} has no latents")
    if site.sae.is_transcoder:
        raise FeatvizError(
            f"{site.path} is a transcoder, whose output is not the {site.read.path} it reads"
        )
    name = site.read.path.rpartition(".")[2]
    if site.read.kind != "activation" or name not in (*STREAM, *OUTPUTS):
        raise FeatvizError(
            f"{site.path} reads {site.read.path}, which is neither the residual stream nor added "
            f"to it ({', '.join((*STREAM, *OUTPUTS))})"
        )
    return site.read
