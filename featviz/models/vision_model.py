"""`VisionModel`: a module with its input size, normalization, tokens and sites."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.loading.options import LoadOptions, Rgb
from featviz.models.sites import Sites, find_sites

_CLASS_TOKENS = ("cls_token", "class_token")
_TOKENS = (*_CLASS_TOKENS, "dist_token", "reg_token", "register_tokens")


@dataclass(eq=False)
class VisionModel:
    """A module that maps images to outputs, with the properties of its inputs and outputs.

    Construct one to use a module of your own; it is not copied, moved or frozen.

    Attributes
    ----------
    name : str
        The name given to `featviz.load`, or any name for a module of your own.
    module : nn.Module
        Takes normalized images of shape (N, 3, image_size, image_size).
    image_size : int
        Side of its square inputs in pixels.
    mean, std : (float, float, float)
        Its inputs are ``(images - mean) / std`` for RGB in [0, 1].
    classes : tuple of str
        Names of its outputs; empty if unknown.
    load_options : LoadOptions
        The other arguments given to `featviz.load`.
    variant : dict
        What makes this a model other than the one published with the same weights, such as another
        input size; part of the fingerprint. JSON-compatible.
    """

    name: str
    module: nn.Module = field(repr=False)
    image_size: int
    mean: Rgb
    std: Rgb
    classes: tuple[str, ...] = field(default=(), repr=False)
    load_options: LoadOptions = field(default_factory=LoadOptions, repr=False)
    variant: dict[str, Any] = field(default_factory=dict, repr=False)
    _affine: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        """Unwrap a module that `torch.compile` returned: its submodules have the usual paths."""
        self.module = getattr(self.module, "_orig_mod", self.module)

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
        """Device of the weights; the CPU for a module without weights."""
        weights = chain(self.module.parameters(), self.module.buffers())
        return next((tensor.device for tensor in weights), torch.device("cpu"))

    @cached_property
    def prefix_tokens(self) -> int:
        """Number of class, distillation and register tokens before the patch tokens.

        By default ``num_prefix_tokens`` of timm modules, else the number of learned tokens with
        the usual names. Set this attribute if your module names them differently.
        """
        count = getattr(self.module, "num_prefix_tokens", None)
        return count if isinstance(count, int) else sum(self._learned_tokens.values())

    @cached_property
    def has_class_token(self) -> bool:
        """Whether token 0 is the class token."""
        return not self._learned_tokens.keys().isdisjoint(_CLASS_TOKENS)

    @property
    def _learned_tokens(self) -> dict[str, int]:
        """Number of learned tokens of the module under each usual name."""
        counts: dict[str, int] = {}
        own = self.module.named_parameters(recurse=False), self.module.named_buffers(recurse=False)
        for path, token in chain(*own):
            # Branches and stages have their own tokens, as in ``cls_token_0``.
            name = path.rstrip("0123456789").removesuffix("_")
            if name in _TOKENS and token.ndim == 3:
                counts[name] = max(counts.get(name, 0), token.shape[1])
        return counts

    @cached_property
    def sites(self) -> Sites:
        """The layers whose channels are units, by path; found by one forward pass, then cached."""
        return find_sites(self.module, self.image_size, self.prefix_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the module's class name, its state dict and `variant`, in hexadecimal.

        The same weights have the same fingerprint on every device, and another one with inputs of
        another size or normalization than published. It is cached.
        """
        digest = hashlib.sha256(type(self.module).__name__.encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy())
        if self.variant:
            digest.update(f"\n{json.dumps(self.variant, sort_keys=True)}\n".encode())
        return digest.hexdigest()

    def check_input(self) -> None:
        """Run the module on one image of the input size, and raise if it cannot take it.

        Raises
        ------
        FeatvizError
            With the first line of the module's own error.
        """
        side = self.image_size
        images = torch.zeros(1, 3, side, side, device=self.device)
        try:
            with eval_mode(self.module), torch.no_grad():
                self(images)
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FeatvizError(
                f"{self.name} cannot run on RGB images of {side} x {side} pixels: {reason}"
            ) from error

    def normalize(self, images: Tensor) -> Tensor:
        """Normalize images for the module.

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
            # A tensor made in inference mode cannot be saved for a later backward pass.
            with torch.inference_mode(False):
                mean, std = torch.tensor([self.mean, self.std], dtype=torch.float64)[
                    ..., None, None
                ]
                shift, scale = (-mean / std).to(*key), (1 / std).to(*key)
            self._affine[key] = shift, scale
        shift, scale = self._affine[key]
        return torch.addcmul(shift, images, scale)
