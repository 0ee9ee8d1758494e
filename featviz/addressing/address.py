"""The address grammar: text <-> Unit.

SITE:INDEX          mean over the patch tokens, or over all places of a feature map
SITE:INDEX@TOKEN    at one token or place
SITE:INDEX@cls      at the class token
SITE:FILE.npy       the direction in a file, likewise
blocks.2.attn.qk:HEAD@q20.k30, @same, @shift.1.-2      a pre-softmax logit
blocks.2.attn.qk_mode:HEAD.MODE                        a part of it
UNIT+WEIGHT~UNIT    a sum of units
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from featviz.addressing.directions import Direction, is_direction, read_directions
from featviz.addressing.tokens import Pair, Shift, Token, parse_place
from featviz.errors import FeatvizError

# No character that a shell or a terminal would read as anything but itself.
_SELECTOR = re.compile(r"(?P<site>[\w.,-]+):(?P<index>[\w.,/-]+)(@(?P<token>[\w.,-]+))?")
_NUMBER = re.compile(r"[0-9]{1,9}")
FORM = "an address looks like blocks.3.mlp.fc1:42, blocks.3.mlp.fc1:42@7 or patch_embed:0-15"


@dataclass(frozen=True)
class Mode:
    """Which mode of which head, the strongest first."""

    head: int
    mode: int

    def __str__(self) -> str:
        return f"{self.head}.{self.mode}"


@dataclass(frozen=True)
class Unit:
    """One scalar function of an image; `str` gives its address.

    Attributes
    ----------
    site : str
        Path of the site, see `featviz.models.sites`.
    index : int, Mode or Direction
        Neuron, channel, filter, class or head; a head's mode; or a direction among a layer's
        outputs.
    token : int, "cls", "same", Pair, Shift or None
        Position at the site, counted as timm does (prefix tokens first); ``"cls"`` is the class
        token. None means the mean over patch tokens or places. Of a logit, query and key:
        ``"same"`` is the mean over patches that are both.
    """

    site: str
    index: int | Mode | Direction
    token: Token = None

    def __str__(self) -> str:
        where = "" if self.token is None else f"@{self.token}"
        return f"{self.site}:{self.index}{where}"

    @classmethod
    def parse(cls, address: str) -> Unit:
        """Read the address of a single unit, without a model to check it against.

        Raises
        ------
        FeatvizError
            If the text is no address, or a selector of several units.
        """
        site, index, token = split_address(address)
        try:
            return _checked(cls(site, _parse_index(index), parse_place(token)))
        except ValueError:
            message = f"{address!r} is not the address of one unit; {FORM}"
            raise FeatvizError(message) from None


def split_address(text: str) -> tuple[str, str, str | None]:
    """Cut an address or selector into site, index and token.

    Raises
    ------
    FeatvizError
        If it has another form.
    """
    match = _SELECTOR.fullmatch(text)
    if match is None:
        raise FeatvizError(f"{text!r} is not an address; {FORM}")
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
    """Refuse what no site of the unit's kind can have."""
    quantity = unit.site.rpartition(".")[2]
    # Some models call a layer `qk`, so that only they can tell whether it has logits.
    is_logit = quantity in ("qk", "qk_mode")
    at_logit = unit.token == "same" or isinstance(unit.token, Pair | Shift)
    if (
        isinstance(unit.index, Mode) != (quantity == "qk_mode")
        or (isinstance(unit.index, Direction) and at_logit)
        or (at_logit and not is_logit)
        or (quantity == "qk_mode" and not at_logit and unit.token is not None)
    ):
        raise ValueError(str(unit))
    return unit
