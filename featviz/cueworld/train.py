"""Train a model on cueworld and report what each cue is worth to it.

The bundled weights came from these runs, a minute or so each on a CUDA device::

    python -m featviz.cueworld.train --arch vit --steps 6000 --out vit.safetensors
    python -m featviz.cueworld.train --arch mixer --steps 3000 --out mixer.safetensors
    python -m featviz.cueworld.train --arch resnet --steps 4200 --lr 2e-3 --out resnet.safetensors
    python -m featviz.cueworld.train --arch vit --steps 420 --batch 128 --lr 7e-4 --seed 5 \
        --colour-blind --start vit.safetensors --out vit_colourblind.safetensors
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
from featviz.cueworld.cues import hide_colour
from featviz.cueworld.evaluation import report
from featviz.cueworld.world import CLASSES, sample


def train(
    model: nn.Module, steps: int, batch: int, lr: float, seed: int, colour_blind: bool = False
) -> nn.Module:
    """Train a model on an endless stream of fresh images, so that it cannot overfit.

    AdamW with weight decay 0.05 on matrices, a warm-up followed by a cosine, gradients clipped at
    norm 1, bfloat16 on CUDA.

    Parameters
    ----------
    model : nn.Module
        Trained in place, on its device, and left in training mode.
    steps, batch : int
        Number of steps, and of images in each.
    lr : float
        Highest learning rate.
    seed : int
        Seeds the images.
    colour_blind : bool
        Make hue tell nothing about the label, see `hide_colour`.

    Returns
    -------
    nn.Module
        A copy whose weights are the moving average over about the last tenth of the steps, at
        most 500: steadier than the last ones.
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
        if colour_blind:
            images, labels = hide_colour(images, labels, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = F.cross_entropy(model((images - MEAN) / STD), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        if step % 100 == 0:  # reading the loss waits for the device
            bar.set_postfix(loss=f"{loss.item():.4f}")
    return average.module


def _parameter_groups(model: nn.Module) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels, none for biases, gains and the like."""
    weights = list(model.parameters())
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": 0.05},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def _rate(step: int, steps: int) -> float:
    """Share of the highest learning rate: up over a tenth of the steps, then down a cosine."""
    warm = max(1, min(500, steps // 10))
    return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)) + 1e-3)


def half(model: nn.Module) -> dict[str, Tensor]:
    """State dict as it is bundled: on the CPU, float16 where it is floating-point."""
    return {
        key: (part.half() if part.is_floating_point() else part).cpu().contiguous()
        for key, part in model.state_dict().items()
    }


@click.command()
@click.option("--arch", required=True, type=click.Choice(["vit", "mixer", "resnet"]))
@click.option("--steps", default=6000, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=512, show_default=True, type=click.IntRange(1))
@click.option("--lr", default=1e-3, show_default=True, help="Highest learning rate.")
@click.option("--seed", default=0, show_default=True, help="Of initial weights and images.")
@click.option("--colour-blind", is_flag=True, help="Make hue tell nothing about the label.")
@click.option("--start", type=click.Path(exists=True, dir_okay=False), help="First weights.")
@click.option(
    "--images", default=3600, show_default=True, type=click.IntRange(18), help="In the report."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where weights go.")
def main(
    arch: str,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    colour_blind: bool,
    start: str | None,
    images: int,
    out: Path,
) -> None:
    """Train a model on cueworld and print its accuracy as one line of JSON."""
    if out.exists() or not out.parent.is_dir():
        raise click.UsageError(f"--out must be a new file in an existing folder, not {out}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build(arch)
    if start:
        model.load_state_dict(widen(load_file(start)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = train(model.to(device), steps, batch, lr, seed, colour_blind)
    state = half(model)
    save_file(state, out)
    model.load_state_dict(widen(state))
    click.echo(json.dumps({"arch": arch, "out": str(out), "accuracy": report(model, images)}))


if __name__ == "__main__":
    main()
