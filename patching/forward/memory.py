"""How many patched runs travel at once."""

from __future__ import annotations

from torch import nn

from featviz._util.device_memory import MEMORY_SHARE, free_memory
from patching.forward.cache import ActivationCache
from patching.vit.residual_vit import ResidualViT

# Of these a few are alive at once: streams before and behind a sublayer, and what is in between.
STREAMS = 8
HIDDEN = 3
# More images at once than these are no faster; on a processor they leave its cache, and a sweep of
# 48 heads of cueworld/vit takes 2.35 s in portions of 192 images, 2.03 s of 64, and 1.89 s of 16.
ENOUGH = {"cpu": 16, "cuda": 2048}


def rows_that_fit(vit: ResidualViT, base: ActivationCache) -> int:
    """Estimate how many images of patched runs fit into a share of the memory that is free.

    Returns
    -------
    int
        At least 1.
    """
    stream = base.streams[0]
    widest = max(
        [layer.out_features for sublayer in vit.sublayers for layer in _linear(sublayer.core)],
        default=stream.shape[2],
    )
    numbers = vit.tokens * (STREAMS * stream.shape[2] + HIDDEN * widest)
    # Logits and patterns, where attention has to write them down.
    numbers += max(
        (2 * value[0].numel() for (kind, _), value in base.values.items() if kind == "pattern"),
        default=0,
    )
    fitting = int(MEMORY_SHARE * free_memory(stream.device)) // (numbers * stream.element_size())
    return max(1, min(fitting, ENOUGH.get(stream.device.type, ENOUGH["cpu"])))


def _linear(core: nn.Module) -> list[nn.Linear]:
    return [layer for layer in core.modules() if isinstance(layer, nn.Linear)]
