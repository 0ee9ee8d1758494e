"""The architecture that weights are loaded into: how to build it and convert weights to it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.loading.checkpoints.timm_conversion import build_on_meta, conversion_of
from featviz.models.loading.registry import BUNDLED, TORCHVISION, build, resampled
from featviz.models.vision_model import VisionModel

# Heads that GoogLeNet and Inception v3 of torchvision use in training only.
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")


@dataclass(frozen=True)
class Architecture:
    """An architecture with its options.

    Attributes
    ----------
    name : str
        Of timm, torchvision or cueworld.
    image_size : int or None
        See `featviz.models.loading.registry.build`.
    model_args : dict
        See `featviz.models.loading.registry.build`.
    """

    name: str
    image_size: int | None = None
    model_args: dict[str, Any] = field(default_factory=dict, hash=False)

    def build(self, classes: int | None = None) -> VisionModel:
        """Build it with random weights.

        Parameters
        ----------
        classes : int, optional
            Number of outputs.

        Returns
        -------
        VisionModel
        """
        return build(self.name, False, classes, self.image_size, self.model_args)

    def empty(self, classes: int | None = None) -> VisionModel | None:
        """Build it without memory for its weights, for their names and shapes.

        Parameters
        ----------
        classes : int, optional
            Number of outputs.

        Returns
        -------
        VisionModel or None
            None if it does not take its options.
        """
        with suppress(FeatvizError):
            return build_on_meta(lambda: self.build(classes))
        return None

    def convert(self, state: State, model: VisionModel) -> State:
        """Convert weights to the names and shapes of the architecture, as far as they are known.

        Parameters
        ----------
        state : dict of str to Tensor
        model : VisionModel
            Of the architecture; positions are resampled to its size.

        Returns
        -------
        dict of str to Tensor
        """
        module = model.module
        if not self.name.startswith((BUNDLED, TORCHVISION)):
            return conversion_of(self.name)(state, module)
        state = {name: part for name, part in state.items() if not name.startswith(_TRAINING_ONLY)}
        try:
            if isinstance(module, VisionTransformer):
                return dict(checkpoint_filter_fn(state, module))
            return resampled(state, module)
        except (RuntimeError, ValueError, IndexError):
            # Of another shape than positions have.
            return state

    def classes(self, state: State, model: VisionModel) -> int | None:
        """Return the number of classes of a state dict, if it is not that of a model.

        Parameters
        ----------
        state : dict of str to Tensor
            Converted.
        model : VisionModel

        Returns
        -------
        int or None
            0 without a classifier; None for the model's own number.
        """
        heads = classifiers(model)
        if self.name.startswith(BUNDLED) or not heads:
            return None
        head = heads[0]
        weight, own = state.get(f"{head}.weight"), model.module.state_dict().get(f"{head}.weight")
        if weight is not None and weight.ndim:
            same = own is not None and own.shape[0] == weight.shape[0]
            return None if same else weight.shape[0]
        # Only timm can build a model without a classifier.
        headless = not self.name.startswith(TORCHVISION) and f"{head}.bias" not in state
        return 0 if headless and own is not None else None


def classifiers(model: VisionModel) -> tuple[str, ...]:
    """Return the paths of the layers with one output per class.

    Parameters
    ----------
    model : VisionModel
        Of timm, torchvision or cueworld.

    Returns
    -------
    tuple of str
    """
    config = getattr(model.module, "pretrained_cfg", None)
    named = config.get("classifier") if config else _last_layer(model.module)
    return (named,) if isinstance(named, str) else tuple(named or ())


def _last_layer(module: nn.Module) -> str:
    layers = (nn.Linear, nn.Conv2d)
    paths: list[str] = [path for path, part in module.named_modules() if isinstance(part, layers)]
    return paths[-1]
