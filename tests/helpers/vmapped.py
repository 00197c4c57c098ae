"""Properties of every function that is applied to networks side by side."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import vmap
from torch.testing import assert_close


def assert_as_alone(function: Callable[..., Tensor], tensors: Sequence[Tensor], shared: int | None) -> None:
    """Under ``vmap`` outputs and gradients are those of each network alone, a network along the first axis.

    ``shared`` is the place of a tensor that all have in common, if there is one.
    """
    inputs = [(t[0] if locations == shared else t).detach().requires_grad_() for locations, t in enumerate(tensors)]
    dims = tuple(None if locations == shared else 0 for locations in range(len(inputs)))
    together = vmap(function, in_dims=dims)(*inputs)
    alone = torch.stack(
        [
            function(*(t if dim is None else t[network] for t, dim in zip(inputs, dims, strict=True)))
            for network in range(len(together))
        ]
    )
    assert_close(together, alone)
    weight = torch.randn_like(alone)
    for our, their in zip(
        torch.autograd.grad((together * weight).sum(), inputs),
        torch.autograd.grad((alone * weight).sum(), inputs),
        strict=True,
    ):
        assert_close(our, their)
