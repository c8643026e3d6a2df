"""A program of many small device calls, launched as one."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3


class Captured:
    """Calls `program`; on a GPU records it as a CUDA graph after `WARM_UP` calls, and replays that from then on.

    The program takes its inputs from tensors that stay where they are and returns one tensor. If recording fails it
    goes on being called, with a warning; `state` says which: "called" or "replayed".
    """

    def __init__(self, program: Callable[[], Tensor], device: torch.device):
        self.program, self.state = program, "called"
        self._left = WARM_UP if device.type == "cuda" else -1
        self._graph = self._output = None

    def __call__(self) -> Tensor:
        if self._graph is not None:
            self._graph.replay()
            return self._output.clone()
        if self._left == 0:
            self._left = -1
            try:
                self._graph, self._output = record(self.program)
            except RuntimeError as error:
                warnings.warn(f"no CUDA graph, calls one by one: {str(error).splitlines()[0]}", stacklevel=2)
            else:
                self.state = "replayed"
                return self()
        if self._left > 0:
            self._left -= 1
            return aside(self.program)
        return self.program()


def aside(program: Callable[[], Tensor]) -> Tensor:
    """Call it on a stream of its own, as calls before a recording must be."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        output = program()
    torch.cuda.current_stream().wait_stream(stream)
    return output


def record(program: Callable[[], Tensor]) -> tuple["torch.cuda.CUDAGraph", Tensor]:
    """The program as a graph, and where a replay leaves its output; recording does not run it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = program()
    return graph, output
