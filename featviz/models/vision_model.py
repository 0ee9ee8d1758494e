"""A vision model as the engine sees it: a module, its inputs and its tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import torch
from torch import Tensor, nn

from featviz.models.sites import Sites, find_sites

Rgb = tuple[float, float, float]

_CLASS_TOKENS = ("cls_token", "class_token")
_TOKENS = (*_CLASS_TOKENS, "dist_token", "reg_token", "register_tokens")


@dataclass(eq=False)
class VisionModel:
    """A module that maps images to outputs, and what must be known to feed and to address it.

    Building one by hand wraps any module of your own; it is neither copied, moved nor frozen.

    Attributes
    ----------
    name : str
        What `featviz.load` was given, or any name for a module of your own.
    module : nn.Module
        Takes (N, 3, image_size, image_size), normalized.
    image_size : int
        Side of its square inputs in pixels.
    mean, std : (float, float, float)
        Its inputs are ``(images - mean) / std`` for RGB in [0, 1].
    classes : tuple of str
        Names of its outputs; empty if they are not known.
    untrained : bool
        Whether the weights are random.
    arch : str or None
        The architecture that was named to load a bare state dict.
    """

    name: str
    module: nn.Module = field(repr=False)
    image_size: int
    mean: Rgb
    std: Rgb
    classes: tuple[str, ...] = field(default=(), repr=False)
    untrained: bool = False
    arch: str | None = None
    _affine: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __call__(self, images: Tensor) -> Tensor:
        """Run the module on images.

        Hooks, training flags and gradients are left as they are; see
        `featviz.models.hooks.eval_mode`.

        Parameters
        ----------
        images : Tensor, shape (N, 3, image_size, image_size)
            RGB in [0, 1], floating-point.

        Returns
        -------
        Tensor
            What the module returns for the normalized images, cast to the dtype and device of its
            parameters: usually the logits, shape (N, classes).
        """
        like = next(self.module.parameters(), images)
        output: Tensor = self.module(self.normalize(images).to(like))
        return output

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU for a module without any."""
        held = chain(self.module.parameters(), self.module.buffers())
        return next((tensor.device for tensor in held), torch.device("cpu"))

    @cached_property
    def prefix_tokens(self) -> int:
        """How many class, distillation and register tokens come before the patch tokens.

        Read from the module: ``num_prefix_tokens`` of timm, else the learned tokens that it holds
        under their usual names. A module that names them otherwise may be told: set this.
        """
        count = getattr(self.module, "num_prefix_tokens", None)
        return count if isinstance(count, int) else sum(self._learned_tokens.values())

    @cached_property
    def has_class_token(self) -> bool:
        """Whether token 0 is the class token."""
        return not self._learned_tokens.keys().isdisjoint(_CLASS_TOKENS)

    @property
    def _learned_tokens(self) -> dict[str, int]:
        """How many tokens the module holds under each usual name."""
        held: dict[str, int] = {}
        own = self.module.named_parameters(recurse=False), self.module.named_buffers(recurse=False)
        for path, token in chain(*own):
            # Branches and stages have tokens of their own, as in ``cls_token_0``.
            name = path.rstrip("0123456789").removesuffix("_")
            if name in _TOKENS and token.ndim == 3:
                held[name] = max(held.get(name, 0), token.shape[1])
        return held

    @cached_property
    def sites(self) -> Sites:
        """The layers whose channels are units, by path; found by one forward pass."""
        return find_sites(self.module, self.image_size, self.prefix_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the module's class name and its state dict, in hexadecimal.

        The same weights give the same fingerprint on every device; it is taken once.
        """
        digest = hashlib.sha256(type(self.module).__name__.encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy())
        return digest.hexdigest()

    def normalize(self, images: Tensor) -> Tensor:
        """Turn images into the module's input.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1], floating-point.

        Returns
        -------
        Tensor, shape (N, 3, H, W)
            ``(images - mean) / std``, of the same dtype and on the same device.
        """
        key = (images.device, images.dtype)
        if key not in self._affine:
            # A tensor born in inference mode could not be saved for a later backward pass.
            with torch.inference_mode(False):
                mean, std = torch.tensor([self.mean, self.std], dtype=torch.float64)[
                    ..., None, None
                ]
                shift, scale = (-mean / std).to(*key), (1 / std).to(*key)
            self._affine[key] = shift, scale
        shift, scale = self._affine[key]
        return torch.addcmul(shift, images, scale)
