"""A step that is done many times over on the same tensors, on a GPU without Python in between."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP_CALLS = 2
"""First calls that run as they are: libraries make ready in them what cannot be made while kernels are recorded."""


class CapturedStep:
    """Calls a step on a tensor of always the same shape, and gives what it gives.

    The steps here are thousands of kernels, each shorter than it takes to launch it. On a GPU they are therefore
    recorded once as a CUDA graph (https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs), and from then on
    launched as one. So the step must change tensors in place only, must be of the same operations every time, and
    must not wait for the device. On a CPU every call is plain.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """``step`` is the same one in every call; it is not kept, so that what it belongs to can be freed."""
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
