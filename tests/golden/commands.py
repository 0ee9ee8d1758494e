"""The command lines that made the golden stores, which the tests give again.

They run in a folder that holds what is in `inputs`, and name stores by bare names there. Everything
is on the CPU and in float32, so that any machine can give them.
"""

from __future__ import annotations

import shlex
from pathlib import Path

HERE = Path(__file__).parent
INPUTS = HERE / "inputs"
GOLDEN = HERE / "v0_1"

_SMALL = " --size 32 --steps 12 --precision float32 -o {store}"
_ONE = "render cueworld/vit blocks.9.mlp.fc1:2" + _SMALL
_TINY = " --size 24 --steps 12 --precision float32 -o {store}"
_TRACE = "trace cueworld/vit --layers 5-6 -o {store} "

UNITS = (
    "blocks.2.mlp.fc1:9@7 blocks.2.mlp.fc1:9@cls patch_embed:3 blocks.2.attn.qk:1@shift.1.-2 "
    "blocks.2.attn.qk_mode:0.1 blocks.3.mlp.fc2:probe.npy "
    "blocks.3.mlp.fc1:42+-0.5~blocks.3.mlp.fc1:7 head:5"
)
"""Every form of address."""

STORES: dict[str, tuple[str, ...]] = {
    # Pictures, two-sided ones, and all evidence about them. Neuron 12 is necessary and
    # sufficient for green.
    "evidence": (
        "render cueworld/vit blocks.11.mlp.fc1:0,12,29 blocks.5.attn.qk:0@same" + _SMALL,
        "render cueworld/vit blocks.5.attn.qk:0@same blocks.5.attn.qk:1@q20.k30 --sides" + _SMALL,
        "examples cueworld/vit --data cueworld:36 --images 12 --top 2 -o {store}",
        "validate {store} --data cueworld:558",
    ),
    "units": (f"render cueworld/vit {UNITS}" + _SMALL, "score {store}"),
    # One neuron by one recipe each.
    "samples": (_ONE + " --samples 2 --smoothness 0.001 --seed 2", "score {store} --seeds 2"),
    "seeded": (_ONE + " --seed 3",),
    "progressive": (_ONE + " --progressive 0.9", "score {store} --data cueworld:18"),
    "still": (_ONE + " --progressive 0",),
    "cosine": (_ONE + " --cosine 1",),
    "pixel": (_ONE + " --param pixel",),
    "maco": (_ONE + " --param maco",),
    "natural": (_ONE + " --param maco --spectrum cueworld:18",),
    "convolutional": (_ONE + " --preset cnn",),
    # Other families of models.
    "mixer": (
        "render cueworld/mixer blocks.3.mlp_tokens.fc1:5 blocks.5.mlp_channels.fc1:7@9" + _SMALL,
        "score {store}",
    ),
    "resnet": (
        "render cueworld/resnet layer2.0.conv1:12 conv1:3@30" + _SMALL,
        "score {store}",
    ),
    # Two models.
    "compare": (
        "compare cueworld/vit cueworld/resnet blocks.9.mlp.fc1:2 --data cueworld:18 --images 12 "
        "--steps 12 --size 32 -o {store}",
    ),
    # A vision transformer of 24 pixels: of results as large as its images.
    "attention": (
        "tokens ./model blocks.1.mlp.fc1:2@1,5" + _TINY,
        "attention ./model blocks.1.attn.qk:all --data cueworld:18 -o {store}",
        "gradients ./model blocks.1.attn.qk:0@q1.k5 blocks.0.attn.qk:1@same --image stripes.png "
        "-o {store}",
        "filters ./model -o {store}",
        "grid ./model blocks.1.attn.qk:2@q4.k0" + _TINY,
    ),
    # Patching.
    "trace": (_TRACE + "--data cueworld:9 --corrupt grayscale --window 1,3",),
    "heads": (_TRACE + "--data cueworld:4 --corrupt noise:0.2 --site head --by head --noising",),
    "places": (
        _TRACE + "--data cueworld:4 --corrupt swap --site resid --tokens class --tokens 0-3x2-5 "
        "--frozen-norms",
    ),
    "ablated": (_TRACE + "--data cueworld:4 --ablate mean --site mlp",),
    "donor": (
        "trace cueworld/vit_colourblind --data cueworld:4 --donor cueworld/vit --site neurons "
        "--by layer --all-images --layers 5-6 -o {store}",
    ),
}

READ = f"activations cueworld/vit {UNITS} --image stripes.png"
"""Also read from Python."""

PRINTED = (
    "units cueworld/vit",
    "units cueworld/mixer",
    "units cueworld/resnet",
    "units cueworld/vit blocks.2.attn.qk:0,1@q10,20.kcls blocks.3-4.mlp.fc1:0-2,9@cls",
    "modes cueworld/vit blocks.2.attn.qk_mode:all.0-1",
    READ,
    "activations cueworld/resnet layer3.0.conv1:1@7 --image stripes.png",
)
"""Commands that print JSON and store nothing."""

TRACES = ("trace", "heads", "places", "ablated", "donor")
"""Stores of `featviz trace`."""


def words(command: str, store: str | Path = "") -> list[str]:
    """Split a command line of `STORES` or `PRINTED`; it shall print JSON and run on the CPU."""
    parts = shlex.split(command.format(store=store))
    device = [] if parts[0] in {"info", "verify"} else ["--device", "cpu"]
    return [*parts, "--json", *device]
