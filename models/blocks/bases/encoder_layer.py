"""One layer of a transformer encoder, and multi-head self-attention over bins."""

import math

from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.dropout import Dropout

MAX_HEADS = 8


def heads_for(width: int) -> int:
    """The largest number of attention heads, at most MAX_HEADS, that divides ``width``."""
    return max(heads for heads in range(1, MAX_HEADS + 1) if width % heads == 0)


class EncoderLayer(nn.Module):
    """One encoder layer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), with GELU.

    ``attend`` maps B x T x ``width`` and the bin indices, B x T, to B x T x ``width``. The feed-forward sublayer is
    twice as wide. If ``norm_first`` is true, norms are before the sublayers, otherwise after them. Dropout acts on the
    output of each sublayer. Dropout on the attention weights did not improve scores and took half of the time.
    """

    def __init__(self, attend: nn.Module, width: int, dropout: float, norm_first: bool) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attend = attend
        self.attend_norm, self.attend_dropout = nn.LayerNorm(width), Dropout(dropout)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.inner_dropout = Dropout(dropout)
        self.feed_norm, self.feed_dropout = nn.LayerNorm(width), Dropout(dropout)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        if self.norm_first:
            x_BTC = x_BTC + self.attend_dropout(self.attend(self.attend_norm(x_BTC), bins_BT))
            output_BTC: Tensor = x_BTC + self.feed_dropout(self._feed(self.feed_norm(x_BTC)))
        else:
            x_BTC = self.attend_norm(x_BTC + self.attend_dropout(self.attend(x_BTC, bins_BT)))
            output_BTC = self.feed_norm(x_BTC + self.feed_dropout(self._feed(x_BTC)))
        return output_BTC

    def _feed(self, x_BTC: Tensor) -> Tensor:
        output_BTC: Tensor = self.narrow(self.inner_dropout(functional.gelu(self.widen(x_BTC))))
        return output_BTC


class SelfAttention(nn.Module):
    """Multi-head self-attention over bins, without positions.

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

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        by_head = self.project(x_BTC).unflatten(-1, (3, self.n_heads, -1)).movedim(-3, 0).transpose(-3, -2)
        queries_BATC, keys_BATC, values_BATC = by_head
        scores_BATT = self.scores(queries_BATC, keys_BATC, bins_BT) / math.sqrt(keys_BATC.shape[-1])
        output_BTC: Tensor = self.join((scores_BATT.softmax(-1) @ values_BATC).transpose(-3, -2).flatten(-2))
        return output_BTC

    def scores(self, queries_BATC: Tensor, keys_BATC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        """How much each bin attends to each other bin, B x heads x T x T."""
        return queries_BATC @ keys_BATC.transpose(-1, -2)
