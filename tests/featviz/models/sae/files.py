"""Sparse autoencoders with random weights, in the formats of ViT-Prisma and saev."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

WIDTH, LATENTS, OUTPUTS = 8, 24, 5

State = dict[str, Tensor]


def inputs_of(seed: int = 0) -> Tensor:
    """Some activations, shape (tokens, width)."""
    return 1.5 * torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(seed)) + 0.5


def random_state(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> State:
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.6 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


STANDARD: dict[str, tuple[int, ...]] = {
    "W_enc": (WIDTH, LATENTS),
    "b_enc": (LATENTS,),
    "W_dec": (LATENTS, WIDTH),
    "b_dec": (WIDTH,),
}


def prisma_state(config: Mapping[str, Any]) -> State:
    shapes = dict(STANDARD)
    if config["architecture"] == "gated":
        shapes |= dict.fromkeys(("b_gate", "r_mag", "b_mag"), (LATENTS,))
    if config.get("is_transcoder"):
        shapes |= {"W_dec": (LATENTS, OUTPUTS), "b_dec_out": (OUTPUTS,)}
        if config["transcoder_with_skip_connection"]:
            shapes["W_skip"] = (OUTPUTS, WIDTH)
    return random_state(shapes)


def prisma_config(**changes: Any) -> dict[str, Any]:
    return {
        "architecture": "standard",
        "model_name": "open-clip:laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K",
        "hook_point_layer": 9,
        "layer_subtype": "hook_resid_post",
        "hook_point_head_index": None,
        "d_in": WIDTH,
        "d_sae": LATENTS,
        "d_out": OUTPUTS,
        "activation_fn_str": "relu",
        "activation_fn_kwargs": {},
        "normalize_activations": "layer_norm",
        "cls_token_only": False,
        "use_patches_only": False,
        "dtype": {"__type__": "torch.dtype", "value": "torch.float32"},
        **changes,
    }


def write_prisma(folder: Path, config: Mapping[str, Any], state: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(state, folder / "weights.pt")
    return folder


def write_saev(path: Path, header: object, state: Any) -> Path:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(json.dumps(header).encode() + b"\n" + buffer.getvalue())
    return path


def saev_header(schema: int, name: str, k: int = 4, **changes: Any) -> dict[str, Any]:
    """Return the header of schema 1, as its first revisions wrote it, or of schemas 2 to 5."""
    sizes = {"d_vit": WIDTH, "exp_factor": LATENTS // WIDTH}
    if schema == 1:
        return {"schema": 1, "cls": name, "cfg": {**sizes, "top_k": k}, "lib": "0.1.0"}
    if schema > 2:
        sizes = {"d_model": WIDTH, "d_sae": LATENTS}
    activation = {"cls": name, "params": {"top_k": k}}
    return {"schema": schema, "cfg": {**sizes, "activation": activation}, "lib": "0.1.0", **changes}


def write_random(folder: Path, width: int, layer: int, latents: int = 20, seed: int = 0) -> Path:
    """Write a gated one with a centered, layer-normalized input: what Prisma can have."""
    folder.mkdir()
    shapes: dict[str, tuple[int, ...]] = {
        "W_enc": (width, latents),
        "W_dec": (latents, width),
        "b_dec": (width,),
        **dict.fromkeys(("b_enc", "b_gate", "r_mag", "b_mag"), (latents,)),
    }
    sizes = {"d_in": width, "d_sae": latents, "d_out": width, "hook_point_layer": layer}
    config = prisma_config(architecture="gated", **sizes)
    return write_prisma(folder, config, random_state(shapes, seed))
