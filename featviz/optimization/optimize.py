"""The optimization of a batch of pictures: parameters -> image -> augmentation -> unit -> Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz._util.images import from_uint8, resize, to_uint8
from featviz._util.seeding import generator_for
from featviz.activations.readout import Reading, Readout
from featviz.activations.single_token_attention import attention_at_tokens
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.models.acceleration import in_precision, patch_embed_as_matmul
from featviz.models.hooks import eval_mode
from featviz.optimization.augmentations import center_crop
from featviz.optimization.objectives import penalized_objective
from featviz.optimization.recipe import Recipe
from featviz.optimization.schedule import frequency_cutoff, learning_rate, masked_step
from featviz.parametrization.base import Encoder, Parametrization

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


class PaddedImage:
    """A picture with the padding that its shifted views need.

    Parameters
    ----------
    recipe : Recipe
        Its `size` is the side of the stored picture.
    image_size : int
        Side of the model's input in pixels.
    """

    def __init__(self, recipe: Recipe, image_size: int) -> None:
        self.recipe = recipe
        self.padding = -(-recipe.augmentation.padding * recipe.size // image_size)
        side = recipe.size + 2 * self.padding
        self.parametrization = recipe.parametrization(side)
        if callable(recipe.param):
            _check_parametrization(self.parametrization, recipe, side)
        self.input_side = round(side * image_size / recipe.size)

    def start(self, generator: torch.Generator) -> Tensor:
        """Return the parameters of one picture before the first step, on the CPU.

        Parameters
        ----------
        generator : torch.Generator
            Draws them, unless the recipe has a start image.

        Returns
        -------
        Tensor
            Of the shape of one image's parameters.
        """
        if self.recipe.start is None:
            return self.parametrization.initial(generator)
        image = resize(self.recipe.start.detach().cpu().float()[None], self.recipe.size)
        padded = F.pad(image, [self.padding] * 4, mode="replicate")
        return cast("Encoder", self.parametrization).encode(padded)[0]

    def frequencies(self, parameters: Tensor) -> Tensor:
        """Return the frequency of each parameter of a picture, in cycles per pixel.

        Parameters
        ----------
        parameters : Tensor, shape (N, ...)

        Returns
        -------
        Tensor, shape (...)
            0 if the parametrization has no frequencies.
        """
        found = getattr(self.parametrization, "frequencies", lambda: parameters.new_zeros(()))()
        # Contiguous: broadcasting along short axes takes longer than the rest of a step of Adam.
        return found.to(parameters.device).expand_as(parameters[0]).contiguous()

    def decode(self, parameters: Tensor) -> Tensor:
        """Decode padded images at the scale of the model's input.

        Parameters
        ----------
        parameters : Tensor, shape (N, ...)

        Returns
        -------
        Tensor, shape (N, 3, H, H)
            In [0, 1].
        """
        return resize(self.parametrization.decode(parameters), self.input_side)

    def picture(self, parameters: Tensor) -> Tensor:
        """Decode the pictures without padding, (N, 3, size, size) in [0, 1]; see `decode`."""
        return center_crop(self.parametrization.decode(parameters), self.recipe.size)


def _check_parametrization(made: Parametrization, recipe: Recipe, side: int) -> None:
    """Refuse a parametrization of the user's own that cannot be optimized."""
    kind = type(made).__name__
    missing = [name for name in ("initial", "decode") if not hasattr(made, name)]
    missing += ["encode"] if recipe.start is not None and not hasattr(made, "encode") else []
    missing += (
        ["frequencies"] if recipe.frequency_schedule and not hasattr(made, "frequencies") else []
    )
    if missing:
        raise FeatvizError(f"parametrization {kind} has no method {missing[0]!r}, which is needed")
    with torch.no_grad():
        shape = tuple(made.decode(made.initial(generator_for(0))[None]).shape)
    if shape != (1, 3, side, side):
        raise FeatvizError(f"{kind}.decode must return (N, 3, {side}, {side}), got {shape}")
