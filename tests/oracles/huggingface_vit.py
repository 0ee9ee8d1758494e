"""Write the folder ``huggingface_vit``: two small ViTs of Hugging Face, and their logits.

The logits are computed by the transformers library (version 5.23.0 wrote the files in the
repository), so the tests do not need it. Run from the root of the repository, with it installed:

    python -m tests.oracles.huggingface_vit
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).with_suffix("")
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "usual": (
        {"hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20},
        {},
    ),
    "unusual": (
        {
            "hidden_size": 22,
            "num_attention_heads": 2,
            # ``int(22 * (15 / 22))``, as in timm, is 14.
            "intermediate_size": 15,
            "qkv_bias": False,
            "hidden_act": "gelu_new",
            "layer_norm_eps": 0.1,
            "id2label": {0: "stripe", 1: "dot", 2: "ring"},
        },
        {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]},
    ),
}


def main() -> None:
    """Write the folders."""
    library: Any = import_module("transformers")
    torch.manual_seed(1)
    for name, (options, pixels) in VARIANTS.items():
        config = library.ViTConfig(
            num_hidden_layers=2, image_size=24, patch_size=8, num_labels=3, **options
        )
        model = library.ViTForImageClassification(config).eval()
        for weight in model.parameters():
            # Includes biases and scales, whose initial zeros and ones would hide mistakes.
            torch.nn.init.normal_(weight, std=0.4)
        processor = library.ViTImageProcessor(do_resize=False, **pixels)
        images = torch.randint(256, (2, 3, 24, 24), dtype=torch.uint8)
        inputs = processor(images, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            logits = model(inputs).logits
        model.save_pretrained(FOLDER / name)
        processor.save_pretrained(FOLDER / name)
        save_file({"images": images, "logits": logits}, FOLDER / name / "expected.safetensors")


if __name__ == "__main__":
    main()
