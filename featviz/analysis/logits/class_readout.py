"""How the logits read the residual stream after the last block: a linear map per token.

Between them are the final norm, the pooling of tokens and the classification head. All are linear,
except for the scale of the norm: LayerNorm divides by the standard deviation of the token. Here the
scale is left out, and the rest is kept: the mean is subtracted, and the weight multiplied. On an
image, the effects are those given here divided by the standard deviation of the token that the head
reads (by its root mean square for RMSNorm), one factor for all units and classes.

Source: nostalgebraist, "interpreting GPT: the logit lens", 2020; Elhage et al., "A Mathematical
Framework for Transformer Circuits", 2021.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache, partial

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.attention import NORMS
from featviz.models.hooks import Call, eval_mode, record, replace
from featviz.models.vision_model import VisionModel

TOLERANCE = 1e-3
"""Largest deviation from a linear map, relative to the logits."""

CHUNK = 64
"""Logits whose weights are computed together."""


class ClassReadout:
    """Linear map from the residual stream after the last block to the logits.

    It is found by running the model's own head on other streams, so that any pooling is followed:
    the class token, the average over tokens, two heads that are averaged (distilled models), or
    both class token and average.

    Parameters
    ----------
    model : VisionModel

    Raises
    ------
    FeatvizError
        If the model has no residual stream or no classification head, the logits are no linear
        map of the stream apart from the scale of norms, as with attention or max pooling, or they
        read more than the last block.

    Attributes
    ----------
    block : str
        Path of the last block.
    classes : int
        Number of logits.
    """

    def __init__(self, model: VisionModel) -> None:
        ends = [path for path in model.sites if path.endswith(".resid_post")]
        if not ends:
            raise FeatvizError(f"{model.name} has no residual stream that is read by logits")
        self.block = ends[-1].rpartition(".")[0]
        self._model = model
        self._weights = cache(self._compute)
        with eval_mode(model.module), torch.no_grad():
            self._norms, self._like = self._observe()
            self.classes = self._check()

    def weights(self, token: int | None = None) -> Tensor:
        """Return what adding to the channels of one token, or of all, adds to the logits.

        Parameters
        ----------
        token : int, optional
            Position in the stream. By default, the same is added to every token: the sum over the
            tokens that the head reads.

        Returns
        -------
        Tensor, shape (classes, channels), float64, on the CPU
            Zero for a token that the head does not read.
        """
        return self._weights(token)

    def _observe(self) -> tuple[list[nn.Module], Tensor]:
        """Find the norms after the last block, and the stream; check that there is a head."""
        module = self._model.module
        kinds = (*NORMS, nn.Linear, nn.Conv2d)
        paths = [path for path, part in module.named_modules() if isinstance(part, kinds)]
        calls: list[str] = []
        streams: list[Tensor] = []

        def take(call: Call) -> None:
            calls.append(call.path)
            if call.path == self.block:
                streams.append(call.output.clone())

        with record(module, [*paths, self.block], take):
            logits = self._model(self._images(1))
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise FeatvizError(f"{self._model.name} returns no logits of shape (images, classes)")
        after = [module.get_submodule(path) for path in calls[calls.index(self.block) + 1 :]]
        if all(isinstance(part, NORMS) for part in after):
            raise FeatvizError(
                f"{self._model.name} has no classification head, so its units write to no logits"
            )
        return [part for part in after if isinstance(part, NORMS)], streams[0]

    def _images(self, count: int) -> Tensor:
        side = self._model.image_size
        images = torch.full((2, 3, side, side), 0.5, device="cpu", dtype=torch.float32)
        images[1] = 0  # another stream, up to the block whose output is replaced
        return images[:count].to(self._model.device)

    def _logits(self, stream: Tensor, images: int = 1) -> Tensor:
        """Run the head on a stream, (N, ..., C), with the scale of norms left out."""
        module = self._model.module
        with ExitStack() as hooks:
            hooks.enter_context(replace(module.get_submodule(self.block), lambda _call: stream))
            for norm in self._norms:
                hooks.enter_context(replace(norm, partial(_unscaled, norm)))
            return self._model(self._images(images))

    def _check(self) -> int:
        """Check that the logits are a linear map of the stream only; return their number."""
        generator = torch.Generator("cpu").manual_seed(0)
        shape = (2, *self._like.shape[1:])
        both = torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
        one, other = both.to(self._like)
        zero, sum_, first, second = (
            self._logits(stream[None]) for stream in (0 * one, one + other, one, other)
        )
        # Two images whose streams after the last block are equal.
        pair = self._logits(torch.stack([one, one]), images=2)
        scale = max(float(each.abs().max()) for each in (sum_, first, second))
        if float((pair[0] - pair[1]).abs().max()) > TOLERANCE * scale:
            raise FeatvizError(f"the head of {self._model.name} reads more than its last block")
        if float((sum_ - first - second + zero).abs().max()) > TOLERANCE * scale:
            raise FeatvizError(
                f"the logits of {self._model.name} are no linear map of its final tokens (it may "
                "use attention or max pooling), so direct effects are undefined"
            )
        return zero.shape[-1]

    def _compute(self, token: int | None) -> Tensor:
        like = self._like
        with eval_mode(self._model.module), torch.enable_grad():
            added = torch.zeros(like.shape[-1], dtype=like.dtype, device=like.device)
            added.requires_grad_()
            tokens = like.shape[1:-1].numel()
            where = like.new_full((tokens, 1), 1.0 if token is None else 0.0)
            if token is not None:
                where[token] = 1
            logits = self._logits((where * added).view(1, *like.shape[1:]))[0]
            rows = torch.eye(self.classes, dtype=logits.dtype, device=logits.device)
            found = [
                torch.autograd.grad(logits, added, chunk, retain_graph=True, is_grads_batched=True)[
                    0
                ]
                for chunk in torch.split(rows, CHUNK)
            ]
        return torch.cat(found).cpu().double()


def _unscaled(norm: nn.Module, call: Call) -> Tensor:
    """Apply a norm without its scale: subtract the mean if it does, multiply by its weight."""
    tokens: Tensor = call.inputs[0]
    if isinstance(norm, nn.LayerNorm):
        tokens = tokens - tokens.mean(-1, keepdim=True)
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    tokens = tokens if weight is None else tokens * weight
    return tokens if bias is None else tokens + bias
