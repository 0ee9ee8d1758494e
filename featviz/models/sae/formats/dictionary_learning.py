"""dictionary_learning: ``config.json`` and ``ae.pt``."""

from __future__ import annotations

import torch
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.json_config import JsonConfig
from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.facts import Facts, checked_top_k
from featviz.models.sae.formats.files import Files
from featviz.models.sae.formats.state_dict import StateDict, read_state_dict
from featviz.models.sae.hook_names import site_of_submodule
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights, gated

LIBRARY = "dictionary_learning"
_CENTERS = {
    "AutoEncoder": "bias",
    "GatedAutoEncoder": "decoder_bias",
    "AutoEncoderTopK": "b_dec",
    "BatchTopKSAE": "b_dec",
    "MatryoshkaBatchTopKSAE": "b_dec",
    "AutoEncoderNew": "decoder.bias",
    "JumpReluAutoEncoder": "b_dec",
}
"""Name of the decoder bias by class."""
_UNCENTERED = ("AutoEncoderNew", "JumpReluAutoEncoder")
_AS_MATRICES = ("JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE")
"""Classes that have matrices, not linear layers."""


def recognizes(files: Files) -> bool:
    """Return whether files are of this format.

    Parameters
    ----------
    files : Files
    """
    return files.has("trainer") or files.weights.name == "ae.pt"


def read(files: Files, facts: Facts) -> SparseAutoencoder:
    """Read a sparse autoencoder.

    Parameters
    ----------
    files : Files
    facts : Facts

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    FeatvizError
        If the files are damaged, or the class is not supported.

    Source: ``dictionary_learning.utils.load_dictionary`` of dictionary_learning 0.1.0, which gives
    the decoder of an ``AutoEncoder`` unit norms.
    """
    if files.config is None:
        raise FeatvizError(f"{files.weights} has no config.json next to it")
    trainer = files.config.inside("trainer")
    name = trainer.get("dict_class")
    if not isinstance(name, str) or name not in _CENTERS:
        raise trainer.wrong("dict_class", f"one of {', '.join(_CENTERS)}")
    state = read_state_dict(files.weights)
    weights = _weights(name, state)
    if trainer.get("activation_dim") not in (None, weights.width):
        raise trainer.wrong("activation_dim", f"the width of the encoder, {weights.width}")
    weights, activation = _activation(name, weights, trainer, state, facts)
    state.check_all_used(f"{LIBRARY} {name}")
    model = trainer.get("lm_name")
    origin = Origin(
        LIBRARY,
        facts.settle("architecture", name),
        str(files.weights),
        facts.settle("site", site_of_submodule(trainer.get("submodule_name"))),
        model if isinstance(model, str) else None,
    )
    return SparseAutoencoder(weights, activation, origin)


def _weights(name: str, state: StateDict) -> Weights:
    if name in _AS_MATRICES:
        encoder = state.take("W_enc", None, None).T.contiguous()
        decoder = state.take("W_dec", *encoder.shape)
        bias = state.take("b_enc", len(encoder))
    else:
        encoder = state.take("encoder.weight", None, None)
        decoder = state.take("decoder.weight", *reversed(encoder.shape)).T.contiguous()
        bias = state.take(
            "gate_bias" if name == "GatedAutoEncoder" else "encoder.bias", len(encoder)
        )
    decoder_bias = state.take(_CENTERS[name], encoder.shape[1])
    center = None if name in _UNCENTERED else decoder_bias
    weights = Weights(encoder, bias, decoder, decoder_bias, center)
    norms = decoder.norm(dim=1)
    if name == "AutoEncoder" and not torch.allclose(norms, torch.ones_like(norms)):
        return weights.fold_decoder_norms()
    return weights


def _activation(
    name: str, weights: Weights, trainer: JsonConfig, state: StateDict, facts: Facts
) -> tuple[Weights, nn.Module]:
    latents = len(weights.encoder)
    if name == "GatedAutoEncoder":
        magnitude, bias = state.take("r_mag", latents), state.take("mag_bias", latents)
        weights, thresholds = gated(weights, magnitude, bias)
        return weights, JumpReLU(thresholds)
    if name == "JumpReluAutoEncoder":
        return weights, JumpReLU(state.take("threshold", latents))
    if name == "AutoEncoderTopK":
        state.leave_out("threshold")  # for training only, unless a caller asks for it
        return weights, TopK(_top_k(trainer, state, facts, latents))
    if name in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
        state.leave_out("k", "group_sizes")
        return weights, JumpReLU(state.take("threshold"))
    return weights, ReLU()


def _top_k(trainer: JsonConfig, state: StateDict, facts: Facts, latents: int) -> int:
    stated = None if trainer.get("k") is None else trainer.positive("k")
    stored = state.whole_number("k") if "k" in state else stated
    if stated not in (None, stored):
        raise trainer.wrong("k", f"that of {state.path.name}, {stored}")
    k = facts.settle("top_k", stored)
    if k is None:
        k = facts.require("top_k", "the number of latents that are kept for each token")
    return checked_top_k(k, latents)
