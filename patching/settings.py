"""Names of the choices of a trace, for the command line; imports no PyTorch."""

from __future__ import annotations

SITES = (
    "attn_out",
    "mlp_out",
    "resid_pre",
    "resid_mid",
    "resid_post",
    "z",
    "q",
    "k",
    "v",
    "pattern",
    "mlp_act",
    "patch_embed",
    "pos_embed",
)
"""Activations that can be patched; see `patching.interventions.selection.SITES`."""

BY = ("layer", "head", "neuron", "token")
"""Units that may have a patch each; see `patching.interventions.selection.BY`."""

CORRUPTIONS = (
    "grayscale",
    "blur[:SIGMA]",
    "noise:AMOUNT",
    "embedding:AMOUNT",
    "silhouette",
    "shuffle",
    "occlude:SHARE",
    "swap",
)
"""Syntax of the corruptions; see `patching.interventions.corruptions.FORMS`."""

ABLATIONS = ("zero", "mean", "resample")
"""See `patching.interventions.donors.ABLATIONS`."""

METRICS = ("probability", "logit", "logit_difference", "kl")
"""See `patching.effects.metrics.METRICS`."""
