"""Activations of transformer blocks that are no layer's output, and the modules that expose them.

The names are those of TransformerLens: the residual stream before a block (`resid_pre`), between
its attention and its MLP (`resid_mid`) and after it (`resid_post`), what the two add to it
(`attn_out`, `mlp_out`), and the neurons after their nonlinearity (`mlp_act`). Where a block has
them is not looked up by its class: it is taken from a forward pass, in which
``resid_pre + attn_out == resid_mid`` and ``resid_mid + mlp_out == resid_post`` must hold exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from featviz.models.hooks import Call, Side, record
from featviz.models.reproducibility import sample

STREAM = ("resid_pre", "resid_mid", "resid_post")
"""The residual stream before a block, between attention and MLP, and after the block."""
OUTPUTS = ("attn_out", "mlp_out")
"""What attention and MLP add to the stream, after LayerScale and a normalization that follows."""
OF_BLOCKS = (*STREAM, *OUTPUTS, "mlp_act")
"""Activations whose address has the path of a block."""
VECTORS: tuple[Literal["q"], Literal["k"], Literal["v"]] = ("q", "k", "v")
"""Queries, keys and values, all heads joined; their address has the path of an attention."""
OF_ATTENTION = (*VECTORS, "z")
"""``z`` is what the output projection reads."""

Shape = tuple[int, ...]

# Names of the parts of a block in timm, torchvision and torch.
_ATTENTION = ("attn", "self_attention", "self_attn", "attention")
_FIRST_NORM, _SECOND_NORM = ("norm1", "ln_1"), ("norm2", "ln_2")
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Source:
    """How an activation follows from the input of a module.

    Attributes
    ----------
    side : str
        ``"input"``: it is the input. ``"output"``: it is what the module returns for it.
    scale : str or None
        Path of a parameter that it is multiplied by: LayerScale that is no module.
    vectors : str or None
        One of `VECTORS`, if the module is an attention and the activation is projected from its
        input.
    nonlinearity : str or None
        Path of a module that is applied to the output.
    """

    side: Side = "input"
    scale: str | None = None
    vectors: Literal["q", "k", "v"] | None = None
    nonlinearity: str | None = None


@dataclass(frozen=True)
class Activation:
    """An activation that a forward pass exposes.

    Attributes
    ----------
    path : str
        The name in addresses.
    owner : str
        Path of the module whose input it follows from.
    shape : tuple of int
        Its shape for two images: (2, ..., channels).
    source : Source
    sample : Tensor
        Some of its values, see `featviz.models.reproducibility.sample`.
    """

    path: str
    owner: str
    shape: Shape
    source: Source
    sample: Tensor = field(repr=False, compare=False)


@dataclass
class RecordedBlocks:
    """What a forward pass showed.

    Attributes
    ----------
    found : dict of str to Activation
        By path.
    refused : dict of str to str
        Paths of activations that a block does not have, and why.
    """

    found: dict[str, Activation] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@contextmanager
def record_blocks(module: nn.Module) -> Iterator[RecordedBlocks]:
    """Find the activations of all blocks while a module runs once on two images.

    Parameters
    ----------
    module : nn.Module
        Should be in evaluation mode.

    Yields
    ------
    RecordedBlocks
        Complete when the ``with`` block ends.
    """
    recorded, blocks = RecordedBlocks(), find_blocks(module)
    with ExitStack() as hooks:
        recorders = [hooks.enter_context(_recording(module, path)) for path in blocks]
        yield recorded
    for recorder in recorders:
        recorder.add_to(recorded)


def find_blocks(module: nn.Module) -> list[str]:
    """List the paths of the blocks of a `module`, in the order in which it holds them.

    A block is a numbered child of a container and is no container itself, has at least two linear
    layers, and holds no other block.
    """
    linear = [path for path, part in module.named_modules() if isinstance(part, nn.Linear)]
    parts = dict(module.named_modules())
    found: list[str] = []
    for path, part in parts.items():
        parent = parts.get(path.rpartition(".")[0])
        inside = sum(each.startswith(f"{path}.") for each in linear)
        is_numbered = path[-1:].isdigit() and isinstance(parent, _CONTAINERS)
        if is_numbered and inside >= 2 and not isinstance(part, _CONTAINERS):
            found.append(path)
    holders = {each for each in found for other in found if other.startswith(f"{each}.")}
    return [path for path in found if path not in holders]


@dataclass(frozen=True)
class _Candidate:
    """Where an activation may be: an input or output of a module, times a parameter."""

    owner: str
    side: Side
    scale: str | None = None


class _Recorder:
    """Keeps the tensors of one block during its call, and only what follows from them after it."""

    def __init__(self, module: nn.Module, path: str) -> None:
        self.module, self.path, self.block = module, path, module.get_submodule(path)
        children = dict(self.block.named_children())
        self.attention = _first(children, _ATTENTION)
        self.norms = _first(children, _FIRST_NORM), _first(children, _SECOND_NORM)
        self.mlp = _first(children, ("mlp",))
        self.calls, self.tensors = 0, dict[tuple[str, Side], Tensor]()
        self.activations: list[Activation] = []
        self.refused: dict[str, str] = {}

    @property
    def watched(self) -> list[str]:
        """The modules whose inputs and outputs are kept, besides the block itself."""
        names = [self.attention, *self.norms, self.mlp, "ls1", "ls2", "drop_path1", "drop_path2"]
        names += ["dropout", "mlp.fc1", "mlp.fc2"]
        known = dict(self.block.named_modules())
        return [f"{self.path}.{name}" for name in dict.fromkeys(names) if name and name in known]

    def before(self, call: Call) -> None:
        if call.path == self.path:
            self.calls += 1
            self.tensors.clear()
        self._keep(call.path, "input", call.inputs[0] if call.inputs else None)

    def after(self, call: Call) -> None:
        self._keep(call.path, "output", call.output)
        if call.path == self.path:
            if self.calls == 1:
                self._find()
            self.tensors.clear()

    def add_to(self, recorded: RecordedBlocks) -> None:
        """Add what was found if the block was called once, else the reason why there is nothing."""
        if self.calls == 1:
            recorded.found |= {each.path: each for each in self.activations}
            recorded.refused |= self.refused
            return
        how = f"it is called {self.calls} times in one forward pass"
        reason = how if self.calls else "its forward is never called as a module"
        recorded.refused |= {f"{self.path}.{name}": reason for name in OF_BLOCKS}

    def _keep(self, path: str, side: Side, value: object) -> None:
        if isinstance(value, tuple) and value:  # an attention that returns its weights too
            value = value[0]
        if isinstance(value, Tensor):
            # A copy, as a later layer may change it in place. Of two calls, neither is the one.
            is_first = (path, side) not in self.tensors
            self.tensors[path, side] = value.clone() if is_first else value.new_empty(0)

    def _find(self) -> None:
        start, end = (self.tensors.get((self.path, side)) for side in ("input", "output"))
        if reason := _refusal(start, end):
            self.refused = {f"{self.path}.{name}": reason for name in OF_BLOCKS}
            return
        assert start is not None
        assert end is not None
        middle = self._find_middle(start, end)
        if start.ndim > 3 and not middle:
            self.refused = {
                f"{self.path}.{name}": "its input is a feature map, not a sequence of tokens"
                for name in OF_BLOCKS
            }
            return
        ends = {
            "resid_pre": _Candidate(self.path, "input"),
            "resid_post": _Candidate(self.path, "output"),
        }
        for name, candidate in (ends | middle).items():
            value, source = self._value(candidate), Source(candidate.side, candidate.scale)
            assert value is not None
            self._add(f"{self.path}.{name}", candidate.owner, value.reshape(start.shape), source)
        kind = type(self.block).__name__
        reason = (
            f"{self.path} is a {kind}, which does not add an attention, then an MLP, to its input"
        )
        for name in ("attn_out", "resid_mid", "mlp_out"):
            if name not in middle:
                self.refused[f"{self.path}.{name}"] = reason
        self._find_neurons()

    def _find_middle(self, start: Tensor, end: Tensor) -> dict[str, _Candidate]:
        """Find the sum between attention and MLP, and the two terms that are added."""
        if not (self.attention and self.mlp):
            return {}
        for middle in self._candidates([(self.norms[1], "input"), (self.mlp, "input")]):
            mid = self._value(middle)
            if mid is None or mid.numel() != start.numel():
                continue
            first = self._term(start, mid, self.attention, self.norms[0], 1)
            second = self._term(mid, end, self.mlp, self.norms[1], 2)
            if first and second:
                return {"attn_out": first, "resid_mid": middle, "mlp_out": second}
        return {}

    def _term(
        self, before: Tensor, after: Tensor, core: str, norm: str, number: int
    ) -> _Candidate | None:
        """Find what is added to `before` to give `after`, the last module that exposes it first."""
        places: list[tuple[str, Side]] = [
            (f"drop_path{number}", "input"),
            (f"ls{number}", "output"),
            (norm, "output"),
            ("dropout", "output"),
            (core, "output"),
        ]
        candidates = self._candidates(places)
        for name in (f"gamma_{number}", f"gamma{number}"):
            if isinstance(getattr(self.block, name, None), nn.Parameter):
                candidates.append(
                    _Candidate(f"{self.path}.{core}", "output", f"{self.path}.{name}")
                )
        for candidate in candidates:
            term = self._value(candidate)
            if term is not None and term.numel() == before.numel():
                total = before.flatten(1, -2) + term.reshape(before.shape).flatten(1, -2)
                wanted = after.reshape(before.shape).flatten(1, -2)
                if bool(((total == wanted) | (total.isnan() & wanted.isnan())).all()):
                    return candidate
        return None

    def _candidates(self, places: list[tuple[str, Side]]) -> list[_Candidate]:
        return [_Candidate(f"{self.path}.{name}", side) for name, side in places if name]

    def _value(self, candidate: _Candidate) -> Tensor | None:
        value = self.tensors.get((candidate.owner, candidate.side))
        if value is None or not value.numel() or candidate.scale is None:
            return value if value is not None and value.numel() else None
        return value * self.module.get_parameter(candidate.scale)

    def _find_neurons(self) -> None:
        """Find the neurons after their nonlinearity: what the MLP's last layer reads."""
        path = f"{self.path}.mlp_act"
        last = f"{self.path}.mlp.fc2"
        neurons = self.tensors.get((last, "input"))
        if neurons is None or not neurons.numel() or neurons.ndim < 3:
            self.refused[path] = f"{self.path} has no mlp.fc2 that is called once and reads neurons"
            return
        first = f"{self.path}.mlp.fc1"
        before = self.tensors.get((first, "output"))
        act = getattr(self.block.mlp, "act", None)
        owner, source = last, Source("input")
        if before is not None and isinstance(act, nn.Module) and _is_act(act, before, neurons):
            owner, source = first, Source("output", nonlinearity=f"{self.path}.mlp.act")
        self._add(path, owner, neurons, source)

    def _add(self, path: str, owner: str, value: Tensor, source: Source) -> None:
        found = Activation(path, owner, tuple(value.shape), source, sample(value))
        self.activations.append(found)


