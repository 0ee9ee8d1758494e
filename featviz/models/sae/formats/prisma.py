"""ViT-Prisma: ``config.json`` and ``weights.pt``."""

from __future__ import annotations

from typing import Literal

from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.json_config import JsonConfig
from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.facts import Facts, checked_top_k
from featviz.models.sae.formats.files import Files
from featviz.models.sae.formats.state_dict import StateDict, read_state_dict
from featviz.models.sae.hook_names import site_of_hook
from featviz.models.sae.normalization import Normalization
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights, gated

LIBRARY = "ViT-Prisma"
_NORMALIZATIONS: dict[str | None, Normalization] = {
    None: "none",
    "none": "none",
    "constant_norm_rescale": "constant_norm",
    "layer_norm": "layer_norm",
}
# What the library takes for entries that a file lacks.
_DEFAULTS = {
    "architecture": "standard",
    "activation_fn_str": "relu",
    "normalize_activations": "layer_norm",
}


def recognizes(files: Files) -> bool:
    """Return whether files are of this format.

    Parameters
    ----------
    files : Files
    """
    return files.has("hook_point_layer") or files.has("activation_fn_str")


def read(files: Files, facts: Facts) -> SparseAutoencoder:
    """Read a sparse autoencoder or transcoder.

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
        If the files are damaged, or the architecture or an option is not supported.

    Source: ``vit_prisma.sae.sae`` and ``vit_prisma.transcoders`` of ViT-Prisma 2.
    """
    if files.config is None:
        raise FeatvizError(f"{files.weights} has no config.json next to it")
    config = files.config.with_defaults(_DEFAULTS)
    architecture = "transcoder" if config.get("is_transcoder") else config.get("architecture")
    if architecture not in ("standard", "gated", "transcoder"):
        raise config.wrong("architecture", "standard or gated")
    state = read_state_dict(files.weights)
    weights = _weights(config, architecture, state)
    weights, activation = _activation(config, architecture, weights, state, facts)
    state.check_all_used(f"{LIBRARY} {architecture}")
    origin = Origin(
        LIBRARY,
        facts.settle("architecture", architecture),
        str(files.weights),
        facts.settle("site", _site(config)),
        config.get("model_name") if isinstance(config.get("model_name"), str) else None,
        _tokens(config),
    )
    return SparseAutoencoder(weights, activation, origin, _normalization(config))


def _weights(config: JsonConfig, architecture: str, state: StateDict) -> Weights:
    width = config.positive("d_in")
    encoder = state.take("W_enc", width, None).T.contiguous()
    latents, center = len(encoder), state.take("b_dec", width)
    if config.get("d_sae") is not None and config.positive("d_sae") != latents:
        raise config.wrong("d_sae", f"the number of columns of W_enc, {latents}")
    outputs, decoder_bias, skip = width, center, None
    if architecture == "transcoder":
        outputs = config.positive("d_out")
        decoder_bias = state.take("b_dec_out", outputs)
        if config.get("transcoder_with_skip_connection"):
            skip = state.take("W_skip", outputs, width)
    bias = state.take("b_gate" if architecture == "gated" else "b_enc", latents)
    decoder = state.take("W_dec", latents, outputs)
    return Weights(encoder, bias, decoder, decoder_bias, center, skip)


def _activation(
    config: JsonConfig, architecture: str, weights: Weights, state: StateDict, facts: Facts
) -> tuple[Weights, nn.Module]:
    name, latents = config.get("activation_fn_str"), len(weights.encoder)
    if architecture == "gated":
        if name != "relu":
            raise config.wrong("activation_fn_str", "relu, the one that is supported if gated")
        state.leave_out("b_enc")  # which the library has, and does not read
        magnitude, bias = state.take("r_mag", latents), state.take("b_mag", latents)
        weights, thresholds = gated(weights, magnitude, bias)
        return weights, JumpReLU(thresholds)
    if name == "topk":
        k = config.inside("activation_fn_kwargs").positive("k")
        return weights, TopK(checked_top_k(facts.settle("top_k", k), latents))
    if name != "relu":
        raise config.wrong("activation_fn_str", "relu or topk")
    return weights, ReLU()


def _normalization(config: JsonConfig) -> Normalization:
    name = config.get("normalize_activations")
    if isinstance(name, list | dict) or name not in _NORMALIZATIONS:
        right = ", ".join(each for each in _NORMALIZATIONS if each)
        raise config.wrong("normalize_activations", f"one of {right}")
    return _NORMALIZATIONS[name]


def _site(config: JsonConfig) -> str | None:
    if config.get("hook_point_head_index") is not None:
        return None
    layer = config.get("hook_point_layer")
    if isinstance(layer, list) and len(layer) == 1:
        layer = layer[0]
    return site_of_hook(f"blocks.{layer}.{config.get('layer_subtype')}")


def _tokens(config: JsonConfig) -> Literal["cls", "patches"] | None:
    if config.get("cls_token_only"):
        return "cls"
    return "patches" if config.get("use_patches_only") else None
