"""What the functions with a gradient of their own do where ``torch.vmap`` runs them for many networks at once."""

from typing import Any

from torch import Tensor


def merged(info: Any, in_dims: tuple[int | None, ...], tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """The networks as more of what stands on each tensor's first axis; one that they share is repeated for each.

    ``info`` and ``in_dims`` are those that a ``torch.autograd.Function`` gets for its rule.
    """
    networks_first = (
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, in_dims, strict=True)
    )
    return [tensor.flatten(0, 1) for tensor in networks_first]
