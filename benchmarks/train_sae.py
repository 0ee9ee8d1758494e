"""Train a sparse autoencoder on the tokens of a site, and save it in the format of SAELens.

``python -m benchmarks.train_sae -o sae`` trains the bundled ``cueworld/sae`` in a few minutes on
one core, and prints its quality on 1,000 images that are not trained on.

The latents are batch top-k: of all pre-activations of a batch the largest are kept, ``k`` per token
on average. The running mean of the smallest one that is kept becomes the threshold of the file,
with which the latents of a token do not depend on other tokens. Rows of the decoder have unit norm.
Latents that have not fired for some steps learn to reconstruct the residual.

Source: Bussmann et al., "BatchTopK Sparse Autoencoders", 2024, arXiv:2412.06410, for batch top-k
and the threshold; Gao et al., "Scaling and evaluating sparse autoencoders", 2024,
arXiv:2406.04093, for the auxiliary loss and the initialization; Bricken et al., "Towards
Monosemanticity", 2023, for the gradient of unit rows.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

import featviz
from featviz._util.jsonable import to_jsonable
from featviz.activations.site_values import change_values
from featviz.analysis.reconstruction.quality import BATCH, measure_quality
from featviz.data.datasets import Dataset, open_data
from featviz.models.hooks import eval_mode

HELD_OUT = 1000
DEAD_AFTER = 100
"""Steps without firing after which a latent takes part in the auxiliary loss."""
AUXILIARY = 1 / 32
"""Weight of the auxiliary loss, as in Gao et al."""
THRESHOLD_RATE = 0.01
"""Weight of a batch in the running mean of the threshold."""


def tokens_of(model: featviz.VisionModel, path: str, data: Dataset, indices: list[int]) -> Tensor:
    """Return the values of a site for all tokens of some images, (tokens, width)."""
    found: list[Tensor] = []

    def observe(values: Tensor) -> Tensor:
        found.append(values.flatten(0, 1).float().cpu())
        return values

    site, parts = model.site(path), range(0, len(indices), BATCH)
    with eval_mode(model.module), torch.no_grad(), change_values(model, site, observe):
        for start in parts:
            images = data.images(indices[start : start + BATCH], model.image_size)
            model(images.to(model.device))
    return torch.cat(found)


def train(
    tokens: Tensor, latents: int, k: int, steps: int, batch: int, rate: float, seed: int
) -> dict[str, Tensor]:
    """Train on tokens (tokens, width); return what SAELens saves of a JumpReLU.

    The learning rate of Adam falls to 0 over the last fifth of the steps.
    """
    generator = torch.Generator().manual_seed(seed)
    width = tokens.shape[1]
    scale = math.sqrt(width) / float(tokens.norm(dim=1).mean())
    decoder = F.normalize(torch.randn(latents, width, generator=generator), dim=1)
    encoder, bias, center = decoder.clone(), torch.zeros(latents), tokens.mean(0) * scale
    optimizer = torch.optim.Adam(
        [each.requires_grad_() for each in (encoder, decoder, bias, center)], rate
    )
    silent, threshold = torch.zeros(latents), 0.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, 5 * (1 - step / steps))
        rows = torch.randint(len(tokens), (batch,), generator=generator)
        inputs = tokens[rows] * scale
        values = F.relu(F.linear(inputs - center, encoder, bias))
        smallest = float(values.detach().flatten().topk(batch * k, sorted=False).values.min())
        kept = values * (values >= smallest)
        residual = inputs - (kept @ decoder + center)
        loss = residual.square().mean()
        silent = torch.where((kept > 0).any(0), 0, silent + 1)
        dead = silent > DEAD_AFTER
        if dead.any():
            largest, places = (values * dead).topk(min(int(dead.sum()), width // 2), dim=1)
            guess = torch.zeros_like(values).scatter(1, places, largest) @ decoder
            loss = loss + AUXILIARY * (residual.detach() - guess).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            gradient = decoder.grad
            assert gradient is not None
            gradient -= (gradient * decoder).sum(1, keepdim=True) * decoder
            optimizer.step()
            decoder /= decoder.norm(dim=1, keepdim=True)
        threshold += (THRESHOLD_RATE if step else 1.0) * (smallest - threshold)
    state = {"W_enc": encoder.T.contiguous(), "W_dec": decoder, "b_enc": bias / scale}
    state |= {"b_dec": center / scale, "threshold": torch.full((latents,), threshold / scale)}
    return {name: tensor.detach() for name, tensor in state.items()}


def count_pure(highest: Tensor, labels: Tensor, share: float = 0.9, least: int = 10) -> int:
    """Count latents that fire strongly on the images of one class.

    `highest` (images, latents) is the largest value of each latent on the tokens of an image. A
    latent fires strongly above half of its maximum over the images: weak values are common on all
    classes. It is pure if a `share` of these images, at least `least`, have one label.
    """
    strong = (highest > 0) & (highest > highest.amax(0) / 2)
    per_class = F.one_hot(labels).float().T @ strong.float()
    images = per_class.sum(0)
    return int(((images >= least) & (per_class.amax(0) >= share * images)).sum())


def main() -> None:
    """Train, save, and print the quality on held-out images."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="cueworld/vit")
    parser.add_argument("--arch", help="of a file of weights")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--site", default="blocks.8.resid_post")
    parser.add_argument("--data", default="cueworld:6000", help="1,000 images are held out")
    for name, default in {"latents": 512, "k": 8, "steps": 2500, "batch": 2048, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    model = featviz.load(given.model, arch=given.arch, image_size=given.image_size)
    data = open_data(given.data)
    held_out = data.indices(HELD_OUT)
    used = sorted(set(data.indices()) - set(held_out))
    tokens = tokens_of(model, given.site, data, used)
    sizes = given.latents, given.k, given.steps, given.batch
    state = train(tokens, *sizes, given.rate, given.seed)
    config = {
        "architecture": "jumprelu",
        "d_in": tokens.shape[1],
        "d_sae": given.latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "metadata": {
            "model_name": given.model,
            "hook_name": re.sub(r"\.(\w+)$", r".hook_\1", given.site),
        },
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "cfg.json").write_text(json.dumps(config, indent=2) + "\n")
    safetensors.torch.save_file(state, given.output / "sae_weights.safetensors")
    sae = featviz.load_sae(given.output).to(model.device)
    quality = to_jsonable(measure_quality(model, sae, data, HELD_OUT))
    seen = tokens_of(model, given.site, data, held_out).to(model.device)
    highest = sae.encode(seen).view(len(held_out), -1, sae.latents).amax(1).cpu()
    pure = count_pure(highest, torch.tensor(data.labels(held_out)))
    print(json.dumps({**vars(given), "output": str(given.output), "pure": pure, **quality}))


if __name__ == "__main__":
    main()
