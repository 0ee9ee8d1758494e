"""The address grammar: text <-> `Unit`.

SITE:INDEX          mean over the patch tokens, or over all positions of a feature map
SITE:INDEX@TOKEN    at one token or position
SITE:INDEX@cls      at the class token
SITE:INDEX@max      the largest over the patch tokens, or over all positions of a feature map
SITE:FILE.npy       the direction in a file, with the same token parts
blocks.2.attn.qk:HEAD@q20.k30, @same, @shift.1.-2      a pre-softmax logit
blocks.2.attn.qk_mode:HEAD.MODE                        its part along one query-key mode
UNIT+WEIGHT~UNIT    a weighted sum of units
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from featviz.addressing.directions import Direction, is_direction, read_directions
from featviz.addressing.tokens import Pair, Shift, Token, parse_token
from featviz.errors import FeatvizError

# Only characters that no shell or terminal interprets.
_SELECTOR = re.compile(r"(?P<site>[\w.,-]+):(?P<index>[\w.,/-]+)(@(?P<token>[\w.,-]+))?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_EXAMPLES = "an address looks like blocks.3.mlp.fc1:42, blocks.3.mlp.fc1:42@7 or patch_embed:0-15"


@dataclass(frozen=True)
class Mode:
    """A query-key mode of a head; mode 0 is the strongest."""

    head: int
    mode: int

    def __str__(self) -> str:
        return f"{self.head}.{self.mode}"


@dataclass(frozen=True)
class Unit:
    """A scalar function of an image; `str` returns its address.

    Attributes
    ----------
    site : str
        Path of the site, see `featviz.models.sites`.
    index : int, Mode or Direction
        Neuron, channel, filter, class or head; a mode of a head; or a direction in the output
        space of a layer.
    token : int, "cls", "max", "same", Pair, Shift or None
        Position at the site, counted as in timm (prefix tokens first); ``"cls"`` is the class
        token. None means the mean over the patch tokens, or over all positions of a feature map;
        ``"max"``, the largest value in place of the mean.
        For logits, a `Pair` of query and key, a `Shift`, or ``"same"`` (``"max"``): the mean (the
        largest) over patches of their logit with themselves.
    """

    site: str
    index: int | Mode | Direction
    token: Token = None

    def __str__(self) -> str:
        token = "" if self.token is None else f"@{self.token}"
        return f"{self.site}:{self.index}{token}"

    @classmethod
    def parse(cls, address: str) -> Unit:
        """Parse the address of a single unit, without a model to check it against.

        Parameters
        ----------
        address : str
            Not a sum of units; see `featviz.addressing.combinations.split_terms`.

        Returns
        -------
        Unit

        Raises
        ------
        FeatvizError
            If the text is not an address, or a selector of several units.
        """
        site, index, token = split_address(address)
        try:
            return _checked(cls(site, _parse_index(index), parse_token(token)))
        except ValueError:
            message = f"{address!r} is not the address of one unit; {_EXAMPLES}"
            raise FeatvizError(message) from None


def split_address(text: str) -> tuple[str, str, str | None]:
    """Split an address or selector into its parts.

    Parameters
    ----------
    text : str
        ``SITE:INDEX`` or ``SITE:INDEX@TOKEN``.

    Returns
    -------
    site, index : str
    token : str or None

    Raises
    ------
    FeatvizError
        If the text has another form.
    """
    match = _SELECTOR.fullmatch(text)
    if match is None:
        reason = _EXAMPLES
        if ".npy" in text:
            reason = "the path of a direction may have letters, digits, '_', '-', '.' and '/' only"
        raise FeatvizError(f"{text!r} is not an address; {reason}")
    return match["site"], match["index"], match["token"]


def _parse_index(text: str) -> int | Mode | Direction:
    if is_direction(text):
        (direction,) = read_directions(text)
        return direction
    numbers = text.split(".")
    if len(numbers) > 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise ValueError(text)
    return Mode(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else int(text)


def _checked(unit: Unit) -> Unit:
    """Raise `ValueError` if no site of the unit's kind can have such an index and token."""
    quantity = unit.site.rpartition(".")[2]
    # Some models have a layer named `qk`; only the model can tell whether it has logits.
    is_logit = quantity in ("qk", "qk_mode")
    at_logit = unit.token == "same" or isinstance(unit.token, Pair | Shift)
    if (
        isinstance(unit.index, Mode) != (quantity == "qk_mode")
        or (isinstance(unit.index, Direction) and at_logit)
        or (at_logit and not is_logit)
        or (quantity == "qk_mode" and not at_logit and unit.token not in (None, "max"))
    ):
        raise ValueError(str(unit))
    return unit
