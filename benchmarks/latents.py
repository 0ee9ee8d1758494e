"""Compare poolings and objectives for pictures of latents of a sparse autoencoder.

``python -m benchmarks.latents`` prints one JSON line. A sample of the latents that fire on natural
images is rendered with each pooling and objective, from two seeds. What is reported does not depend
on the pooling: the strength of a latent on an image is its largest pre-activation on any token, and
all strengths are relative to that on the best natural image. ``picture`` is the strength on the
picture, ``held_out`` the mean strength on held-out augmentations
(`featviz.analysis.scores.held_out_views`), each with median and quartiles; ``beats`` is the share
of pictures above every natural image, with the 95 % interval for as many latents; ``rank`` is the
rank among all latents at the strongest token (1 is the largest); and ``agreement`` the Gram
similarity of the pictures of the first two seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

import featviz
from benchmarks.machine import describe
from featviz._util.images import from_uint8
from featviz.activations.site_values import change_values
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.tokens.gram_similarity import gram_similarity
from featviz.data.datasets import open_data
from featviz.models.hooks import eval_mode
from featviz.rendering.render import render

CONDITIONS = {
    "mean": ("", 0.0),
    "@max": ("@max", 0.0),
    "@cls": ("@cls", 0.0),
    "mean, cosine": ("", 1.0),
    "@max, cosine": ("@max", 1.0),
    "@cls, cosine": ("@cls", 1.0),
    "own token": (None, 0.0),
}
"""For each condition the end of the address and the power of the cosine. None is ``@cls`` for the
latents whose strongest token on natural images is a class token, and ``@max`` for the others."""
BATCH = 64


def streams(model: featviz.VisionModel, path: str, images: Tensor) -> Tensor:
    """Return the values of a site on images (N, 3, H, H), (N, tokens, width)."""
    found: list[Tensor] = []

    def observe(values: Tensor) -> Tensor:
        found.append(values.float())
        return values

    with eval_mode(model.module), torch.no_grad(), change_values(model, model.site(path), observe):
        for part in torch.split(images, BATCH):
            model(part.to(model.device))
    return torch.cat(found)


def natural(
    model: featviz.VisionModel, sae: featviz.SparseAutoencoder, site: str, data: str
) -> dict[str, Tensor]:
    """Return, for all latents, statistics of the images of a dataset.

    ``best`` (latents,) is the largest pre-activation on any token, ``on_class_token`` whether it is
    on the class token, and ``alive`` whether the latent fires on any token.
    """
    opened = open_data(data)
    best = torch.full((sae.latents,), -torch.inf, device=model.device)
    best_class = best.clone()
    alive = torch.zeros(sae.latents, dtype=torch.bool, device=model.device)
    indices = opened.indices()
    for start in range(0, len(indices), BATCH):
        images = opened.images(indices[start : start + BATCH], model.image_size)
        vectors = streams(model, site, images)
        before = sae.pre_activations(vectors)
        alive |= (sae.activation(before) > 0).flatten(0, 1).any(0)
        best = best.maximum(before.amax((0, 1)))
        best_class = best_class.maximum(before[:, 0].amax(0))
    return {"best": best, "on_class_token": best_class >= best, "alive": alive}


def wilson(share: float, count: int) -> list[float]:
    """Return the 95 % interval of a share of `count` latents (Wilson, 1927)."""
    z = 1.96
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return [round(float(center - half), 3), round(float(center + half), 3)]


def quartiles(values: Tensor) -> list[float]:
    """Return first quartile, median and third quartile."""
    found = np.quantile(values.cpu().numpy(), (0.25, 0.5, 0.75)).tolist()
    return [round(each, 3) for each in found]


def measure(
    model: featviz.VisionModel, name: str, site: str, latents: list[int], pictures: list[Tensor]
) -> dict[str, Tensor]:
    """Measure pictures (N, 3, H, H) of N latents, one list item for each seed."""
    sae = model.saes[name]
    rows = torch.arange(len(latents))
    columns = torch.tensor(latents)
    found: dict[str, list[Tensor]] = {"picture": [], "held_out": [], "rank": []}
    seen = []
    for images in pictures:
        seen.append(streams(model, site, images))
        before = sae.pre_activations(seen[-1])
        strength, token = before[rows, :, columns].max(1)
        found["picture"].append(strength)
        found["rank"].append((before[rows, token] > strength[:, None]).sum(1) + 1)
        views = [
            sae.pre_activations(streams(model, site, view))[rows, :, columns].amax(1)
            for view in held_out(images)
        ]
        found["held_out"].append(torch.stack(views).mean(0))
    result = {key: torch.stack(values) for key, values in found.items()}
    if len(seen) > 1:
        result["agreement"] = gram_similarity(seen[0], seen[1], model.site(site))
    return result


def summary(found: dict[str, Tensor], best: Tensor) -> dict[str, Any]:
    """Summarize measurements relative to the strengths on the best natural images."""
    picture, rank = found["picture"] / best, found["rank"]
    beats = float((picture > 1).float().mean())
    report = {
        "picture": quartiles(picture),
        "held_out": quartiles(found["held_out"] / best),
        "beats": round(beats, 3),
        "beats_interval": wilson(beats, len(best)),
        "rank": quartiles(rank.float()),
    }
    if "agreement" in found:
        report["agreement"] = quartiles(found["agreement"])
    return report


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cueworld/vit")
    parser.add_argument("--sae", default="cueworld/sae")
    parser.add_argument("--data", default="cueworld:1000")
    parser.add_argument("--latents", type=int, default=24, help="size of the sample")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    given = parser.parse_args()
    model = featviz.load(given.model, saes={"x": given.sae})
    sae = model.saes["x"]
    site = str(sae.site)
    known = natural(model, sae, site, given.data)
    alive = known["alive"].nonzero().flatten().tolist()
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(alive), generator=generator)[: given.latents]
    latents = sorted(alive[int(index)] for index in order)
    best = known["best"][latents]
    results = {}
    for condition in given.conditions:
        end, power = CONDITIONS[condition]
        own = ["@cls" if on_class_token else "@max" for on_class_token in known["on_class_token"]]
        addresses = [f"sae.x:{one}{own[one] if end is None else end}" for one in latents]
        start, pictures = time.perf_counter(), []
        for seed in range(given.seeds):
            made = render(model, addresses, steps=given.steps, cosine_power=power, seed=seed)
            pictures.append(from_uint8(made.images[:, 0]))
        seconds = time.perf_counter() - start
        measured = measure(model, "x", site, latents, pictures)
        results[condition] = {**summary(measured, best), "seconds": round(seconds, 1)}
    on_class_token = int(known["on_class_token"][alive].sum())
    counts = {"alive": len(alive), "on_class_token": on_class_token}
    report = {"benchmark": "latents", **vars(given), **counts}
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
