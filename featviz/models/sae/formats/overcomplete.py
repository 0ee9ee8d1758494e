"""Overcomplete: a state dict, which has neither the class nor its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from featviz._util.arguments import choice, real_number
from featviz.errors import FeatvizError
from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.facts import Facts, checked_top_k
from featviz.models.sae.formats.files import Files
from featviz.models.sae.formats.state_dict import StateDict, read_state_dict
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights

LIBRARY = "Overcomplete"
_ARCHITECTURES = ("relu", "topk", "batchtopk", "jumprelu")
_BATCH_NORM_EPSILON = 1e-5
_UNIT_NORM = 0.1
"""Largest difference of a norm from 1 that the last step of a training explains."""

_NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "l2": lambda rows: rows / (rows.norm(dim=1, keepdim=True) + 1e-8),
    "max_l2": lambda rows: rows / rows.norm(dim=1).max(),
    "l1": lambda rows: rows / (rows.norm(p=1, dim=1, keepdim=True) + 1e-8),
    "max_l1": lambda rows: rows / rows.norm(p=1, dim=1).max(),
    "identity": lambda rows: rows,
}


def read(files: Files, facts: Facts) -> SparseAutoencoder:
    """Read a sparse autoencoder.

    Parameters
    ----------
    files : Files
    facts : Facts
        ``architecture`` is required, except for JumpReLU; ``top_k`` for top-k; ``threshold`` for
        batch top-k; ``dictionary_normalization`` unless the rows of the dictionary have unit norm.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    FeatvizError
        If the file is damaged, or its encoder is not a linear layer.

    Source: ``overcomplete.sae`` of Overcomplete 0.3.0.
    """
    state = read_state_dict(files.weights)
    decoder = _dictionary(state, facts)
    encoder = _encoder(state, decoder)
    latents, width = encoder.encoder.shape
    weights = replace(encoder, decoder=decoder, decoder_bias=decoder.new_zeros(width))
    architecture, activation = _activation(state, facts, latents)
    state.check_all_used(f"{LIBRARY} {architecture}")
    origin = Origin(LIBRARY, architecture, str(files.weights), facts.settle("site"))
    return SparseAutoencoder(weights, activation, origin)


def _dictionary(state: StateDict, facts: Facts) -> Tensor:
    if "dictionary.Relax" in state:
        raise FeatvizError(
            f"{state.path} has a relaxed archetypal dictionary, whose delta a state dict loses; "
            "save it as a plain one: sae.eval(); state = {k: v for k, v in sae.state_dict().items()"
            " if 'dictionary' not in k}; torch.save({**state, 'dictionary._weights': "
            "sae.get_dictionary().data, 'dictionary.multiplier': torch.zeros(())}, 'state.pt')"
        )
    rows = state.take("dictionary._weights", None, None)
    norms = rows.norm(dim=1)
    is_unit = bool(((norms - 1).abs() <= _UNIT_NORM).all())
    name = facts.settle("dictionary_normalization")
    if name is None and not is_unit:
        name = facts.require(
            "dictionary_normalization",
            "the rows of its dictionary do not have unit norm, so that it is not l2 "
            f"({', '.join(_NORMALIZATIONS)})",
        )
    name = choice("dictionary_normalization", name or "l2", _NORMALIZATIONS)
    return _NORMALIZATIONS[name](rows) * torch.exp(state.take("dictionary.multiplier"))


def _encoder(state: StateDict, decoder: Tensor) -> Weights:
    """Return weights that have the encoder, and no more."""
    latents, width = decoder.shape
    zeros = decoder.new_zeros(latents)
    if "encoder.tied_to._weights" in state:
        state.leave_out("encoder.tied_to._weights", "encoder.tied_to.multiplier")
        bias = state.take("encoder.bias", latents) if "encoder.bias" in state else zeros
        return Weights(decoder, bias, decoder, zeros)
    if "encoder.weight" in state:
        bias = state.take("encoder.bias", latents) if "encoder.bias" in state else zeros
        return Weights(state.take("encoder.weight", latents, width), bias, decoder, zeros)
    layer = "encoder.final_block"
    has_norm, is_batch_norm = f"{layer}.1.weight" in state, f"{layer}.1.running_var" in state
    if f"{layer}.0.weight" not in state or (has_norm and not is_batch_norm):
        raise FeatvizError(
            f"{state.path}: its encoder is not a linear layer, so that a latent has no row of "
            "its own (matching pursuit, MLP, attention or LayerNorm of the latents)"
        )
    encoder = Weights(
        state.take(f"{layer}.0.weight", latents, width),
        state.take(f"{layer}.0.bias", latents),
        decoder,
        zeros,
    )
    return _fold_batch_norm(encoder, state, f"{layer}.1") if is_batch_norm else encoder


def _fold_batch_norm(weights: Weights, state: StateDict, name: str) -> Weights:
    """Fold a batch norm of the latents, as it is in evaluation mode, into the encoder."""
    latents = len(weights.encoder)
    deviation = torch.sqrt(state.take(f"{name}.running_var", latents) + _BATCH_NORM_EPSILON)
    scale = state.take(f"{name}.weight", latents) / deviation
    shift = state.take(f"{name}.bias", latents)
    mean = state.take(f"{name}.running_mean", latents)
    state.leave_out(f"{name}.num_batches_tracked")
    return replace(
        weights,
        encoder=weights.encoder * scale[:, None],
        encoder_bias=(weights.encoder_bias - mean) * scale + shift,
    )


def _activation(state: StateDict, facts: Facts, latents: int) -> tuple[str, nn.Module]:
    if "Q" in state:
        raise FeatvizError(f"{state.path} is a QSAE, whose latents are quantized: not supported")
    if "thresholds" in state:
        facts.settle("architecture", "jumprelu")
        return "jumprelu", JumpReLU(torch.exp(state.take("thresholds", latents)))
    name = facts.require("architecture", f"a state dict loses it ({', '.join(_ARCHITECTURES)})")
    name = choice("architecture", name, _ARCHITECTURES)
    if name == "jumprelu":
        raise FeatvizError(f"{state.path} has no thresholds, so its architecture is not jumprelu")
    if name == "topk":
        k = facts.require("top_k", "a state dict loses it; it is sae.top_k")
        return name, TopK(checked_top_k(k, latents))
    if name == "batchtopk":
        threshold = facts.require("threshold", "a state dict loses it; it is sae.running_threshold")
        value = torch.tensor(real_number("threshold", threshold), dtype=torch.float32)
        # The library keeps latents at the threshold too.
        return name, JumpReLU(torch.nextafter(value, torch.tensor(-torch.inf)))
    return name, ReLU()
