"""Dropout with random numbers from a key."""

import torch
from torch import Tensor, nn

from nlb_search.models.random_draws import bernoulli


class Dropout(nn.Module):
    """In training, zero entries with probability ``rate`` and divide the others by 1 - ``rate``, as ``nn.Dropout``.

    All blocks use this class. The mask depends only on ``key``, which the training sets at every step. ``rate`` and
    ``key`` are buffers, so that networks trained side by side each have their own. ``nn.Dropout`` draws from a
    generator that such networks would share, and is slow on a CPU.
    """

    rate: Tensor
    key: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.register_buffer("rate", torch.tensor(rate), persistent=False)
        self.register_buffer("key", torch.tensor(0, dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor, channels: int = -1) -> Tensor:
        """``channels`` is the axis of the channels; the other axes are trials and bins."""
        if not self.training:
            return x
        kept = bernoulli(self.key, 1 - self.rate, x.shape, steady=channels)
        return x * (kept / (1 - self.rate))
