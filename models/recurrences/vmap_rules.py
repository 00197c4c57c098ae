"""A helper for the ``torch.vmap`` rules of functions with custom gradients."""

from typing import Any

from torch import Tensor


def merged(info: Any, in_dims: tuple[int | None, ...], tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """Merge the vmapped axis of every tensor into its first axis. Tensors without a vmapped axis are expanded.

    ``info`` and ``in_dims`` are the arguments of ``torch.autograd.Function.vmap``.
    """
    networks_first = (
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, in_dims, strict=True)
    )
    return [tensor.flatten(0, 1) for tensor in networks_first]
