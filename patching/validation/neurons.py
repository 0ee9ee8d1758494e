"""Which rendered units are neurons that can be validated, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.validation.suffix import Suffix
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class MLPNeuron:
    """A neuron of an MLP.

    Attributes
    ----------
    address : str
    layer, number : int
        Its block, and its place in the block's MLP.
    token : int or None
        The only token that it is read and changed at; None for all.
    """

    address: str
    layer: int
    number: int
    token: int | None

    @property
    def group(self) -> tuple[int, int]:
        """Layer and token: what units that are validated together share; -1 for all tokens."""
        return self.layer, -1 if self.token is None else self.token


def mlp_neurons(
    model: VisionModel, vit: ResidualViT, addresses: Sequence[str]
) -> tuple[list[MLPNeuron], dict[str, str]]:
    """Choose the units that can be validated.

    Returns
    -------
    targets : list of MLPNeuron
        By layer and token, then as they were given.
    skipped : dict of str to str
        The other addresses, and why each is left out.
    """
    layers = {f"blocks.{layer}.mlp.fc1": layer for layer in range(vit.depth)}
    refused = {}
    for site, layer in layers.items():
        try:
            Suffix(vit, layer)
        except FeatvizError as error:
            refused[site] = str(error)
    found, skipped = [], {}
    for address in addresses:
        try:
            (unit,) = units(model, address)
        except FeatvizError as error:  # such as of a direction whose file is gone
            skipped[address] = str(error)
            continue
        block = layers.get(getattr(unit, "site", ""))
        if block is None or not isinstance(unit, Unit) or not isinstance(unit.index, int):
            skipped[address] = "it is no neuron of an MLP (blocks.L.mlp.fc1:N)"
        elif unit.site in refused:
            skipped[address] = refused[unit.site]
        else:
            token: object = 0 if unit.token == "cls" else unit.token
            known = token if isinstance(token, int) else None
            found.append(MLPNeuron(address, block, unit.index, known))
    return sorted(found, key=lambda target: target.group), skipped
