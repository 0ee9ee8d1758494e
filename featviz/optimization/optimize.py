"""The loop: image + views + readout -> pictures, values, trajectories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz._util.images import resize
from featviz._util.seeding import generator_for
from featviz.activations.readout import Reading, Readout
from featviz.activations.single_token_attention import at_tokens
from featviz.addressing.address import Unit
from featviz.models.acceleration import as_products, in_precision
from featviz.models.hooks import eval_mode
from featviz.optimization.augmentations import center
from featviz.optimization.objectives import penalized_objective
from featviz.optimization.recipe import Recipe
from featviz.optimization.schedule import masked_step

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Pictures:
    """What the optimization of U units with D samples each leaves, on the CPU.

    Attributes
    ----------
    images : Tensor of uint8, shape (U, D, H, W, 3)
        Of two sides (U, D, 2, H, W, 3): where the query is read, and where the key.
    activation : Tensor, shape (U, D)
        Value of the unit on the picture as stored, without views.
    trajectory : Tensor, shape (U, D, steps)
        Value of the unit on the view of each step.
    """

    images: Tensor
    activation: Tensor
    trajectory: Tensor


def optimize(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    tick: Callable[[], object] = lambda: None,
) -> Pictures:
    """Maximize units of one site, all in one batch.

    Every picture draws its start and its whole schedule of views from a generator of its own, so
    it does not depend on the pictures beside it.

    Parameters
    ----------
    units : sequence of Unit
        Of the same sites; of two sides, logits.
    tick : callable
        Called after every step.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        # The recipe names the precision, whatever the caller casts.
        torch.autocast(model.device.type, enabled=False),
        eval_mode(model.module),
    ):
        return _optimize(model, units, recipe, tick)


def _optimize(
    model: VisionModel, units: Sequence[Unit], recipe: Recipe, tick: Callable[[], object]
) -> Pictures:
    device = model.device
    canvas = PaddedImage(recipe, model.image_size)
    computing = in_precision(model, recipe.precision)
    members = [unit for unit in units for _ in range(recipe.samples)]
    read = _reader(Readout(computing, members), recipe)
    # Whatever precision finds the picture, its value is the model's own.
    exact = read if computing is model else _reader(Readout(model, members), recipe)
    names = [(str(unit), sample) for unit in units for sample in range(recipe.samples)]
    generators = [generator_for(recipe.seed, *name) for name in names]
    starts = [canvas.image.initial(generator) for generator in generators]
    schedules = [recipe.augmentation.draw(recipe.steps, generator) for generator in generators]
    if recipe.split_qk:
        # The two sides start apart, and are seen through the same views: they are one scene.
        starts += [canvas.image.initial(generator_for(recipe.seed, *name, "key")) for name in names]
        schedules += schedules
    begun = torch.stack(starts).to(device)
    numbers = begun.clone().requires_grad_()
    schedule = torch.stack(schedules, 1).to(device)
    field = recipe.augmentation.noise_field(model.image_size, generator_for(recipe.seed, "noise"))
    noise = None if field is None else field.to(device)
    optimizer = torch.optim.Adam([numbers], lr=recipe.learning_rate, betas=recipe.betas, fused=True)
    # Written out: to repeat it along short axes takes longer than the rest of a step of Adam.
    frequencies = canvas.image.frequencies().to(device).expand_as(begun[0]).contiguous()
    trajectory = torch.empty(recipe.steps, len(names), device=device)
    # What makes samples differ looks at all tokens.
    alone = [] if recipe.diversity and recipe.samples > 1 else members
    with as_products(computing.module), at_tokens(computing, alone):
        for step in range(recipe.steps):
            whole = canvas.decode(numbers)
            views = recipe.augmentation.apply(whole, schedule[step], model.image_size, noise)
            reading = read(views)
            gain = penalized_objective(reading.gain.float(), reading.features, whole, recipe)
            (numbers.grad,) = torch.autograd.grad(-gain, numbers)
            optimizer.param_groups[0]["lr"] = recipe.rate(step)
            masked_step(optimizer, numbers, begun, frequencies, recipe.finest(step))
            trajectory[step] = reading.values.detach()
            tick()
    with as_products(model.module), torch.no_grad():
        images = (canvas.picture(numbers) * 255).round().to(torch.uint8)
        activation = exact(resize(images / 255, model.image_size)).values
    shape = (len(units), recipe.samples)
    pictures = images.permute(0, 2, 3, 1).reshape(-1, *shape, recipe.size, recipe.size, 3)
    return Pictures(
        pictures.movedim(0, 2).contiguous().cpu() if recipe.split_qk else pictures[0].cpu(),
        activation.view(shape).cpu(),
        trajectory.T.reshape(*shape, recipe.steps).cpu(),
    )


def _reader(readout: Readout, recipe: Recipe) -> Callable[[Tensor], Reading]:
    return (
        readout.read_sides
        if recipe.split_qk
        else partial(readout.read_pairs, cosine_power=recipe.cosine_power)
    )


class PaddedImage:
    """A picture with the margin that its shifted views need, in pixels of the model's input.

    Parameters
    ----------
    recipe : Recipe
        Its `size` is the side of the picture as stored.
    image_size : int
        Side of the model's input.
    """

    def __init__(self, recipe: Recipe, image_size: int) -> None:
        self.side = recipe.size
        margin = -(-recipe.augmentation.margin * recipe.size // image_size)
        self.image = recipe.image(recipe.size + 2 * margin)
        self.view_side = round(self.image.height * image_size / recipe.size)

    def decode(self, numbers: Tensor) -> Tensor:
        """Decode whole canvases, scaled so that the picture has the side of the model's input."""
        return resize(self.image.decode(numbers), self.view_side)

    def picture(self, numbers: Tensor) -> Tensor:
        """Decode the pictures alone, (N, 3, size, size) in [0, 1]."""
        return center(self.image.decode(numbers), self.side)
