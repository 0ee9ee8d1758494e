"""How far an affine map stands in for each normalization of the residual stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from patching.forward.cache import run_with_cache
from patching.vit.residual_vit import ResidualViT
from patching.vit.stream_norms import StreamNorm, norm_inputs, norms_of, rescaled


@dataclass(frozen=True)
class StandIn:
    """How well an affine map does a norm's work.

    Attributes
    ----------
    path : str
        Of the norm.
    scale : float
        The map is ``gain * (x - mean of x) * scale + bias``: the average scale in the data.
    r2 : float
        Share of the variance of the norm's outputs, over images, tokens and channels and around
        each channel's mean, that the map explains on the unreplaced stream; 1 at best.
    accuracy : float
        Share of right answers that is left when the map replaces this norm alone.
    """

    path: str
    scale: float
    r2: float
    accuracy: float


@dataclass(frozen=True)
class Linearity:
    """How far affine maps stand in for the norms of a model.

    Attributes
    ----------
    norms : list of StandIn
        In the order of the forward pass.
    accuracy : float
        Share of right answers of the model as it is.
    accuracy_all : float
        The same when every norm is replaced at once.
    images : int
        How many the shares and the R^2 are of.
    """

    norms: list[StandIn]
    accuracy: float
    accuracy_all: float
    images: int


def mean_scales(vit: ResidualViT, starts: Iterable[Tensor]) -> dict[str, float]:
    """Average what each norm multiplies by, over all images and tokens.

    Parameters
    ----------
    starts : iterable of Tensor, each of shape (N, T, C)
        The streams of batches of images before the first block.

    Returns
    -------
    dict of str to float
        By the path of the norm.

    Raises
    ------
    FeatvizError
        See `patching.vit.stream_norms.norms_of`.
    """
    norms = norms_of(vit)
    total, count = ({norm.path: 0.0 for norm in norms} for _ in range(2))
    with torch.no_grad():
        for start in starts:
            inputs = norm_inputs(vit, run_with_cache(vit, start))
            for norm in norms:
                scale = norm.scale(inputs[norm.path]).double()
                total[norm.path] += scale.sum().item()
                count[norm.path] += scale.numel()
    return {path: total[path] / count[path] for path in total}


def linearity(
    vit: ResidualViT, scales: Mapping[str, float], batches: Iterable[tuple[Tensor, Tensor]]
) -> Linearity:
    """Measure affine maps in the place of each norm, and of all of them.

    Parameters
    ----------
    scales : mapping of str to float
        From `mean_scales`, better of other images than these.
    batches : iterable of (Tensor, Tensor)
        Streams before the first block, (N, T, C), and labels (N,); at least one batch.
    """
    norms = norms_of(vit)
    moments = [_Moments() for _ in norms]
    alone = [0] * len(norms)
    as_is = together = images = 0
    with torch.no_grad():
        for start, labels in batches:
            whole = run_with_cache(vit, start)
            images += len(labels)
            as_is += _right(whole.logits, labels)
            inputs = norm_inputs(vit, whole)
            for number, norm in enumerate(norms):
                read = inputs[norm.path]
                fixed = _fixed(scales[norm.path], read)
                moments[number].add(norm.apply(read, norm.scale(read)), norm.apply(read, fixed))
                with _replaced([norm], scales):
                    stream = vit.run(whole.streams[norm.start], norm.start)
                    alone[number] += _right(vit.finish(stream), labels)
            with _replaced(norms, scales):
                together += _right(vit.finish(vit.run(start)), labels)
    found = [
        StandIn(norm.path, scales[norm.path], part.r2, right / images)
        for norm, part, right in zip(norms, moments, alone, strict=True)
    ]
    return Linearity(found, as_is / images, together / images, images)


@contextmanager
def _replaced(norms: Sequence[StreamNorm], scales: Mapping[str, float]) -> Iterator[None]:
    with ExitStack() as stack:
        for norm in norms:
            stack.enter_context(rescaled(norm, partial(_fixed, scales[norm.path])))
        yield


def _fixed(scale: float, tokens: Tensor) -> Tensor:
    return tokens.new_tensor(scale)


def _right(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(-1) == labels.to(logits.device)).sum())


class _Moments:
    """Sums over tokens from which a coefficient of determination follows, in float64."""

    def __init__(self) -> None:
        self.tokens = 0
        self.error = 0.0
        self.first: Tensor | float = 0.0
        self.second: Tensor | float = 0.0

    def add(self, right: Tensor, found: Tensor) -> None:
        right, found = (each.double().flatten(0, -2) for each in (right, found))
        self.tokens += len(right)
        self.error += (right - found).square().sum().item()
        self.first = self.first + right.sum(0)
        self.second = self.second + right.square().sum(0)

    @property
    def r2(self) -> float:
        spread = torch.as_tensor(self.second - self.first**2 / self.tokens).sum().item()
        return 1 - self.error / spread
