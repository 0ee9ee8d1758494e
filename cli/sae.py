"""`featviz sae`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    device_option,
    images_option,
    load_model,
    load_options,
    skip_unreadable_option,
)
from cli.output import json_option, print_json, print_line, print_table, print_unreadable
from cli.paths import MODEL, PATH
from cli.progress import loading_pytorch, progress_bar
from featviz.models.loading.options import LoadOptions
from featviz.models.loading.sae_files import split_site

if TYPE_CHECKING:
    from featviz.analysis.reconstruction.quality import Quality
    from featviz.models.sae.sparse_autoencoder import SparseAutoencoder


@click.command()
@click.argument("path", type=MODEL, metavar="PATH[@SITE]")
@click.option("--model", type=MODEL, metavar="MODEL", help="Model to measure the quality in.")
@click.option("--data", metavar="DATA", help="Dataset to measure the quality on.")
@click.option(
    "-o",
    "--output",
    "store",
    type=PATH,
    metavar="STORE",
    help="Folder to store the quality in, for the gallery.",
)
@click.option("--download", is_flag=True, help="Download a torchvision dataset that is missing.")
@skip_unreadable_option
@images_option(1)
@load_options("MODEL")
@device_option
@json_option
def sae(
    path: str,
    model: str | None,
    data: str | None,
    store: str | None,
    download: bool,
    skip_unreadable: bool,
    images: int | None,
    options: LoadOptions,
    device: str,
    as_json: bool,
) -> None:
    """Describe a sparse autoencoder, and measure its quality.

    PATH is the folder or file of a sparse autoencoder of SAELens, ViT-Prisma, saev,
    dictionary_learning or Overcomplete, or cueworld/sae (bundled). @SITE states the site that it
    reads where the files do not.

    With --model and --data, measures on all tokens of the images: the explained variance; the mean
    number of latents that fire on a token (mean L0); the shares of latents that fire on at least
    one token (alive) and on more than 10 % (dense); and how the output of the model changes when
    the reconstruction replaces the activations, compared with zeros.

    \b
    Examples:
      featviz sae cueworld/sae
      # Its quality on held-out images
      featviz sae cueworld/sae --model cueworld/vit --data cueworld
      # The same for the gallery, next to the examples of its latents
      featviz sae cueworld/sae --model cueworld/vit --data cueworld -o latents
    """
    if (model is None) != (data is None):
        given, missing = ("--model", "--data") if data is None else ("--data", "--model")
        raise click.UsageError(f"{given} needs {missing}: quality is measured in a model on data")
    if store is not None and model is None:
        raise click.UsageError("-o needs --model and --data: it stores the quality")
    with loading_pytorch():
        from featviz.models.sae.load import load_sae

    loaded = load_sae(*split_site(path))
    report = _facts(loaded)
    quality = None
    if model is not None and data is not None:
        from featviz.analysis.reconstruction.job import quality_to_store
        from featviz.analysis.reconstruction.quality import measure_quality
        from featviz.data.datasets import open_data

        vision_model = load_model(model, options, device)
        dataset = open_data(data, download, skip_unreadable)
        dataset = dataset.readable(dataset.indices(images))
        loaded = loaded.to(vision_model.device)
        with progress_bar() as progress:
            if store is None:
                quality = measure_quality(vision_model, loaded, dataset, images, progress)
            else:
                quality = quality_to_store(vision_model, loaded, dataset, store, images, progress)
        print_unreadable(list(dataset.left_out.values()))
    if as_json:
        from featviz._util.jsonable import to_jsonable

        print_json(report if quality is None else report | {"quality": to_jsonable(quality)})
        return
    print_table([(name.replace("_", " "), _text(value)) for name, value in report.items()])
    if quality is not None:
        print_line()
        _print_quality(quality)


def _facts(loaded: SparseAutoencoder) -> dict[str, Any]:
    origin = loaded.origin
    return {
        "path": origin.path,
        "library": origin.library,
        "architecture": origin.architecture,
        "model": origin.model,
        "site": origin.site,
        "tokens": origin.tokens,
        "width": loaded.width,
        "output_width": loaded.output_width,
        "latents": loaded.latents,
        "normalization": loaded.normalization,
        "digest": loaded.digest,
    }


def _print_quality(quality: Quality) -> None:
    numbers = {
        "images": quality.images,
        "tokens": quality.tokens,
        "explained variance": quality.explained_variance,
        "mean L0": quality.l0,
        "alive": quality.alive,
        "dense": quality.dense,
    }
    print_table([(name, _text(value)) for name, value in numbers.items()])
    print_line()
    columns = (quality.reconstruction, quality.zero_ablation)
    rows: list[tuple[object, ...]] = [("change of the output", "reconstruction", "zero ablation")]
    if quality.reconstruction.kl is not None:
        rows.append(("KL divergence (nats)", *(each.kl for each in columns)))
        rows.append(("same top-1", *(each.same_top1 for each in columns)))
    rows.append(("cosine similarity", *(each.cosine for each in columns)))
    print_table(rows)


def _text(value: object) -> str:
    """Write a value of a table of two columns, whose numbers are not aligned."""
    if value is None:
        return "not stated"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
