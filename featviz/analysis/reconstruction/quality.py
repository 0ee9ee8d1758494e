"""Quality of a sparse autoencoder on a dataset: what its latents keep of the activations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from featviz._util.progress import Progress, as_progress
from featviz.activations.site_values import change_values
from featviz.analysis.reconstruction.output_change import OutputChange, OutputChanges, has_head
from featviz.analysis.reconstruction.token_statistics import TokenStatistics
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.sae.load import site_in
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.vision_model import VisionModel

BATCH = 32
"""Images in one forward pass."""


@dataclass(frozen=True)
class Quality:
    """Quality of a sparse autoencoder.

    Attributes
    ----------
    images, tokens : int
        How many it was measured on.
    explained_variance : float
        ``1 - sum |x - reconstruction|^2 / sum |x - mean|^2`` over all tokens x; at most 1, and 0
        for a constant reconstruction by the mean. NaN if all tokens are equal.
    l0 : float
        Mean number of latents that fire (are not 0) on a token.
    alive : float
        Share of the latents that fire on at least one token.
    dense : float
        Share of the latents that fire on more than 10 % of the tokens.
    reconstruction : OutputChange
        Change of the model's output when the reconstruction replaces the activations.
    zero_ablation : OutputChange
        The same for zeros, for comparison.
    """

    images: int
    tokens: int
    explained_variance: float
    l0: float
    alive: float
    dense: float
    reconstruction: OutputChange
    zero_ablation: OutputChange


def measure_quality(
    model: VisionModel,
    sae: SparseAutoencoder,
    dataset: Dataset,
    images: int | None = None,
    progress: Progress | bool = False,
) -> Quality:
    """Measure the quality of a sparse autoencoder on the images of a dataset.

    Only the tokens that it was trained on count and are replaced, if its file says so (class token
    or patches); all tokens otherwise. Memory does not grow with the number of images.

    Parameters
    ----------
    model : VisionModel
    sae : SparseAutoencoder
        On any device.
    dataset : Dataset
        Of readable images; see `Dataset.readable`.
    images : int, optional
        Number of images; see `Dataset.indices`. All by default.
    progress : callable or bool
        See `featviz._util.progress.Progress`.

    Returns
    -------
    Quality

    Raises
    ------
    FeatvizError
        If it is a transcoder, the model does not have its site in its width, the activations at
        the site cannot be replaced, or an image cannot be read.
    """
    show, site = as_progress(progress), site_in(model, sae)
    if sae.is_transcoder:
        raise FeatvizError(
            f"{sae.origin.path} is a transcoder: its output is another activation than its input, "
            "so there is no reconstruction to measure"
        )
    tokens = _tokens(model, sae, site.prefix)
    statistics, total = TokenStatistics(sae), len(dataset.indices(images))
    finished = 0

    def reconstructed(values: Tensor) -> Tensor:
        chosen = values[:, tokens]
        new = values.clone()
        new[:, tokens] = statistics.reconstruct(chosen.flatten(0, 1)).view(chosen.shape).to(new)
        return new

    def zeroed(values: Tensor) -> Tensor:
        new = values.clone()
        new[:, tokens] = 0
        return new

    with eval_mode(model.module), torch.no_grad():
        for batch, _ in dataset.batches(model.image_size, BATCH, images):
            shown = batch.to(model.device)
            if not finished:
                head = has_head(model, shown[:1])
                changes = {change: OutputChanges(head) for change in (reconstructed, zeroed)}
            clean = model(shown)
            for change, effects in changes.items():
                with change_values(model, site, change):
                    effects.add(clean, model(shown))
            finished += len(batch)
            show(finished, total)
    return Quality(
        finished,
        statistics.tokens,
        statistics.explained_variance,
        statistics.l0,
        statistics.alive,
        statistics.dense,
        changes[reconstructed].mean(),
        changes[zeroed].mean(),
    )


def _tokens(model: VisionModel, sae: SparseAutoencoder, prefix: int) -> slice:
    """Return the positions that a sparse autoencoder was trained on."""
    if sae.origin.tokens == "patches":
        return slice(prefix, None)
    if sae.origin.tokens == "cls":
        if not model.has_class_token:
            raise FeatvizError(
                f"{sae.origin.path} reads class tokens, and {model.name} has no class token"
            )
        return slice(0, 1)
    return slice(None)
