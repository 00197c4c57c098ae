"""CUDA graphs for a step that runs many times on the same tensors."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP_CALLS = 2
"""Number of calls before the capture: libraries initialize state in them that they cannot initialize during capture."""


class CapturedStep:
    """Calls a step on a tensor of constant shape and returns its result; on a GPU, replays it as a CUDA graph.

    A training step launches thousands of kernels, and most take less time than their launch. On a GPU they are
    therefore captured once as a CUDA graph (https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs) and then
    launched together. The step must modify tensors in place, run the same operations at every call, and not synchronize
    with the device. On a CPU every call runs the step directly.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """``step`` must be the same in every call. No reference to it is stored, so that its owner can be freed."""
        self._calls += 1
        if given.device.type != "cuda" or self._calls <= WARM_UP_CALLS:
            return step(given)
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            self._given = given.clone()
            with torch.cuda.graph(graph):
                self._result = step(self._given)
            self._graph = graph
        self._given.copy_(given)
        self._graph.replay()
        return self._result.clone()
