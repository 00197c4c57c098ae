"""Base class of the self-attention blocks: encoder layers with learned positions."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.blocks.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

MAX_HEADS = 8
POSITION_SCALE = 0.02
"""Standard deviation of the initial position embeddings, as in RoBERTa."""


def heads_for(width: int) -> int:
    """The largest number of attention heads, at most MAX_HEADS, that divides ``width``."""
    return max(heads for heads in range(1, MAX_HEADS + 1) if width % heads == 0)


class Attention(Block):
    """Encoder layers over the bins of a trial, with GELU and a feed-forward sublayer twice as wide as the block.

    A learned position embedding is added for every bin of window and forward. The width does not change. If
    ``norm_first`` is true, norms are before the sublayers, otherwise after them.
    """

    takes_layers = True
    uses = frozenset({"dropout"})
    depends_on_width = True
    norm_first: ClassVar[bool]

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = width_in
        self.position_TC = nn.Parameter(POSITION_SCALE * torch.randn(sizes.n_bins, width_in))
        self.layers = nn.ModuleList(_Layer(width_in, hyper.dropout, self.norm_first) for _ in range(layers))

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        x_BTC = x_BTC + self.position_TC[bins_BT]
        for layer in self.layers:
            x_BTC = layer(x_BTC)
        return x_BTC


class _Layer(nn.Module):
    """One encoder layer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

    Dropout acts on the output of each sublayer. Dropout on the attention weights did not improve scores and took half
    of the time.
    """

    def __init__(self, width: int, dropout: float, norm_first: bool) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attend = _SelfAttention(width)
        self.attend_norm, self.attend_dropout = nn.LayerNorm(width), Dropout(dropout)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.inner_dropout = Dropout(dropout)
        self.feed_norm, self.feed_dropout = nn.LayerNorm(width), Dropout(dropout)

    def forward(self, x_BTC: Tensor) -> Tensor:
        if self.norm_first:
            x_BTC = x_BTC + self.attend_dropout(self.attend(self.attend_norm(x_BTC)))
            output_BTC: Tensor = x_BTC + self.feed_dropout(self._feed(self.feed_norm(x_BTC)))
        else:
            x_BTC = self.attend_norm(x_BTC + self.attend_dropout(self.attend(x_BTC)))
            output_BTC = self.feed_norm(x_BTC + self.feed_dropout(self._feed(x_BTC)))
        return output_BTC

    def _feed(self, x_BTC: Tensor) -> Tensor:
        output_BTC: Tensor = self.narrow(self.inner_dropout(functional.gelu(self.widen(x_BTC))))
        return output_BTC


class _SelfAttention(nn.Module):
    """Multi-head self-attention over bins.

    It does not use torch's fused attention because ``torch.vmap`` has no batching rule for it and would run the
    networks one by one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.n_heads = heads_for(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.project.weight)
        for linear in (self.project, self.join):
            nn.init.zeros_(linear.bias)

    def forward(self, x_BTC: Tensor) -> Tensor:
        by_head = self.project(x_BTC).unflatten(-1, (3, self.n_heads, -1)).movedim(-3, 0).transpose(-3, -2)
        queries_BATC, keys_BATC, values_BATC = by_head
        weights_BATT = queries_BATC @ keys_BATC.transpose(-1, -2) / math.sqrt(keys_BATC.shape[-1])
        output_BTC: Tensor = self.join((weights_BATT.softmax(-1) @ values_BATC).transpose(-3, -2).flatten(-2))
        return output_BTC
