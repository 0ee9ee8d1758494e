"""What the families share: arguments from a configuration, and names of the blocks' parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.huggingface.json_config import JsonConfig

Built = tuple[nn.Module, State]
"""A module of timm with any weights, and the weights of the folder under its names."""

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Hugging Face's name of an activation -> timm's."""

_BLOCKS = {
    r"^(encoder\.|model\.)?layers?\.": "blocks.",
    r"\.(attention\.attention|attention|self_attn)\.(query|q_proj)\.": ".attn.q.",
    r"\.(attention\.attention|attention|self_attn)\.(key|k_proj)\.": ".attn.k.",
    r"\.(attention\.attention|attention|self_attn)\.(value|v_proj)\.": ".attn.v.",
    r"\.(attention\.output\.dense|attention\.o_proj|self_attn\.out_proj)\.": ".attn.proj.",
    r"\.(layernorm_before|layer_norm1)\.": ".norm1.",
    r"\.(layernorm_after|layer_norm2)\.": ".norm2.",
    r"\.intermediate\.dense\.": ".mlp.fc1.",
    r"^(blocks\.\d+)\.output\.dense\.": r"\1.mlp.fc2.",
    r"\.layer_scale([12])\.lambda1$": r".ls\1.gamma",
}
"""Parts of the names of a block's parameters in transformers 4 and 5 -> timm's."""


def shared_arguments(config: JsonConfig) -> dict[str, Any]:
    """Return the arguments of timm's modules that are the same for all families.

    Parameters
    ----------
    config : JsonConfig
        With the defaults of its family. A side that is not a multiple of the patch is reduced to
        the pixels that patches cover, as the original leaves out the others.

    Returns
    -------
    dict
        ``img_size``, ``patch_size``, ``embed_dim``, ``depth`` and ``num_heads``, for RGB images.

    Raises
    ------
    FeatvizError
        If an entry is invalid, or the model does not take square RGB images.
    """
    if config.get("num_channels") not in (None, 3):
        raise config.wrong("num_channels", "3: featviz needs a model of RGB images")
    width, heads = config.positive("hidden_size"), config.positive("num_attention_heads")
    if width % heads:
        raise config.wrong("num_attention_heads", f"a divisor of hidden_size {width}")
    side, patch = config.side("image_size"), config.side("patch_size")
    if patch > side:
        raise config.wrong("patch_size", f"at most the image_size {side}")
    return {
        "img_size": side - side % patch,
        "patch_size": patch,
        "embed_dim": width,
        "depth": config.positive("num_hidden_layers"),
        "num_heads": heads,
    }


def vit_arguments(config: JsonConfig, hidden: int | None = None) -> dict[str, Any]:
    """Return the arguments of timm's ``VisionTransformer`` that most families share.

    Parameters
    ----------
    config : JsonConfig
        With the defaults of its family.
    hidden : int, optional
        Number of hidden units of an MLP; by default the entry ``intermediate_size``.

    Returns
    -------
    dict
        `shared_arguments`, ``mlp_ratio``, ``act_layer`` and ``norm_layer``.

    Raises
    ------
    FeatvizError
        If an entry is invalid.
    """
    arguments = shared_arguments(config)
    hidden = config.positive("intermediate_size") if hidden is None else hidden
    return {
        **arguments,
        "mlp_ratio": mlp_ratio(hidden, arguments["embed_dim"]),
        "act_layer": _activation(config),
        "norm_layer": layer_norm(config),
    }


def mlp_ratio(hidden: int, width: int) -> float:
    """Return the ratio from which timm computes a number of hidden units.

    Parameters
    ----------
    hidden : int
        Number of hidden units.
    width : int
        Number of channels.

    Returns
    -------
    float
        Such that ``int(width * ratio)`` is `hidden` in spite of rounding.
    """
    return (hidden + 0.5) / width


def layer_norm(config: JsonConfig) -> partial[nn.LayerNorm]:
    """Return the layer norm of a configuration.

    Parameters
    ----------
    config : JsonConfig
        With ``layer_norm_eps``.

    Returns
    -------
    callable
        Takes the number of channels.

    Raises
    ------
    FeatvizError
        If the entry is not a number >= 0.
    """
    return partial(nn.LayerNorm, eps=config.number("layer_norm_eps"))


def require(config: JsonConfig, key: str, right: Any) -> None:
    """Check an entry whose other values timm's module cannot represent.

    Parameters
    ----------
    config : JsonConfig
    key : str
    right : object
        The only value that it can represent.

    Raises
    ------
    FeatvizError
        If the entry has another value.
    """
    if config.get(key) != right:
        raise config.wrong(key, f"{right!r}, the only one that timm's module has")


def rename(state: Mapping[str, Tensor], prefix: str, names: Mapping[str, str]) -> State:
    """Rename the parameters as timm does, and stack queries, keys and values.

    Parameters
    ----------
    state : dict of str to Tensor
        Under names of transformers 4 or 5.
    prefix : str
        Left out at the start of names.
    names : dict of str to str
        Regular expressions of names outside the blocks, and what replaces them. An empty text
        leaves out the tensor.

    Returns
    -------
    dict of str to Tensor
    """
    renamed: State = {}
    for name, part in state.items():
        new = name.removeprefix(prefix)
        for pattern, replacement in (*names.items(), *_BLOCKS.items()):
            new = re.sub(pattern, replacement, new)
            if not new:
                break
        else:
            renamed[new] = part
    for name in [name for name in renamed if ".attn.q." in name]:
        stack(
            renamed,
            [name.replace(".q.", f".{part}.") for part in "qkv"],
            name.replace(".q.", ".qkv."),
        )
    return renamed


def stack(state: State, parts: Iterable[str], whole: str) -> None:
    """Replace tensors by one, along their first axis, in place.

    If one is missing or has another shape, the names stay, so that the error names them.

    Parameters
    ----------
    state : dict of str to Tensor
    parts : iterable of str
        Names, in order.
    whole : str
        Name of the result.
    """
    names = list(parts)
    shapes = {state[name].shape if name in state else None for name in names}
    if len(shapes) == 1 and None not in shapes:
        state[whole] = torch.cat([state.pop(name) for name in names])


def _activation(config: JsonConfig) -> str:
    name = config.get("hidden_act")
    if name not in _ACTIVATIONS:
        raise config.wrong("hidden_act", f"one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]
