"""`SparseAutoencoder`: a sparse autoencoder or transcoder of any library."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.sae.normalization import Normalization, normalize, output_scale, restore

if TYPE_CHECKING:
    from featviz.models.sae.weights import Weights


@dataclass(frozen=True)
class Origin:
    """Where a sparse autoencoder comes from.

    Attributes
    ----------
    library : str
        That wrote the file, such as ``"SAELens"``.
    architecture : str
        As the library names it.
    path : str
        The file of its weights; the name of a bundled one.
    site : str or None
        The site whose vectors it reads, such as ``"blocks.9.resid_post"``; None if unknown.
    model : str or None
        The model that it was trained on, as the file names it.
    tokens : str or None
        The tokens that it was trained on, if only ``"cls"`` or ``"patches"``.
    facts : mapping of str to object
        Further arguments of `featviz.load_sae` that the files needed, JSON-compatible.
    """

    library: str
    architecture: str
    path: str
    site: str | None = None
    model: str | None = None
    tokens: Literal["cls", "patches"] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)


class SparseAutoencoder(nn.Module):
    """A sparse autoencoder, or a transcoder, whose output is another activation than its input.

    ::

        pre_activations = encoder @ (normalize(inputs) - center) + encoder_bias
        latents = activation(pre_activations)
        outputs = restore(latents @ decoder + decoder_bias + skip @ inputs)

    All tensors are buffers: none has a gradient, and ``to`` moves them.

    Parameters
    ----------
    weights : Weights
    activation : nn.Module
        See `featviz.models.sae.activation_functions`.
    origin : Origin
    normalization : str
        Of the input; see `featviz.models.sae.normalization.Normalization`.
    restores : bool
        Whether the output gets the mean and scale of the input back.

    Attributes
    ----------
    encoder, encoder_bias, decoder, decoder_bias, center, skip : Tensor
        See `Weights`.
    activation, origin, normalization, restores
        The arguments.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    center: Tensor | None
    skip: Tensor | None

    def __init__(
        self,
        weights: Weights,
        activation: nn.Module,
        origin: Origin,
        normalization: Normalization = "none",
        restores: bool = True,
    ) -> None:
        super().__init__()
        for name, tensor in vars(weights).items():
            self.register_buffer(name, tensor)
        self.activation, self.origin = activation, origin
        self.normalization: Normalization = normalization
        self.restores = restores
        self.eval()

    @property
    def width(self) -> int:
        """Width of the vectors that it reads."""
        return self.encoder.shape[1]

    @property
    def output_width(self) -> int:
        """Width of the vectors that it writes."""
        return self.decoder.shape[1]

    @property
    def latents(self) -> int:
        """Number of latents."""
        return self.encoder.shape[0]

    @property
    def site(self) -> str | None:
        """The site whose vectors it reads; None if unknown."""
        return self.origin.site

    def pre_activations(self, inputs: Tensor, latents: Sequence[int] | None = None) -> Tensor:
        """Compute pre-activations, of all latents or only of some.

        Of a gated autoencoder they are the magnitudes.

        Parameters
        ----------
        inputs : Tensor, shape (..., width)
            Activations of the model. They are cast to the dtype of the weights.
        latents : sequence of int, optional
            Indices; only their rows of the encoder are computed. By default all.

        Returns
        -------
        Tensor, shape (..., latents)

        Raises
        ------
        FeatvizError
            If the inputs have another width, or a latent does not exist.
        """
        centered = self.center_inputs(inputs).to(self.encoder.dtype)
        if latents is None:
            return F.linear(centered, self.encoder, self.encoder_bias)
        rows = self._rows(latents)
        return F.linear(centered, self.encoder[rows], self.encoder_bias[rows])

    def center_inputs(self, inputs: Tensor) -> Tensor:
        """Normalize activations and subtract the center: what the rows of the encoder multiply.

        Parameters
        ----------
        inputs : Tensor, shape (..., width)
            Activations of the model, on any device.

        Returns
        -------
        Tensor, shape (..., width)
            On the device of the inputs, of the wider dtype of inputs and weights.

        Raises
        ------
        FeatvizError
            If the inputs have another width.
        """
        wide = torch.promote_types(inputs.dtype, self.encoder.dtype)
        normalized = normalize(self._checked(inputs).to(wide), self.normalization)
        return normalized if self.center is None else normalized - self.center.to(normalized)

    def encode(self, inputs: Tensor, latents: Sequence[int] | None = None) -> Tensor:
        """Compute latents, all or only some.

        Parameters
        ----------
        inputs : Tensor, shape (..., width)
            Activations of the model. They are cast to the dtype of the weights.
        latents : sequence of int, optional
            Indices. Only their rows of the encoder are computed, except by top-k, where latents
            depend on each other. By default all.

        Returns
        -------
        Tensor, shape (..., latents)

        Raises
        ------
        FeatvizError
            If the inputs have another width, or a latent does not exist.
        """
        # Top-k has no activation function of some latents only.
        if latents is not None and (select := getattr(self.activation, "select", None)):
            chosen = self.pre_activations(inputs, latents)
            some: Tensor = select(latents)(chosen)
            return some
        found: Tensor = self.activation(self.pre_activations(inputs))
        return found if latents is None else found[..., self._rows(latents)]

    def decode(self, latents: Tensor, inputs: Tensor) -> Tensor:
        """Compute what latents write.

        Parameters
        ----------
        latents : Tensor, shape (..., latents)
        inputs : Tensor, shape (..., width)
            The activations that were encoded: their mean and scale are restored where `restores`
            says so, and a skip transcoder adds a linear function of them.

        Returns
        -------
        Tensor, shape (..., output width)

        Raises
        ------
        FeatvizError
            If the inputs have another width.
        """
        inputs = self._checked(inputs).to(self.encoder.dtype)
        outputs = latents @ self.decoder + self.decoder_bias
        if self.skip is not None:
            outputs = outputs + F.linear(inputs, self.skip)
        return restore(outputs, inputs, self.normalization) if self.restores else outputs

    def decode_change(
        self, change: Tensor, inputs: Tensor, latents: Sequence[int] | None = None
    ) -> Tensor:
        """Compute how the output changes with the latents: ``decode(a + change) - decode(a)``.

        Parameters
        ----------
        change : Tensor, shape (..., latents)
            Of all latents, or of the ones in `latents`.
        inputs : Tensor, shape (..., width)
            The activations that were encoded, whose scale is restored.
        latents : sequence of int, optional
            Indices of the latents that change; the others keep their values. By default all.

        Returns
        -------
        Tensor, shape (..., output width)

        Raises
        ------
        FeatvizError
            If the inputs have another width, or a latent does not exist.
        """
        rows = self.decoder if latents is None else self.decoder[self._rows(latents)]
        return (change @ rows) * self.output_scale(inputs)

    def output_scale(self, inputs: Tensor) -> Tensor:
        """Return what the decoder's row of a latent is multiplied by at each token.

        Parameters
        ----------
        inputs : Tensor, shape (..., width)

        Returns
        -------
        Tensor, shape (..., 1)
            1 unless the output gets the scale of the input back.

        Raises
        ------
        FeatvizError
            If the inputs have another width.
        """
        return output_scale(self._checked(inputs), self.normalization if self.restores else "none")

    def on(self, device: torch.device) -> SparseAutoencoder:
        """Return it on a `device`: itself, or a copy."""
        return self if self.encoder.device == device else copy.deepcopy(self).to(device)

    @property
    def is_transcoder(self) -> bool:
        """Whether its output is another activation than its input."""
        return "transcoder" in self.origin.architecture or self.skip is not None

    def reconstruct(self, inputs: Tensor) -> Tensor:
        """Encode and decode.

        Parameters
        ----------
        inputs : Tensor, shape (..., width)

        Returns
        -------
        Tensor, shape (..., output width)
            The reconstruction of the inputs; of a transcoder, the prediction of its output.

        Raises
        ------
        FeatvizError
            If the inputs have another width.
        """
        return self.decode(self.encode(inputs), inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """See `reconstruct`."""
        return self.reconstruct(inputs)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides its latents and its output, in hexadecimal.

        It does not depend on the library, the path, the site and the device.
        """
        settings = f"{self.activation!r} {self.normalization} {self.restores}"
        digest = hashlib.sha256(settings.encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            content = tensor.cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().data)
        return digest.hexdigest()

    def extra_repr(self) -> str:
        """Return origin, site and sizes."""
        return (
            f"{self.origin.library} {self.origin.architecture}, site={self.site}, "
            f"width={self.width}, latents={self.latents}"
        )

    def _rows(self, latents: Sequence[int]) -> Tensor:
        for latent in latents:
            if not 0 <= latent < self.latents:
                raise FeatvizError(
                    f"latent {latent} does not exist: there are {self.latents}, counted from 0"
                )
        return torch.as_tensor(latents, dtype=torch.long, device=self.encoder.device)

    def _checked(self, inputs: Tensor) -> Tensor:
        if not inputs.ndim or inputs.shape[-1] != self.width:
            raise FeatvizError(
                f"inputs must have the shape (..., {self.width}), got {tuple(inputs.shape)}"
            )
        return inputs