@contextmanager
def _recording(module: nn.Module, path: str) -> Iterator[_Recorder]:
    recorder = _Recorder(module, path)
    # The block's own hooks come first on its input and last on its output.
    with (
        record(module, [path, *recorder.watched], recorder.before, side="input"),
        record(module, [*recorder.watched, path], recorder.after),
    ):
        yield recorder


def _is_act(act: nn.Module, before: Tensor, after: Tensor) -> bool:
    """Whether `after` is `act` of every value of `before` by itself, without a gate or a norm."""
    if before.shape != after.shape or not torch.equal(act(before.clone()), after):
        return False
    one = slice(before.shape[-1] // 2, before.shape[-1] // 2 + 1)
    return torch.allclose(act(before[..., one].clone()), after[..., one])


def _refusal(start: Tensor | None, end: Tensor | None) -> str | None:
    if start is None or end is None:
        return "its input or output is no tensor"
    if len(start) != 2 or len(end) != 2:
        return "it does not keep one row for each image (windows or merged dimensions)"
    if start.ndim not in (3, 4):
        return "its input is no sequence of tokens"
    if start.shape != end.shape:
        return "its output has another shape than its input, so there is no residual stream"
    return None


def _first(children: Mapping[str, nn.Module], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in children), "")


def missing_reason(path: str, blocks: Mapping[str, str]) -> str | None:
    """Return why a path that ends like an activation has none, if it is not recorded elsewhere.

    Parameters
    ----------
    path : str
        A path in an address.
    blocks : mapping of str to str
        Class names of the modules by path.

    Returns
    -------
    str or None
        None if the path does not end like an activation, or names no module of the model.
    """
    owner, _, name = path.rpartition(".")
    kind = blocks.get(owner)
    if kind is None:
        return None
    if name in OF_BLOCKS:
        return f"{owner} is a {kind}, not a transformer block"
    if name in OF_ATTENTION:
        return f"{owner} is a {kind}, not an attention with heads and an output projection"
    return None
