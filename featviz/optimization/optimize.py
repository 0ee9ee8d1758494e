"""The optimization of a batch of pictures: parameters -> image -> augmentation -> unit -> Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz._util.images import from_uint8, resize, to_uint8
from featviz._util.seeding import generator_for
from featviz.activations.readout import Reading, Readout
from featviz.activations.single_token_attention import attention_at_tokens
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.models.acceleration import in_precision, patch_embed_as_matmul
from featviz.models.hooks import eval_mode
from featviz.optimization.objectives import penalized_objective
from featviz.optimization.padded_image import PaddedImage
from featviz.optimization.recipe import Recipe
from featviz.optimization.schedule import frequency_cutoff, learning_rate, masked_step

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""What a step computes: from the parameters (N, ...) and the draws of the augmentations (N, ...) to
the values of the units, (N,), and the gradient of the negated objective, like the parameters."""

GRAY = 0.5
"""Value of all pixels of the picture of a unit that does not depend on the image."""


@dataclass(frozen=True)
class Pictures:
    """The result of the optimization of U units with D samples each, on the CPU.

    Attributes
    ----------
    images : Tensor of uint8, shape (U, D, H, W, 3)
        With `split_qk` (U, D, 2, H, W, 3): the image of the query, and that of the key.
    activation : Tensor, shape (U, D)
        Value of the unit on the stored picture, without augmentation.
    trajectory : Tensor, shape (U, D, steps)
        Value of the unit on the augmented image of each step.
    constant : Tensor of bool, shape (U, D)
        Whether the value was the same in all steps, at least two, and had no gradient: there was
        nothing to optimize. The picture is then gray.
    """

    images: Tensor
    activation: Tensor
    trajectory: Tensor
    constant: Tensor


