"""What units write to the residual stream."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.blocks.activations import OUTPUTS, STREAM
from featviz.models.hooks import Call, Side, eval_mode, record
from featviz.models.sae.latent_sites import written_activation
from featviz.models.sites import PROJECTIONS, Site
from featviz.models.vision_model import VisionModel

TOLERANCE = 1e-4
"""Largest error of a sum that should give the stream, relative to what is added, in float32."""

_SUBLAYERS = {"attn_out": (1, "resid_pre", "resid_mid"), "mlp_out": (2, "resid_mid", "resid_post")}
"""What each sublayer adds, the number of its LayerScale, and the stream before and after it."""


class StreamWrites:
    """The vectors that units add to the residual stream per unit of activation.

    A coordinate of the stream, or of what attention or MLP add to it, is written as it is. A
    neuron, or a coordinate of ``attn.z``, is written through the weights of the output layer
    (``mlp.fc2``, ``attn.proj``) and LayerScale. These are read from the weights, and their sum is
    compared with the stream of a forward pass. A latent of a sparse autoencoder of one of these
    activations of the stream is written along its row of the decoder; the scale of a token, which
    autoencoders of normalized activations restore, is left out.

    Parameters
    ----------
    model : VisionModel
    last : str
        Path of the block whose output the head reads.
    """

    def __init__(self, model: VisionModel, last: str) -> None:
        self._model = model
        self._values = _record(model)
        self._reached = set(self._reaching(last))
        self.of = cache(self._of)

    def _of(self, path: str) -> Tensor | None:
        """Return the vectors of all units of a site.

        Parameters
        ----------
        path : str
            Path of the site.

        Returns
        -------
        Tensor, shape (width, channels), float64, on the CPU; or None
            None if each unit is written to its own channel: an identity matrix.

        Raises
        ------
        FeatvizError
            If they write nothing to the stream that the head reads, with the reason.
        """
        site = self._model.sites.get(path)
        if site is not None and site.sae is not None:
            self._check_reached(*written_activation(site).path.rsplit(".", 1))
            return site.sae.decoder.cpu().double()
        block = next((each for each in self._blocks if path.startswith(f"{each}.")), "")
        name = path.removeprefix(f"{block}.")
        sublayer = self._sublayer(block, name)
        if sublayer is None and name not in (*STREAM, *OUTPUTS):
            raise FeatvizError(
                "no neuron of an MLP, no output of an attention, no coordinate of the residual "
                "stream and no latent"
            )
        self._check_reached(block, name)
        return None if sublayer is None else self._written(block, name, sublayer)

    def _check_reached(self, block: str, name: str) -> None:
        if block not in self._reached and f"{block}.{name}" not in self._reached:
            raise FeatvizError(f"what {block} adds does not reach the head by addition only")

    @property
    def _blocks(self) -> list[str]:
        sites = self._model.sites
        return [path.rpartition(".")[0] for path in sites if path.endswith(".resid_post")]

    def _reaching(self, last: str) -> Iterator[str]:
        """Yield the blocks whose terms reach the head, and the stream after the one before them."""
        yield f"{last}.resid_post"
        blocks = self._blocks[: self._blocks.index(last) + 1]
        for block, before in zip(blocks[::-1], [*blocks[-2::-1], None], strict=True):
            if f"{block}.attn_out" not in self._model.sites:
                return
            yield block
            if before is None or not torch.equal(
                self._values[f"{before}.resid_post"], self._values[f"{block}.resid_pre"]
            ):
                return
            yield f"{before}.resid_post"

    def _sublayer(self, block: str, name: str) -> str | None:
        """Return whether a site reads or gives the output layer of the attention or the MLP."""
        owner, _, last = name.rpartition(".")
        is_attention = f"{block}.{owner}.z" in self._model.sites
        if is_attention and last in ("z", *PROJECTIONS):
            return "attn_out"
        return "mlp_out" if name in ("mlp_act", "mlp.fc1", "mlp.fc2") else None

    def _written(self, block: str, name: str, sublayer: str) -> Tensor:
        """Return weights of the output layer times LayerScale, checked on a forward pass."""
        number, before, after = _SUBLAYERS[sublayer]
        sites = self._model.sites
        if name == "mlp.fc1" and not self._is_neuron(block):
            raise FeatvizError(f"not what {block}.mlp.fc2 reads; use {block}.mlp_act")
        owner = f"{block}.{name.rpartition('.')[0]}"
        path = f"{block}.mlp.fc2" if sublayer == "mlp_out" else sites[f"{owner}.z"].owner
        layer = self._model.module.get_submodule(path)
        inputs = self._values.get(path)
        if not isinstance(layer, nn.Linear) or inputs is None:
            raise FeatvizError(f"{path} is not a linear layer that is called once")
        scale = self._layer_scale(block, number, layer.out_features)
        start, end = (self._values[f"{block}.{each}"] for each in (before, after))
        with torch.no_grad():
            added = scale * F.linear(inputs.flatten(1, -2), layer.weight, layer.bias)
            error = (start.flatten(1, -2) + added - end.flatten(1, -2)).abs().max()
            tolerance = max(TOLERANCE, 16 * torch.finfo(added.dtype).eps)
            if not bool(error <= tolerance * added.abs().max()):
                raise FeatvizError(
                    f"what {block} adds is not the output of {path} times LayerScale: a norm may "
                    "follow it"
                )
            scale = scale.expand(layer.out_features).cpu().double()
            if name.rpartition(".")[2] in ("fc2", *PROJECTIONS):
                return torch.diag(scale)
            return layer.weight.T.cpu().double() * scale

    def _is_neuron(self, block: str) -> bool:
        """Whether fc1 has one unit for each neuron, without a gate or a norm in between."""
        site = self._model.sites.get(f"{block}.mlp_act")
        return site is not None and site.owner == f"{block}.mlp.fc1"

    def _layer_scale(self, block: str, number: int, width: int) -> Tensor:
        parameters = dict(self._model.module.get_submodule(block).named_parameters())
        names = (f"ls{number}.gamma", f"gamma_{number}", f"gamma{number}")
        found = next((parameters[name] for name in names if name in parameters), None)
        like = next(iter(parameters.values()))
        return like.new_ones(width) if found is None else found.detach()


def _record(model: VisionModel) -> dict[str, Tensor]:
    """Return the stream around the sublayers of every block, and the inputs of output layers.

    Returns
    -------
    dict of str to Tensor
        By path of the site, or of the output layer.
    """
    sites = model.sites
    wanted: dict[tuple[str, Side], list[str]] = {}
    scales: dict[str, str] = {}

    def want(site: Site) -> None:
        assert site.source is not None
        wanted.setdefault((site.owner, site.source.side), []).append(site.path)
        if site.source.scale:
            scales[site.path] = site.source.scale

    for path, site in sites.items():
        if path.rpartition(".")[2] in STREAM:
            want(site)
        elif path.endswith(".z"):
            wanted.setdefault((site.owner, "input"), []).append(site.owner)
        elif path.endswith(".mlp_act"):
            layer = f"{path.rpartition('.')[0]}.mlp.fc2"
            wanted.setdefault((layer, "input"), []).append(layer)
    found: dict[str, Tensor] = {}

    def take(side: Side, call: Call) -> None:
        value = call.inputs[0] if side == "input" else call.output
        value = value[0] if isinstance(value, tuple) else value
        for name in wanted[call.path, side]:
            scale = scales.get(name)
            found[name] = value.clone()
            if scale is not None:
                found[name] *= model.module.get_parameter(scale)

    side = model.image_size
    image = torch.linspace(0, 1, 3 * side * side, dtype=torch.float32, device="cpu")
    image = image.view(1, 3, side, side).to(model.device)
    inputs = [path for path, where in wanted if where == "input"]
    outputs = [path for path, where in wanted if where == "output"]
    with (
        eval_mode(model.module),
        torch.no_grad(),
        record(model.module, inputs, lambda call: take("input", call), side="input"),
        record(model.module, outputs, lambda call: take("output", call)),
    ):
        model(image)
    return found
