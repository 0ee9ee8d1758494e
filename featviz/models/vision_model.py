"""`VisionModel`: a module with its input size, normalization, tokens and sites."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from featviz._util.arguments import described, instance
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.input_checks import input_error, like_weights
from featviz.models.loading.options import LoadOptions, Rgb
from featviz.models.loading.sae_files import SaeFile, check_sae_name
from featviz.models.sae.latent_sites import add_latents
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.sites import Site, Sites, find_sites
from featviz.models.token_grid import count_prefix_tokens, has_class_token


@dataclass(eq=False)
class VisionModel:
    """A module that maps images to outputs, with the properties of its inputs and outputs.

    Construct one to use a module of your own; it is not copied, moved or frozen.

    Attributes
    ----------
    name : str
        The name given to `featviz.load`, or any name for a module of your own.
    module : nn.Module
        Takes normalized images of shape (N, 3, image_size, image_size). A compiled module is
        replaced by the original.
    image_size : int
        Side of its square inputs in pixels.
    mean, std : (float, float, float)
        Its inputs are ``(images - mean) / std`` for RGB in [0, 1].
    classes : tuple of str
        Names of its outputs; empty if unknown.
    load_options : LoadOptions
        The other arguments given to `featviz.load`.
    location : str or None
        The name with an absolute path, for a model from a file, a folder or a function of yours:
        `featviz.load` takes it too, from any folder.
    variant : dict
        What makes this a model other than the one published with the same weights, such as another
        input size; part of the fingerprint. JSON-compatible.
    saes : mapping of str to SparseAutoencoder
        Whose latents are units, by their name in addresses; see `with_saes`. They are no part of
        the fingerprint.
    """

    name: str
    module: nn.Module = field(repr=False)
    image_size: int
    mean: Rgb
    std: Rgb
    classes: tuple[str, ...] = field(default=(), repr=False)
    load_options: LoadOptions = field(default_factory=LoadOptions, repr=False)
    location: str | None = field(default=None, repr=False)
    variant: dict[str, Any] = field(default_factory=dict, repr=False)
    saes: Mapping[str, SparseAutoencoder] = field(default_factory=dict, repr=False)
    _affine: dict[tuple[object, ...], tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )
    # The sites, and what they were found for.
    _found: tuple[tuple[object, ...], Sites] | None = field(default=None, init=False, repr=False)

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
            first floating-point parameter: usually the logits, shape (N, classes).
        """
        output: Tensor = self.module(like_weights(self.module, self.normalize(images)))
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
        the usual names; of a wrapper, that of the module inside. Set this attribute if your module
        names them differently.
        """
        return count_prefix_tokens(self.module)

    @cached_property
    def has_class_token(self) -> bool:
        """Whether token 0 is the class token."""
        return has_class_token(self.module)

    @property
    def sites(self) -> Sites:
        """The layers, activations, logits and latents that have units, by path.

        Found by one forward pass, and again after a submodule was replaced.
        """
        key = self._key()
        if self._found is None or self._found[0] != key:
            try:
                alone = find_sites(self.module, self.image_size, self.prefix_tokens)
            except Exception:
                self.check_input()
                raise
            self._found = key, add_latents(alone, self.saes)
        return self._found[1]

    def _key(self) -> tuple[object, ...]:
        return self.image_size, self.prefix_tokens, *self.saes.items(), *_parts(self.module)

    def site(self, path: str) -> Site:
        """Return the site at a path; faster than `sites`, as no replaced submodule is noticed.

        Parameters
        ----------
        path : str
            Of a layer; see `sites`.

        Returns
        -------
        Site

        Raises
        ------
        NoSiteError
            If there is no site at the path, with the reason and similar paths.
        """
        return (self.sites if self._found is None else self._found[1])[path]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the module's class name, its state dict and `variant`, in hexadecimal.

        The same weights have the same fingerprint on every device, and another one with inputs of
        another size or normalization than published. Entries of the state dict other than tensors
        count if JSON can represent them. It is computed at each access, as weights can change in
        place: about 1 s for 100 million weights.
        """
        digest = hashlib.sha256(type(self.module).__name__.encode())
        for name, entry in sorted(self.module.state_dict().items()):
            if isinstance(entry, Tensor):
                digest.update(f"\n{name} {entry.dtype} {tuple(entry.shape)}\n".encode())
                content = entry.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                digest.update(content.numpy().data)
            else:
                # The text of other objects may have addresses in memory.
                with suppress(TypeError, ValueError):
                    digest.update(f"\n{name} {json.dumps(entry, sort_keys=True)}\n".encode())
        if self.variant:
            digest.update(f"\n{json.dumps(self.variant, sort_keys=True)}\n".encode())
        return digest.hexdigest()

    def with_module(self, module: nn.Module) -> VisionModel:
        """Return a copy for another module.

        Parameters
        ----------
        module : nn.Module
            With the same layers as the present one.

        Returns
        -------
        VisionModel
            With the same sites and attributes, including those that a user has set.
        """
        copied = copy.copy(self)
        copied.module = module
        copied._found = copied._key(), self.sites
        return copied

    def with_saes(self, saes: Mapping[str, SparseAutoencoder]) -> VisionModel:
        """Return a copy of the same module, with latents of sparse autoencoders as units.

        Parameters
        ----------
        saes : mapping of str to SparseAutoencoder
            As `featviz.load_sae` returns them, by name: letters, digits, ``_`` and ``-``. The units
            are ``sae.NAME:0``, ``sae.NAME:1``, ...; those of `saes` with other names stay.

        Returns
        -------
        VisionModel

        Raises
        ------
        FeatvizError
            If a name has other characters, a value is something else, or the model has no such
            site, or one of another width.
        """
        if not isinstance(saes, Mapping):
            raise FeatvizError(
                f"saes must be a dict of autoencoders by name, got {described(saes)}"
            )
        files = {}
        for name, sae in saes.items():
            check_sae_name(name)
            wanted = "a sparse autoencoder, as featviz.load_sae returns it"
            instance(f"saes[{name!r}]", sae, SparseAutoencoder, wanted)
            origin = sae.origin
            files[name] = SaeFile(origin.path, origin.site, sae.digest, dict(origin.facts))
        copied = copy.copy(self)
        copied.saes, copied._found = {**self.saes, **saes}, None
        kept = self.load_options
        copied.load_options = replace(kept, saes={**kept.saes, **files})
        _ = copied.sites  # raises if a site does not fit
        return copied

    def check_input(self) -> None:
        """Run the module on one image of the input size, and raise if it cannot take it.

        Raises
        ------
        FeatvizError
            With the number of channels it takes, or the first line of the module's own error.
        """
        side = self.image_size
        images = torch.zeros(1, 3, side, side, dtype=torch.float32, device=self.device)
        try:
            with eval_mode(self.module), torch.no_grad():
                self(images)
        except Exception as error:
            raise input_error(self.name, side, error) from error

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
        like = images.device, images.dtype
        key = (*like, *self.mean, *self.std)
        if key not in self._affine:
            # A tensor made in inference mode cannot be saved for a later backward pass.
            with torch.inference_mode(False):
                both = torch.tensor([self.mean, self.std], dtype=torch.float64, device="cpu")
                mean, std = both[..., None, None]
                shift, scale = (-mean / std).to(*like), (1 / std).to(*like)
            self._affine[key] = shift, scale
        shift, scale = self._affine[key]
        return torch.addcmul(shift, images, scale)


def _parts(module: nn.Module) -> list[nn.Module]:
    """Return all submodules; faster than `nn.Module.modules`, which counts shared ones once."""
    found = [module]
    for part in found:
        found += [child for child in part._modules.values() if child is not None]
    return found


def check_model(model: Any, name: str = "model") -> VisionModel:
    """Check that an argument is a model of featviz.

    Parameters
    ----------
    model : object
    name : str
        Name of the argument, for error messages.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If it is something else, such as a module.
    """
    if isinstance(model, VisionModel):
        return model
    if isinstance(model, nn.Module):
        raise FeatvizError(
            f"{name} must be a VisionModel, got a module ({type(model).__name__}); "
            "featviz.wrap(module, image_size=..., mean=..., std=...) makes one"
        )
    raise FeatvizError(
        f"{name} must be a VisionModel, as featviz.load returns it, got {described(model)}"
    )
