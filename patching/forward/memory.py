"""Batch size of patched forward passes, from the free memory."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from featviz._util.device_memory import MEMORY_SHARE, free_memory
from featviz.models.vision_model import VisionModel
from patching.forward.cache import ActivationCache
from patching.vit.residual_vit import ResidualViT

# Upper bounds of what is alive at once: streams before and after a sublayer and their temporaries,
# and activations as wide as the widest layer.
STREAMS = 8
HIDDEN = 3
# Larger batches are no faster; on a CPU they exceed its cache. A sweep of the 48 heads of
# cueworld/vit takes 2.35 s in batches of 192 images, 2.03 s of 64, and 1.89 s of 16.
MAX_ROWS = {"cpu": 16, "cuda": 2048}


def rows_that_fit(vit: ResidualViT, base: ActivationCache) -> int:
    """Estimate the batch size of patched forward passes that fits a share of the free memory.

    Parameters
    ----------
    vit : ResidualViT
    base : ActivationCache
        The run that is patched.

    Returns
    -------
    int
        Number of images, at least 1.
    """
    patterns = (value for (kind, _), value in base.values.items() if kind == "pattern")
    # Attention logits and patterns, where patches of the pattern make attention store them.
    extra = max((2 * value[0].numel() for value in patterns), default=0)
    return images_that_fit(vit, base.streams[0], extra)


def images_that_fit(vit: ResidualViT, stream: Tensor, extra: int = 0) -> int:
    """Estimate the batch size of forward passes that fits a share of the free memory.

    Parameters
    ----------
    vit : ResidualViT
    stream : Tensor, shape (N, T, C)
        A residual stream of the data type, and on the device, of the forward passes.
    extra : int
        Further numbers that are stored for each image.

    Returns
    -------
    int
        Number of images, at least 1.
    """
    widest = max(
        [layer.out_features for sublayer in vit.sublayers for layer in _linear(sublayer.core)],
        default=stream.shape[2],
    )
    per_image = vit.tokens * (STREAMS * stream.shape[2] + HIDDEN * widest) + extra
    fitting = int(MEMORY_SHARE * free_memory(stream.device)) // (per_image * stream.element_size())
    return max(1, min(fitting, MAX_ROWS.get(stream.device.type, MAX_ROWS["cpu"])))


def _linear(core: nn.Module) -> list[nn.Linear]:
    return [layer for layer in core.modules() if isinstance(layer, nn.Linear)]


BATCH = {"cpu": 16, "cuda": 128}
"""Number of images whose unpatched runs are cached at once."""


def batches(model: VisionModel, indices: Sequence[int]) -> list[Sequence[int]]:
    """Split images into batches of the size for a model's device; see `BATCH`.

    Parameters
    ----------
    model : VisionModel
    indices : sequence of int

    Returns
    -------
    list of sequence of int
    """
    size = BATCH.get(model.device.type, BATCH["cpu"])
    return [indices[start : start + size] for start in range(0, len(indices), size)]
