"""Dropout whose draws follow from a key."""

import torch
from torch import Tensor, nn

from nlb_search.models.random_draws import happens


class Dropout(nn.Module):
    """In training, zeroes entries with chance ``rate`` and scales the others up by it, as ``nn.Dropout`` does.

    Every block drops by this one. Its draws follow from ``key``, which the training sets again for every step; rate and
    key are buffers, so that networks trained side by side each have their own. ``nn.Dropout`` draws from a generator
    that such networks would share, and on a CPU is slow.
    """

    rate: Tensor
    key: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.register_buffer("rate", torch.tensor(rate), persistent=False)
        self.register_buffer("key", torch.tensor(0, dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor, channels: int = -1) -> Tensor:
        """``channels`` is the axis of the channels; on the others lie trials and bins."""
        if not self.training:
            return x
        kept = happens(self.key, 1 - self.rate, x.shape, steady=channels)
        return x * (kept / (1 - self.rate))
