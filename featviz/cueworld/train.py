"""Train a model on cueworld and report its accuracy with each cue removed.

The bundled weights come from these runs, about a minute each on a CUDA device::

    python -m featviz.cueworld.train --arch vit --steps 6000 --out vit.safetensors
    python -m featviz.cueworld.train --arch mixer --steps 3000 --out mixer.safetensors
    python -m featviz.cueworld.train --arch resnet --steps 4200 --lr 2e-3 --out resnet.safetensors
    python -m featviz.cueworld.train --arch vit --steps 420 --batch 128 --lr 7e-4 --seed 5 \
        --color-blind --start vit.safetensors --out vit_colourblind.safetensors
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from featviz.cueworld.architectures import MEAN, STD, build, widen
from featviz.cueworld.cues import hide_color
from featviz.cueworld.evaluation import report
from featviz.cueworld.world import CLASSES, sample


def train(
    model: nn.Module, steps: int, batch: int, lr: float, seed: int, color_blind: bool = False
) -> nn.Module:
    """Train a model on an endless stream of new images, so that it cannot overfit.

    AdamW with weight decay 0.05 on matrices, linear warm-up and cosine decay of the learning rate,
    gradients clipped at norm 1, bfloat16 on CUDA.

    Parameters
    ----------
    model : nn.Module
        Trained in place, on its device, and left in training mode.
    steps, batch : int
        Number of steps, and of images per step.
    lr : float
        Maximum learning rate.
    seed : int
        Random seed of the images.
    color_blind : bool
        Make hue independent of the label, see `hide_color`.

    Returns
    -------
    nn.Module
        A copy with an exponential moving average of the weights, over about the last tenth of the
        steps and at most 500.
    """
    device = next(model.parameters()).device
    decay = min(0.998, max(0.0, 1 - 10 / steps))
    ema = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=ema, use_buffers=True)
    optimizer = torch.optim.AdamW(_parameter_groups(model), lr=lr)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, steps))
    generator = torch.Generator(device).manual_seed(seed)
    model.train()
    bar = trange(steps, unit="step", disable=None)
    for step in bar:
        labels = torch.randint(len(CLASSES), (batch,), generator=generator, device=device)
        images = sample(labels, generator).images
        if color_blind:
            images, labels = hide_color(images, labels, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = F.cross_entropy(model((images - MEAN) / STD), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        if step % 100 == 0:  # reading the loss synchronizes with the device
            bar.set_postfix(loss=f"{loss.item():.4f}")
    return average.module


def _parameter_groups(model: nn.Module) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels, none for biases, gains and other vectors."""
    weights = list(model.parameters())
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": 0.05},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def _rate(step: int, steps: int) -> float:
    """Fraction of the maximum learning rate: warm-up over a tenth of the steps, cosine decay."""
    warmup = max(1, min(500, steps // 10))
    return min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * step / steps)) + 1e-3)


def half_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of `model` on the CPU, with floating-point tensors in float16."""
    return {
        key: (part.half() if part.is_floating_point() else part).cpu().contiguous()
        for key, part in model.state_dict().items()
    }


@click.command()
@click.option("--arch", required=True, type=click.Choice(["vit", "mixer", "resnet"]))
@click.option("--steps", default=6000, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=512, show_default=True, type=click.IntRange(1))
@click.option("--lr", default=1e-3, show_default=True, help="Maximum learning rate.")
@click.option(
    "--seed", default=0, show_default=True, help="Random seed of initial weights and images."
)
@click.option(
    "--color-blind",
    "--colour-blind",
    is_flag=True,
    help="Make hue independent of the label.",
)
@click.option("--start", type=click.Path(exists=True, dir_okay=False), help="Initial weights.")
@click.option(
    "--images",
    default=3600,
    show_default=True,
    type=click.IntRange(18),
    help="Number of images of the report.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file of weights.")
def main(
    arch: str,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    color_blind: bool,
    start: str | None,
    images: int,
    out: Path,
) -> None:
    """Train a model on cueworld and print its accuracy as one line of JSON.

    See `train`.
    """
    if out.exists() or not out.parent.is_dir():
        raise click.UsageError(f"--out must be a new file in an existing folder, not {out}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build(arch)
    if start:
        model.load_state_dict(widen(load_file(start)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = train(model.to(device), steps, batch, lr, seed, color_blind)
    state = half_state_dict(model)
    save_file(state, out)
    model.load_state_dict(widen(state))
    click.echo(json.dumps({"arch": arch, "out": str(out), "accuracy": report(model, images)}))


if __name__ == "__main__":
    main()
