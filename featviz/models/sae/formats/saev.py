"""saev: a line of JSON, then a pickle of the state dict, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.loading.huggingface.json_config import JsonConfig
from featviz.models.sae.activation_functions import JumpReLU, ReLU, TopK
from featviz.models.sae.facts import Facts, checked_scale, checked_top_k
from featviz.models.sae.formats.files import Files
from featviz.models.sae.formats.state_dict import StateDict, read_state_dict
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights

LIBRARY = "saev"
_ACTIVATIONS = ("Relu", "TopK", "BatchTopK")
_NEWEST = 5
_LONGEST = 1 << 20
"""Bytes of a header that are read; a header has some hundred."""


def recognizes(files: Files) -> bool:
    """Return whether files are of this format.

    Parameters
    ----------
    files : Files
    """
    # Where a file of safetensors begins with this byte, its eighth is 0: the length of its header.
    return files.head[:1] == b"{" and files.head[7:8] not in (b"", b"\0")


def read(files: Files, facts: Facts) -> SparseAutoencoder:
    """Read a sparse autoencoder.

    Parameters
    ----------
    files : Files
        ``config.json`` of the training run next to the weights has the layer.
    facts : Facts
        ``subtract_decoder_bias`` is required for schema 1, and ``input_mean`` and ``input_scale``
        where the run's ``config.json`` says that its data loader applied them.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    FeatvizError
        If the files are damaged, or of an unknown schema.

    Source: ``saev.nn`` of saev 0.1.0, and ``saev.nn.modeling`` of later revisions, up to schema 5.
    """
    header, start = _header(files.weights)
    schema = header.get("schema")
    config, name, activation = _settings(header, schema)
    state = read_state_dict(files.weights, start)
    width = config.positive("d_model" if "d_model" in config.entries else "d_vit")
    latents = (
        config.positive("d_sae")
        if "d_sae" in config.entries
        else width * config.positive("exp_factor")
    )
    bias = state.take("b_dec", width)
    weights = Weights(
        state.take("W_enc", width, latents).T.contiguous(),
        state.take("b_enc", latents),
        state.take("W_dec", latents, width),
        bias,
        bias if _centered(schema, header, facts) else None,
    )
    function = _activation(name, activation, state, facts, latents)
    state.check_all_used(f"{LIBRARY} {name}")
    run = _run(files)
    weights = _fold_loader(weights, run, facts)
    layer = run.get("layer")
    is_block = type(layer) is int and layer >= 0
    origin = Origin(
        LIBRARY,
        facts.settle("architecture", name),
        str(files.weights),
        facts.settle("site", f"blocks.{layer}.resid_post" if is_block else None),
        tokens=_tokens(run.get("patches")),
    )
    return SparseAutoencoder(weights, function, origin)


def _header(path: Path) -> tuple[JsonConfig, int]:
    with path.open("rb") as file:
        line = file.readline(_LONGEST)
    try:
        entries = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FeatvizError(f"{path} is damaged: its first line is not JSON") from error
    if not isinstance(entries, dict):
        raise FeatvizError(f"{path} is damaged: its first line is not a JSON object")
    return JsonConfig(path, entries), len(line)


def _settings(header: JsonConfig, schema: object) -> tuple[JsonConfig, str, JsonConfig]:
    """Return the configuration, the name of the activation function, and its settings."""
    if schema is None:
        return header, "Relu", header
    if type(schema) is not int or not 1 <= schema <= _NEWEST:
        raise header.wrong("schema", f"a whole number up to {_NEWEST}")
    config = header.inside("cfg")
    name = header.get("cls")
    if schema == 1 and name in _ACTIVATIONS:
        if name == "BatchTopK":
            raise FeatvizError(
                f"{header.path} is BatchTopK of schema 1, whose latents depend on the batch"
            )
        return config, str(name), config.with_defaults({"top_k": 32})
    activation = config.inside("activation").with_defaults({"cls": "Relu"})
    if activation.get("cls") not in _ACTIVATIONS:
        raise activation.wrong("cls", f"one of {', '.join(_ACTIVATIONS)}")
    return config, str(activation.get("cls")), activation.inside("params")


def _centered(schema: object, header: JsonConfig, facts: Facts) -> bool:
    """Return whether the decoder bias is subtracted, as the revision did that wrote the file."""
    if schema is None:
        return bool(facts.settle("subtract_decoder_bias", True))
    if schema == 1 and header.get("cls") in _ACTIVATIONS:
        why = (
            "of the revisions that wrote schema 1, some subtract the decoder bias from the input "
            "and some do not (True or False)"
        )
        return bool(facts.require("subtract_decoder_bias", why))
    return bool(facts.settle("subtract_decoder_bias", False))


def _activation(
    name: str, settings: JsonConfig, state: StateDict, facts: Facts, latents: int
) -> nn.Module:
    if "activation.threshold" in state:
        threshold = state.take("activation.threshold")
        facts.settle("threshold", float(threshold))
        return JumpReLU(threshold.clamp(min=0))
    if name == "Relu":
        return ReLU()
    k = facts.settle("top_k", min(settings.positive("top_k"), latents))
    return TopK(checked_top_k(k, latents), keeps_negative=True)


def _run(files: Files) -> Mapping[str, Any]:
    """Return the settings of the data loader of the training run, if they are known."""
    if files.config is None:
        return {}
    return files.config.inside("train_data" if files.has("train_data") else "data").entries


def _fold_loader(weights: Weights, run: Mapping[str, Any], facts: Facts) -> Weights:
    """Fold in what the data loader does before the encoder: ``(inputs - mean) * scale``."""
    mean, scale = facts.settle("input_mean"), facts.settle("input_scale")
    why = "its data loader computed it from the activations, and config.json says that it did"
    if run.get("scale_mean"):
        mean = facts.require("input_mean", f"the mean of the activations, shape (width,); {why}")
    if run.get("scale_norm"):
        scale = facts.require("input_scale", f"1 / scalar of the data loader; {why}")
    if mean is None and scale is None:
        return weights
    scale = checked_scale(1 if scale is None else scale)
    return weights.fold_input(scale, None if mean is None else _mean(mean, weights.width))


def _mean(value: Any, width: int) -> Tensor:
    try:
        mean = torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise FeatvizError(f"input_mean must be {width} numbers") from error
    if mean.shape != (width,):
        raise FeatvizError(f"input_mean must have the shape ({width},), got {tuple(mean.shape)}")
    return mean


def _tokens(patches: object) -> Literal["cls", "patches"] | None:
    return "cls" if patches == "cls" else "patches" if patches == "patches" else None
