"""`load_sae`: load a sparse autoencoder or transcoder of any library."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import Any

from torch import Tensor

from featviz import cueworld
from featviz._util.arguments import file_path, instance
from featviz._util.jsonable import to_jsonable
from featviz.models.sae.facts import Facts
from featviz.models.sae.formats import dictionary_learning, overcomplete, prisma, saelens, saev
from featviz.models.sae.formats.files import find_files
from featviz.models.sae.latent_sites import read_site
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.sites import Site
from featviz.models.vision_model import VisionModel

BUNDLED = "cueworld/sae"
"""Name of the bundled sparse autoencoder, of ``cueworld/vit``."""

_FORMATS = (saev, saelens, dictionary_learning, prisma)


def load_sae(
    path: str | PathLike[str],
    site: str | None = None,
    *,
    architecture: str | None = None,
    top_k: int | None = None,
    threshold: float | None = None,
    subtract_decoder_bias: bool | None = None,
    input_scale: float | None = None,
    input_mean: Any = None,
    dictionary_normalization: str | None = None,
) -> SparseAutoencoder:
    """Load a sparse autoencoder or transcoder that another library has saved.

    The library is recognized by the files: SAELens, ViT-Prisma, saev, dictionary_learning or
    Overcomplete. No code of a file runs: it has tensors only, or is refused. The latents equal
    those of the library.

    Parameters
    ----------
    path : str or path
        The folder with configuration and weights, or the file of the weights; or
        ``"cueworld/sae"``, the bundled one.
    site : str, optional
        The site whose vectors it reads, such as ``"blocks.9.resid_post"``; by default as the files
        say.
    architecture : str, optional
        Of Overcomplete: ``"relu"``, ``"topk"``, ``"batchtopk"`` or ``"jumprelu"``.
    top_k : int, optional
        Number of latents that are kept for each token, where the files lose it.
    threshold : float, optional
        The running threshold of batch top-k of Overcomplete.
    subtract_decoder_bias : bool, optional
        Whether the decoder bias is subtracted from the input, where files of saev do not say so.
    input_scale : float, optional
        Factor of the activations before the encoder, where the files say only that there is one.
    input_mean : array of float, shape (width,), optional
        Subtracted from the activations before that, in saev.
    dictionary_normalization : str, optional
        Of Overcomplete: ``"l2"``, ``"max_l2"``, ``"l1"``, ``"max_l1"`` or ``"identity"``.

    Returns
    -------
    SparseAutoencoder
        On the CPU, without gradients.

    Raises
    ------
    FeatvizError
        If the path has no sparse autoencoder of a known library, a file is damaged or has pickled
        code, its architecture is not supported, an argument contradicts the files, or a fact that
        they lack is not given.

    Examples
    --------
    >>> sae = load_sae("tests/oracles/sae/saelens/standard")
    >>> sae.site, sae.latents
    ('blocks.9.resid_post', 24)
    """
    where = file_path("path", path)
    bundled = where.as_posix() == BUNDLED
    files = find_files(cueworld.sae_folder() if bundled else where)
    if site is not None:
        instance("site", site, str, "the path of a site, such as 'blocks.9.resid_post'")
    given = {
        "architecture": architecture,
        "top_k": top_k,
        "threshold": threshold,
        "subtract_decoder_bias": subtract_decoder_bias,
        "input_scale": input_scale,
        "input_mean": input_mean,
        "dictionary_normalization": dictionary_normalization,
    }
    facts = Facts(files.weights, {"site": site, **given})
    found = next((each for each in _FORMATS if each.recognizes(files)), overcomplete)
    sae: SparseAutoencoder = found.read(files, facts)
    facts.check_all_used(found.LIBRARY)
    stored = {name: _jsonable(value) for name, value in given.items() if value is not None}
    name = BUNDLED if bundled else sae.origin.path
    sae.origin = replace(sae.origin, path=name, facts=stored)
    return sae


def _jsonable(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else to_jsonable(value)


def site_in(model: VisionModel, sae: SparseAutoencoder) -> Site:
    """Return the site of a model that a sparse autoencoder reads.

    Parameters
    ----------
    model : VisionModel
    sae : SparseAutoencoder

    Returns
    -------
    Site

    Raises
    ------
    FeatvizError
        If the site is unknown, the model does not have it, or its width is another one.
    """
    return read_site(model.sites, sae)
