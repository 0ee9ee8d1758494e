"""The computation of an optimization step as one graph: compiled, or replayed as a CUDA graph.

Each function is a `transform` of `featviz.optimization.optimize.optimize`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from featviz.optimization.optimize import Step

WARM_UP = 3
"""Steps before a CUDA graph is recorded: libraries make their plans and workspaces in them."""


def compiled(compute: Step, **options: Any) -> Step:
    """Compile a step without graph breaks; it compiles when it is first called.

    The step is traced into operators first, forward and backward pass together: the readouts stop
    the forward pass with an exception inside a hook, which `torch.compile` cannot trace.

    Parameters
    ----------
    compute : callable
    **options
        Of `torch.compile`.

    Returns
    -------
    callable
        For arguments of the shapes of its first call.
    """
    made: list[Callable[..., tuple[Tensor, Tensor]]] = []

    def run(parameters: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        if not made:
            compute(parameters, draws)  # makes constants, which are then no part of the graph
            made.append(
                torch.compile(traced(compute, parameters, draws), fullgraph=True, **options)
            )
        with torch.no_grad():  # the backward pass is part of the graph
            return made[0](parameters, draws)

    return run


def traced(compute: Step, parameters: Tensor, draws: Tensor) -> Step:
    """Trace a step, forward and backward pass together, into a graph of operators.

    Parameters
    ----------
    compute : callable
    parameters, draws : Tensor
        Its arguments.
    """
    # The tracer follows one thread; on a GPU, the backward pass would run on another.
    with torch.autograd.set_multithreading_enabled(False):
        graph: Step = make_fx(compute)(parameters, draws)
    return graph


def cuda_graph(compute: Step) -> Step:
    """Record a step as a CUDA graph when it is first called, and replay it.

    Parameters
    ----------
    compute : callable

    Returns
    -------
    callable
        For the same tensor of parameters in each call, changed in place. The next call overwrites
        what it returns.
    """
    recorded: list[tuple[torch.cuda.CUDAGraph, Tensor, tuple[Tensor, Tensor]]] = []

    def record(parameters: Tensor, draws: Tensor) -> None:
        static = draws.clone()
        # Source: "CUDA semantics" in PyTorch's documentation: warm up on a stream of its own.
        stream = torch.cuda.Stream(parameters.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(parameters.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                compute(parameters, static)
        torch.cuda.current_stream(parameters.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = compute(parameters, static)
        recorded.append((graph, static, outputs))

    def run(parameters: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        if not recorded:
            record(parameters, draws)
        graph, static, outputs = recorded[0]
        static.copy_(draws)
        graph.replay()
        return outputs

    return run
