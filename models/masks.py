"""Which held-in entries are hidden from a network in training.

What is hidden is scored and what is visible is not: coordinated dropout (Keshtkaran & Pandarinath 2019,
https://papers.nips.cc/paper/8963), which keeps a network from copying its input.
"""

import torch
from torch import Tensor


def dot(heldin_BWI: Tensor, mask_ratio: float) -> Tensor:
    """Hide single entries, each with chance ``mask_ratio``, independently.

    Returns a boolean tensor of the shape and on the device of ``heldin_BWI``: True is hidden. It draws from
    torch's generator of that device, so a seed set there fixes it.
    """
    return torch.rand_like(heldin_BWI) < mask_ratio
