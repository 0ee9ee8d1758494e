"""Names of hook points in TransformerLens, ViT-Prisma and dictionary_learning -> sites."""

from __future__ import annotations

import re

# Of TransformerLens and ViT-Prisma, inside ``blocks.N.``.
_SITES = {
    "hook_resid_pre": "resid_pre",
    "hook_resid_mid": "resid_mid",
    "hook_resid_post": "resid_post",
    "hook_attn_out": "attn_out",
    "hook_mlp_out": "mlp_out",
    "mlp.hook_post": "mlp_act",
    "attn.hook_q": "attn.q",
    "attn.hook_k": "attn.k",
    "attn.hook_v": "attn.v",
    "attn.hook_z": "attn.z",
}
_HOOK = re.compile(r"blocks\.(\d+)\.(.+)")
_SUBMODULE = re.compile(r"(resid_pre|resid_mid|resid_post|attn_out|mlp_out)_layer_(\d+)")


def site_of_hook(name: object) -> str | None:
    """Return the site of a hook point of TransformerLens or ViT-Prisma.

    Parameters
    ----------
    name : object
        Such as ``"blocks.9.hook_resid_post"``.

    Returns
    -------
    str or None
        Such as ``"blocks.9.resid_post"``. None if it is no hook point of a block with a site, such
        as the output of a normalization.
    """
    found = _HOOK.fullmatch(name) if isinstance(name, str) else None
    if found is None or found[2] not in _SITES:
        return None
    return f"blocks.{int(found[1])}.{_SITES[found[2]]}"


def site_of_submodule(name: object) -> str | None:
    """Return the site of a submodule as dictionary_learning names it.

    Parameters
    ----------
    name : object
        Such as ``"resid_post_layer_9"``.

    Returns
    -------
    str or None
        Such as ``"blocks.9.resid_post"``; None for any other name.
    """
    found = _SUBMODULE.fullmatch(name) if isinstance(name, str) else None
    return None if found is None else f"blocks.{int(found[2])}.{found[1]}"
