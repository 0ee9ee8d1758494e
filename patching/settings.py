"""Names of the sites, units, corruptions, ablations and metrics of a sweep; imports no PyTorch."""

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
"""Activations that can be patched; see `patching.interventions.selection.Selection`."""

BY = ("layer", "head", "neuron", "latent", "token")
"""Units that may have a patch each."""

CORRUPTIONS = (
    "grayscale",
    "blur[:SIGMA]",
    "noise:AMOUNT",
    "embedding:AMOUNT",
    "silhouette",
    "mask[:DIR[:FILL]]",
    "background[:DIR[:FILL]]",
    "shuffle",
    "occlude:SHARE",
    "cue:NAME",
    "word:TEXT",
    "swap",
)
"""Syntax of the corruptions; see `patching.interventions.corruptions.corruption`."""

ABLATIONS = ("zero", "mean", "resample")
"""Ways to ablate an activation; ``resample`` replaces it by that of another image."""

METRICS = ("probability", "logit", "logit_difference", "kl")
"""Metrics of a run of a classifier; see `patching.effects.metrics.measure`."""

FLAT_METRICS = ("kl", "cosine")
"""Metrics of the distance to the clean run, whose gradient is 0 there."""

EMBEDDING_METRICS = ("cosine", "projection")
"""Metrics of a run whose output is an embedding, which need no labels."""
