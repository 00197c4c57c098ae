"""STNDT(n): n layers of attention over channels and over bins."""

import math

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.bases.attention import Attention
from nlb_search.models.blocks.bases.encoder_layer import EncoderLayer
from nlb_search.models.blocks.bases.relative_attention import RelativeAttention
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

FEATURES = 32
"""Number of features by which channels are compared."""


class STNDT(Attention):
    """The spatiotemporal transformer (Le & Shlizerman 2022, https://arxiv.org/abs/2206.04727).

    Behind ``FF``, channels are neurons: each layer first mixes neurons by attention between their courses over the
    trial, then bins. Differences from the paper: attention over bins uses relative positions (``RelativeAttention``),
    norms are before the sublayers, and the contrastive loss is an option of training (``contrastive_weight``).
    """

    name = "STNDT"

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.layers.extend(_Layer(width_in, sizes.n_bins, hyper.dropout) for _ in range(layers))


class _Layer(nn.Module):
    def __init__(self, width: int, n_bins: int, dropout: float) -> None:
        super().__init__()
        self.mix_norm, self.mix_dropout = nn.LayerNorm(width), Dropout(dropout)
        self.mix = ChannelAttention(width, n_bins)
        self.over_bins = EncoderLayer(RelativeAttention(width), width, dropout, norm_first=True)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        x_BTC = x_BTC + self.mix_dropout(self.mix(self.mix_norm(x_BTC), bins_BT))
        output_BTC: Tensor = self.over_bins(x_BTC, bins_BT)
        return output_BTC


class ChannelAttention(nn.Module):
    """Attention over channels. A channel's query and key are linear in its values in all bins."""

    def __init__(self, width: int, n_bins: int) -> None:
        super().__init__()
        self.project_TF = nn.Parameter(torch.randn(n_bins, 2 * FEATURES) / math.sqrt(n_bins))
        self.value = nn.Linear(width, width)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        queries_BCF, keys_BCF = (x_BTC.transpose(-1, -2) @ self.project_TF[bins_BT]).chunk(2, dim=-1)
        weights_BCC = (queries_BCF @ keys_BCF.transpose(-1, -2) / math.sqrt(FEATURES)).softmax(-1)
        output_BTC: Tensor = self.value(x_BTC) @ weights_BCC.transpose(-1, -2)
        return output_BTC
