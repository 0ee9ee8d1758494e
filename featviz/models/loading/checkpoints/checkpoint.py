"""Load a checkpoint file into an architecture."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.activation import check_activation
from featviz.models.loading.checkpoints.advice import advise
from featviz.models.loading.checkpoints.architecture import Architecture, classifiers
from featviz.models.loading.checkpoints.fitting import Misfit, abbreviate, compare, load_strictly
from featviz.models.loading.checkpoints.read_file import read_state_dicts
from featviz.models.loading.checkpoints.sizes import is_resampled, other_patches, trained_size
from featviz.models.loading.checkpoints.state_dict import State, parts
from featviz.models.loading.registry import HUB, is_known, unknown_model
from featviz.models.vision_model import VisionModel

# Of several networks in one file: the one that the authors evaluate. That is the teacher of DINO,
# iBOT and mean teachers, and the encoder of MoCo that is trained by gradients.
_PREFERRED = re.compile(r"(^|[._])(ema|teacher|encoder_q|base_encoder)([._]|$)")

# Parts of pretraining that are not in the classifier's place: the decoder of masked autoencoders.
_PRETRAINING = ("decoder_",)


@dataclass(frozen=True)
class _Found:
    """Weights of the architecture in a file.

    Attributes
    ----------
    prefix : str
        Before their names in the file.
    original, converted : dict of str to Tensor
        Without the prefix, and with the names and shapes of the architecture.
    unused : list of str
        Names in the same state dict that are not of the architecture.
    """

    prefix: str
    original: State
    converted: State
    unused: list[str]


@dataclass(frozen=True)
class _Attempt:
    """A state dict that does not fit.

    Attributes
    ----------
    prefix : str
        Before its names in the file.
    state : dict of str to Tensor
        Without the prefix, before its conversion to the names of timm.
    misfit : Misfit
        How it differs from the architecture.
    """

    prefix: str
    state: State
    misfit: Misfit


def load_checkpoint(
    path: Path,
    arch: str,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> VisionModel:
    """Load weights from a file into a known architecture.

    The file has a state dict of the architecture, possibly inside other entries
    (`featviz.models.loading.checkpoints.state_dict.find_state_dicts`), with a prefix before all
    names, or under the names that timm converts, as of DINOv2 or OpenAI CLIP. Everything that the
    architecture has must be there, apart from its classifier. A warning names what the file has
    apart from it.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file or a pickle of torch, which runs no code.
    arch : str
        A name of timm, torchvision or cueworld. Image size and normalization are those of its
        published weights (GoogLeNet and Inception v3 of torchvision normalize a second time
        inside); the number of classes is that of the classifier in the file, 0 without one.
    image_size, model_args
        See `featviz.models.loading.registry.build`. Weights of another size are resampled only if
        `image_size` is given.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there is no such architecture, the file cannot be read as weights, or they do not match
        the architecture exactly.
    """
    if not is_known(arch) or arch.startswith(HUB):
        raise unknown_model(arch, "architecture")
    states = read_state_dicts(path)
    architecture = Architecture(arch, image_size, dict(model_args or {}))
    model = architecture.build()
    found = _find(states, architecture, model, path)
    _check_sizes(found, architecture, model, path)
    check_activation(found.original, architecture, model, path)
    _check_classifier(found, model, path)
    classes = architecture.classes(found.converted, model)
    if classes is not None:
        model = architecture.build(classes)
    state = architecture.convert(found.original, model)
    for name in found.unused:
        if name.startswith(found.prefix):
            state.pop(name.removeprefix(found.prefix), None)
    misfit = compare(state, model.module)
    if misfit:
        raise _refusal(_Attempt(found.prefix, found.original, misfit), architecture, model, path)
    load_strictly(model.module, state, path)
    if found.unused:
        warnings.warn(_left_out(found, path, arch), stacklevel=4)
    return model


def _find(
    states: list[tuple[str, State]], architecture: Architecture, model: VisionModel, path: Path
) -> _Found:
    """Return the weights of the architecture in a file."""
    min_tensors = len(list(model.module.parameters())) // 2
    attempts = []
    for entry, state in states:
        fits: list[_Found] = []
        for prefix, part in parts(state, min_tensors):
            if any(prefix.startswith(each.prefix) for each in fits):
                continue
            for original in _variants(part):
                converted = architecture.convert(original, model)
                misfit = compare(converted, model.module, classifiers(model))
                heads = _pretraining_heads(converted, misfit, classifiers(model))
                rest = _without(misfit, heads)
                own = {name: tensor for name, tensor in converted.items() if name not in heads}
                if not rest or _is_headless(own, rest, architecture, model):
                    unused = [name for name in state if not name.startswith(prefix)]
                    unused += [prefix + name for name in heads]
                    fits.append(_Found(prefix, original, converted, unused))
                    break
                where = f"{entry}.{prefix}" if entry else prefix
                attempts.append(_Attempt(where, original, misfit))
        if fits:
            return _chosen(fits, path)
    best = min(attempts, key=lambda attempt: len(attempt.misfit.missing))
    raise _refusal(best, architecture, model, path)


def _chosen(fits: list[_Found], path: Path) -> _Found:
    preferred = [found for found in fits if _PREFERRED.search(found.prefix)]
    chosen = preferred or fits
    if len(chosen) > 1:
        prefixes = " and ".join(found.prefix for found in chosen)
        raise FeatvizError(
            f"{path} has several networks of this architecture, under {prefixes}; "
            "save the one that you mean in a file of its own"
        )
    return chosen[0]


def _variants(part: State) -> Iterator[State]:
    """Yield a state dict, and forms of it that timm's conversions expect."""
    yield part
    if "class_embedding" in part and "conv1.weight" in part:
        # The vision tower of CLIP alone.
        yield {f"visual.{name}": tensor for name, tensor in part.items()}
    if any(re.match(r"blocks\.\d+\.\d+\.", name) for name in part):
        # Blocks in chunks, as DINOv2 is trained with FSDP.
        yield {re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", name): part[name] for name in part}


def _pretraining_heads(state: State, misfit: Misfit, paths: Sequence[str]) -> list[str]:
    """Return the names of a projection head in the classifier's place, and of decoders."""
    heads = [name for name in misfit.unexpected if name.startswith(_PRETRAINING)]
    for path in paths:
        if f"{path}.weight" not in state:
            # A layer inside it, not its own weight or bias.
            heads += [name for name in state if re.match(rf"{re.escape(path)}\.\w+\.", name)]
    return heads


def _is_headless(
    state: State, misfit: Misfit, architecture: Architecture, model: VisionModel
) -> bool:
    """Return whether only layers are missing that timm leaves out together with the classifier."""
    parents = tuple(f"{head.rpartition('.')[0]}." for head in classifiers(model) if "." in head)
    only_missing = not (misfit.unexpected or misfit.shapes)
    if not only_missing or not all(name.startswith(parents) for name in misfit.missing):
        return False
    headless = architecture.empty(0)
    return headless is not None and not compare(state, headless.module)


def _without(misfit: Misfit, names: list[str]) -> Misfit:
    unexpected = [name for name in misfit.unexpected if name not in names]
    return Misfit(misfit.missing, unexpected, misfit.shapes)


def _check_sizes(found: _Found, architecture: Architecture, model: VisionModel, path: Path) -> None:
    """Refuse weights that would be resampled without being asked for."""
    state = found.original
    if not is_resampled(state, model):
        return
    patches, size = other_patches(state, model), trained_size(state, model)
    native = None if size is None else replace(architecture, image_size=size).empty()
    if patches is not None or native is None or is_resampled(state, native):
        how = f"patches of {patches} pixels" if patches else "other windows"
        advice = advise(state, architecture, model)
        raise FeatvizError(f"{path} does not fit {architecture.name}: it has {how}{advice}")
    if architecture.image_size is None:
        raise FeatvizError(
            f"{path} was trained at {size} pixels, and {architecture.name} takes "
            f"{model.image_size}: --image-size {size}, or --image-size {model.image_size} to "
            "resample its positions"
        )


def _check_classifier(found: _Found, model: VisionModel, path: Path) -> None:
    """Refuse a classifier that reads a layer that timm leaves out: `pre_logits` of early ViTs."""
    layer = next((name for name in found.original if "pre_logits" in name), None)
    heads = [f"{path}.weight" for path in classifiers(model)]
    if layer and layer not in found.converted and any(name in found.converted for name in heads):
        raise FeatvizError(
            f"{path}: the classifier reads {layer.rpartition('.')[0]}, a layer that timm does not "
            f"have; leave out {heads[0]} to load the weights before it"
        )


def _refusal(
    attempt: _Attempt, architecture: Architecture, model: VisionModel, path: Path
) -> FeatvizError:
    under = f", under {attempt.prefix!r}" if attempt.prefix else ""
    return FeatvizError(
        f"{path} does not fit {architecture.name}{under}: tensors {attempt.misfit}"
        f"{advise(attempt.state, architecture, model)}"
    )


def _left_out(found: _Found, path: Path, arch: str) -> str:
    under = f" under {found.prefix!r}" if found.prefix else ""
    count = len(found.unused)
    noun = "tensor" if count == 1 else "tensors"
    return (
        f"{path}: loaded {arch}{under}, without {count} {noun} of other parts: "
        f"{abbreviate(found.unused)}"
    )