def optimize(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    tick: Callable[[], object] = lambda: None,
    transform: Callable[[Step], Step] = lambda compute: compute,
) -> Pictures:
    """Maximize the activations of units of one site, all in one batch.

    Every picture draws its start and the augmentations of all steps from a generator of its own,
    so it does not depend on the other pictures of the batch (unless an augmentation of the user's
    own draws for each image).

    Parameters
    ----------
    model : VisionModel
        Restored on return: hooks, training mode, `requires_grad`.
    units : sequence of Unit
        At the same sites; with `split_qk`, query-key logits.
    recipe : Recipe
    tick : callable
        Called after every step.
    transform : callable
        Replaces what each step computes by an equivalent function, such as a compiled one. It is
        called once; shapes are the same in all steps, and nothing is read from the device.

    Returns
    -------
    Pictures

    Raises
    ------
    FeatvizError
        If an objective, augmentation or parametrization of the user's own returns a wrong shape.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        # The recipe decides on the precision, whatever autocast the caller is in.
        stack.enter_context(torch.autocast(model.device.type, enabled=False))
        stack.enter_context(eval_mode(model.module))
        return _optimize(model, units, recipe, tick, transform)


def _optimize(
    model: VisionModel,
    units: Sequence[Unit],
    recipe: Recipe,
    tick: Callable[[], object],
    transform: Callable[[Step], Step],
) -> Pictures:
    device, augmentation = model.device, recipe.augmentation
    members = [unit for unit in units for _ in range(recipe.samples)]
    names = [(str(unit), sample) for unit in units for sample in range(recipe.samples)]
    computing = in_precision(model, recipe.precision)
    read = _reader(Readout(computing, members), recipe)

    # Starts and augmentations of all steps, from one generator per picture.
    image = PaddedImage(recipe, model.image_size)
    generators = [generator_for(recipe.seed, *name) for name in names]
    starts = [image.start(generator) for generator in generators]
    draws = [augmentation.draw(recipe.steps, generator) for generator in generators]
    if recipe.split_qk:
        # The images of query and key start from different noise, and have the same augmentations.
        starts += [image.start(generator_for(recipe.seed, *name, "key")) for name in names]
        draws += draws
    field = augmentation.noise_field(model.image_size, generator_for(recipe.seed, "noise"))
    noise = None if field is None else field.to(device)
    initial, schedule = torch.stack(starts).to(device), torch.stack(draws, 1).to(device)
    parameters = initial.clone().requires_grad_()
    frequencies = image.frequencies(initial)
    adam = torch.optim.Adam([parameters], lr=recipe.learning_rate, betas=recipe.betas, fused=True)

    def gradient(parameters: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        padded = image.decode(parameters)
        augmented = augmentation.apply(padded, draws, model.image_size, noise)
        reading = read(augmented)
        objective = penalized_objective(
            _objective(recipe, augmented, reading),
            reading.features,
            padded,
            samples=recipe.samples,
            diversity=recipe.diversity,
            tv_weight=recipe.tv_weight,
        )
        (found,) = torch.autograd.grad(-objective, parameters)
        return reading.values.detach(), found

    trajectory = torch.empty(recipe.steps, len(names), dtype=torch.float32, device=device)
    # The diversity term reads all tokens; without it, attention is computed at the unit's only.
    single = [] if recipe.diversity and recipe.samples > 1 else members
    with patch_embed_as_matmul(computing.module), attention_at_tokens(computing, single):
        compute = transform(gradient)
        for step in range(recipe.steps):
            values, parameters.grad = compute(parameters, schedule[step])
            adam.param_groups[0]["lr"] = learning_rate(
                recipe.learning_rate, recipe.cooldown, step, recipe.steps
            )
            cutoff = frequency_cutoff(recipe.frequency_schedule, recipe.size, step, recipe.steps)
            masked_step(adam, parameters, initial, frequencies, cutoff)
            trajectory[step] = values
            tick()
        constant = _has_one_value(trajectory)
        if constant.any():
            augmented = augmentation.apply(
                image.decode(parameters), schedule[-1], model.image_size, noise
            )
            (slope,) = torch.autograd.grad(read(augmented).varying.sum(), parameters)
            # An objective of the user's own can change the picture of a constant unit.
            stuck = (parameters == initial) if recipe.objective else (slope == 0)
            constant &= stuck.reshape(-1, len(names), initial[0].numel()).all(2).all(0)

    # The activation is measured on the stored picture, in the model's own precision.
    exact = read if computing is model else _reader(Readout(model, members), recipe)
    with patch_embed_as_matmul(model.module), torch.no_grad():
        picture = image.picture(parameters)
        gray = constant.repeat(len(picture) // len(names))
        pixels = to_uint8(torch.where(gray[:, None, None, None], GRAY, picture))
        images = from_uint8(pixels)
        activation = exact(resize(images, model.image_size)).values
    shape = (len(units), recipe.samples)
    pictures = pixels.reshape(-1, *shape, recipe.size, recipe.size, 3)
    return Pictures(
        pictures.movedim(0, 2).contiguous().cpu() if recipe.split_qk else pictures[0].cpu(),
        activation.view(shape).cpu(),
        trajectory.T.reshape(*shape, recipe.steps).cpu(),
        constant.view(shape).cpu(),
    )


def _has_one_value(trajectory: Tensor) -> Tensor:
    """Return which of N units, (N,), had the same value in all steps (steps, N), at least two."""
    same = (trajectory == trajectory[0]).all(0)
    return same if len(trajectory) > 1 else torch.zeros_like(same)


def _reader(readout: Readout, recipe: Recipe) -> Callable[[Tensor], Reading]:
    if recipe.split_qk:
        return readout.read_split
    return partial(readout.read_pairs, cosine_power=recipe.cosine_power)


def _objective(recipe: Recipe, images: Tensor, reading: Reading) -> Tensor:
    """Return what each picture maximizes, (N,): the user's objective, or the activation."""
    if recipe.objective is None:
        return reading.objective.float()
    found = recipe.objective(images, reading.varying)
    wanted, shape = tuple(reading.values.shape), tuple(getattr(found, "shape", ()))
    if not isinstance(found, Tensor) or shape != wanted:
        kind = type(found).__name__
        raise FeatvizError(f"objective must return a tensor {wanted}, got a {kind} {shape}")
    return found.float()
