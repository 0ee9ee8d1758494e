"""Whether rendered images of attention heads exceed the logits of natural images.

``python -m benchmarks.heads`` prints one JSON line. For each head of ``cueworld/vit`` it compares
the mean logit of patches with themselves on the best of 2,000 natural images, on the best of their
4,000,000 pairs (query from one image, key from another), and on rendered images: one for both
sides, and separate ones for query and key.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import torch
from torch import Tensor

import featviz
from benchmarks.machine import describe
from featviz.data.datasets import open_data
from featviz.models.attention import heads_of
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel

MODEL = "cueworld/vit"


def queries_and_keys(model: VisionModel, path: str, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return scaled queries, and keys, (heads, N, patches * head_dim) of an attention module.

    They are split from the output of its ``qkv`` layer, independently of featviz's readout.
    """
    attention = model.module.get_submodule(path)
    heads = heads_of(attention)
    if heads is None:
        raise ValueError(f"{path} has no heads")
    outputs: list[Tensor] = []
    hook = attention.get_submodule("qkv").register_forward_hook(lambda *a: outputs.append(a[2]))
    with eval_mode(model.module), torch.no_grad():
        model.module(model.normalize(images))
    hook.remove()
    parts = outputs[0].reshape(*outputs[0].shape[:2], 3, heads.count, -1)
    parts = parts[:, model.prefix_tokens :]
    query, key, _ = parts.permute(2, 3, 0, 1, 4).flatten(3).unbind()
    return query * heads.scale / parts.shape[1], key


def best_natural(
    model: VisionModel, path: str, batches: list[Tensor]
) -> Iterator[tuple[float, float]]:
    """Yield the highest mean logit on one image, and on any pair of images, for each head."""
    both = [queries_and_keys(model, path, images) for images in batches]
    queries, keys = (torch.cat(side, 1) for side in zip(*both, strict=True))
    for query, key in zip(queries, keys, strict=True):
        values = query @ key.T
        yield float(values.diagonal().max()), float(values.max())


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=512)
    arguments = parser.parse_args()
    model = featviz.load(MODEL, device="cpu")
    data = open_data(f"cueworld:{arguments.images}")
    batches = [images for images, _ in data.batches(model.image_size)]
    units = featviz.units(model, "blocks.all.attn.qk:all@same")
    paths = dict.fromkeys(unit.site.removesuffix(".qk") for unit in units)
    best = [pair for path in paths for pair in best_natural(model, path, batches)]
    reached = {
        name: featviz.render(model, units, steps=arguments.steps, split_qk=name == "two")
        .activation[:, 0]
        .tolist()
        for name in ("one", "two")
    }
    beaten = {
        "one": [value > image for value, (image, _) in zip(reached["one"], best, strict=True)],
        "two": [value > pair for value, (_, pair) in zip(reached["two"], best, strict=True)],
    }
    rows = [
        [str(unit), *pair, one, two]
        for unit, pair, one, two in zip(units, best, reached["one"], reached["two"], strict=True)
    ]
    shares = {name: sum(won) / len(won) for name, won in beaten.items()}
    print(
        json.dumps(
            {
                "benchmark": "heads",
                "machine": describe(),
                "steps": arguments.steps,
                "images": len(data),
                "share_of_heads_that_beat_the_best_image": shares["one"],
                "share_of_heads_whose_sides_beat_the_best_pair": shares["two"],
                "columns": ["unit", "best image", "best pair", "one picture", "two sides"],
                "heads": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
