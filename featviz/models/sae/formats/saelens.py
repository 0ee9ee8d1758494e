"""SAELens: ``cfg.json`` and ``sae_weights.safetensors``."""

from __future__ import annotations

from typing import Any

from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.json_config import JsonConfig
from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.facts import Facts, checked_scale, checked_top_k
from featviz.models.sae.formats.files import Files
from featviz.models.sae.formats.state_dict import StateDict, read_state_dict
from featviz.models.sae.hook_names import site_of_hook
from featviz.models.sae.normalization import Normalization
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights, gated

LIBRARY = "SAELens"
_TRANSCODERS = (
    "transcoder",
    "skip_transcoder",
    "jumprelu_transcoder",
    "jumprelu_skip_transcoder",
)
_ARCHITECTURES = ("standard", "gated", "topk", "jumprelu", *_TRANSCODERS)
_TRAINING = ("batchtopk", "matryoshka_batchtopk")
_NORMALIZATIONS: dict[str, Normalization] = {
    "none": "none",
    "expected_average_only_in": "none",
    "constant_norm_rescale": "constant_norm",
    "layer_norm": "layer_norm",
}


def recognizes(files: Files) -> bool:
    """Return whether files are of this format.

    Parameters
    ----------
    files : Files
    """
    return files.config is not None and files.config.path.name == "cfg.json"


def read(files: Files, facts: Facts) -> SparseAutoencoder:
    """Read a sparse autoencoder or transcoder.

    Parameters
    ----------
    files : Files
    facts : Facts
        ``input_scale`` is required where ``normalize_activations`` is
        ``"expected_average_only_in"``.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    FeatvizError
        If the files are damaged, or the architecture or an option is not supported.

    Source: ``sae_lens.saes`` of SAELens 6, and its ``handle_pre_6_0_config`` for older files.
    """
    config = _config(files)
    architecture = _architecture(config)
    state = read_state_dict(files.weights)
    weights, activation = _network(config, architecture, state, facts)
    state.check_all_used(f"{LIBRARY} {architecture}")
    normalization = _normalization(config)
    if config.get("normalize_activations") == "expected_average_only_in":
        scale = facts.require(
            "input_scale",
            "activations are multiplied by sqrt(width) / their mean norm, or by 1 if that is "
            "folded into the weights",
        )
        weights = weights.fold_input(checked_scale(scale))
    site = None if _any(config, "hook_head_index") is not None else site_of_hook(_hook(config))
    origin = Origin(
        LIBRARY,
        facts.settle("architecture", architecture),
        str(files.weights),
        facts.settle("site", site),
        _text(_any(config, "model_name")),
    )
    # The output of a transcoder has another scale than its input.
    restores = architecture not in _TRANSCODERS
    return SparseAutoencoder(weights, activation, origin, normalization, restores)


def _network(
    config: JsonConfig, architecture: str, state: StateDict, facts: Facts
) -> tuple[Weights, nn.Module]:
    width, latents = config.positive("d_in"), config.positive("d_sae")
    is_transcoder = architecture in _TRANSCODERS
    outputs = config.positive("d_out") if is_transcoder else width
    decoder_bias = state.take("b_dec", outputs)
    centered = not is_transcoder and config.get("apply_b_dec_to_input") is not False
    has_skip = architecture in ("skip_transcoder", "jumprelu_skip_transcoder")
    weights = Weights(
        state.take("W_enc", width, latents).T.contiguous(),
        state.take("b_gate" if architecture == "gated" else "b_enc", latents),
        state.take("W_dec", latents, outputs),
        decoder_bias,
        decoder_bias if centered else None,
        state.take("W_skip", outputs, width) if has_skip else None,
    )
    if architecture == "gated":
        magnitude, bias = state.take("r_mag", latents), state.take("b_mag", latents)
        weights, thresholds = gated(weights, magnitude, bias)
        return weights, JumpReLU(thresholds)
    if "jumprelu" in architecture:
        return weights, JumpReLU(state.take("threshold", latents))
    if architecture == "topk":
        if config.get("rescale_acts_by_decoder_norm"):
            weights = weights.fold_decoder_norms()
        return weights, TopK(checked_top_k(facts.settle("top_k", config.positive("k")), latents))
    return weights, ReLU()


def _config(files: Files) -> JsonConfig:
    """Return the configuration, that of versions before 6 with the entries of version 6."""
    config = files.config
    if config is None:
        raise FeatvizError(f"{files.weights} has no cfg.json next to it")
    entries = dict(config.entries)
    name = entries.get("activation_fn_str", entries.get("activation_fn", "relu"))
    if name == "topk":
        entries["architecture"] = "topk"
        entries.setdefault("k", config.inside("activation_fn_kwargs").get("k"))
    elif name != "relu":
        raise config.wrong(
            "activation_fn_str" if "activation_fn_str" in entries else "activation_fn",
            "relu or topk",
        )
    normalized = entries.get("normalize_activations")
    if isinstance(normalized, bool) or normalized is None:
        entries["normalize_activations"] = "expected_average_only_in" if normalized else "none"
    return JsonConfig(config.path, entries)


def _architecture(config: JsonConfig) -> str:
    architecture = config.get("architecture") or "standard"
    if architecture in _TRAINING:
        raise FeatvizError(
            f"{config.path} is a training checkpoint of {architecture}, whose latents depend on "
            "the batch: save it with save_inference_model of SAELens"
        )
    if architecture not in _ARCHITECTURES:
        raise config.wrong("architecture", f"one of {', '.join(_ARCHITECTURES)}")
    return str(architecture)


def _normalization(config: JsonConfig) -> Normalization:
    name = config.get("normalize_activations")
    if not isinstance(name, str) or name not in _NORMALIZATIONS:
        right = f"one of {', '.join(_NORMALIZATIONS)}"
        if name == "covariance_whitening":
            right += "; fold_activation_whitening of SAELens folds it into the weights"
        raise config.wrong("normalize_activations", right)
    return _NORMALIZATIONS[name]


def _any(config: JsonConfig, key: str) -> Any:
    """Return an entry of the metadata, where version 6 has it, or of the configuration."""
    found = config.inside("metadata").get(key)
    return config.get(key) if found is None else found


def _hook(config: JsonConfig) -> Any:
    return _any(config, "hook_name") or _any(config, "hook_point")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
