"""Linearity of LayerNorm: how well an affine map approximates each norm of the residual stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from patching.forward.cache import run_with_cache
from patching.forward.stream_norms import StreamNorm, norm_inputs, norms_of, rescaled
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class AffineFit:
    """How well an affine map approximates a norm.

    Attributes
    ----------
    path : str
        Path of the norm.
    scale : float
        The scale of the map, ``gain * (x - mean(x)) * scale + bias``: the norm's average scale.
    r2 : float
        Coefficient of determination of the norm's outputs on the unmodified stream, over images,
        tokens and channels, where the variance is around each channel's mean; at most 1.
    accuracy : float
        Accuracy of the model in [0, 1] when the map replaces this norm only.
    """

    path: str
    scale: float
    r2: float
    accuracy: float


@dataclass(frozen=True)
class Linearity:
    """How well affine maps approximate the norms of a model.

    Attributes
    ----------
    norms : list of AffineFit
        In the order of the forward pass.
    accuracy : float
        Accuracy of the unmodified model in [0, 1].
    accuracy_all : float
        Accuracy when maps replace all norms at once.
    images : int
        Number of images.
    """

    norms: list[AffineFit]
    accuracy: float
    accuracy_all: float
    images: int


def mean_scales(vit: ResidualViT, starts: Iterable[Tensor]) -> dict[str, float]:
    """Average the scale of each norm over all images and tokens.

    Parameters
    ----------
    vit : ResidualViT
    starts : iterable of Tensor, each of shape (N, T, C)
        Residual streams before the first block, batch by batch.

    Returns
    -------
    dict of str to float
        By the path of the norm.

    Raises
    ------
    FeatvizError
        See `patching.forward.stream_norms.norms_of`.
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
    """Measure affine maps in place of each norm, and of all norms.

    Parameters
    ----------
    vit : ResidualViT
    scales : mapping of str to float
        From `mean_scales`, preferably of other images.
    batches : iterable of (Tensor, Tensor)
        Residual streams before the first block, (N, T, C), and labels, (N,); at least one batch.

    Returns
    -------
    Linearity
    """
    norms = norms_of(vit)
    moments = [_Moments() for _ in norms]
    alone = [0] * len(norms)
    unmodified = together = images = 0
    with torch.no_grad():
        for start, labels in batches:
            whole = run_with_cache(vit, start)
            images += len(labels)
            unmodified += _correct(whole.logits, labels)
            inputs = norm_inputs(vit, whole)
            for index, norm in enumerate(norms):
                read = inputs[norm.path]
                fixed = _fixed(scales[norm.path], read)
                moments[index].add(norm.apply(read, norm.scale(read)), norm.apply(read, fixed))
                with _replaced([norm], scales):
                    stream = vit.run(whole.streams[norm.start], norm.start)
                    alone[index] += _correct(vit.finish(stream), labels)
            with _replaced(norms, scales):
                together += _correct(vit.finish(vit.run(start)), labels)
    fits = [
        AffineFit(norm.path, scales[norm.path], moment.r2, correct / images)
        for norm, moment, correct in zip(norms, moments, alone, strict=True)
    ]
    return Linearity(fits, unmodified / images, together / images, images)


@contextmanager
def _replaced(norms: Sequence[StreamNorm], scales: Mapping[str, float]) -> Iterator[None]:
    with ExitStack() as stack:
        for norm in norms:
            stack.enter_context(rescaled(norm, partial(_fixed, scales[norm.path])))
        yield


def _fixed(scale: float, tokens: Tensor) -> Tensor:
    return tokens.new_tensor(scale)


def _correct(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(-1) == labels.to(logits.device)).sum())


class _Moments:
    """Sums over tokens, in float64, for a coefficient of determination."""

    def __init__(self) -> None:
        self.tokens = 0
        self.error = 0.0
        self.first: Tensor | float = 0.0
        self.second: Tensor | float = 0.0

    def add(self, exact: Tensor, estimated: Tensor) -> None:
        exact, estimated = (each.double().flatten(0, -2) for each in (exact, estimated))
        self.tokens += len(exact)
        self.error += (exact - estimated).square().sum().item()
        self.first = self.first + exact.sum(0)
        self.second = self.second + exact.square().sum(0)

    @property
    def r2(self) -> float:
        spread = torch.as_tensor(self.second - self.first**2 / self.tokens).sum().item()
        return 1 - self.error / spread
