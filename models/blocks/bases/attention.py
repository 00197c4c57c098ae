"""Base classes of the self-attention blocks."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.blocks.bases.encoder_layer import EncoderLayer, SelfAttention
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

POSITION_SCALE = 0.02
"""Standard deviation of the initial position embeddings, as in RoBERTa."""


class Attention(Block):
    """Encoder layers over the bins of a trial, which a subclass adds to ``layers``. The width does not change."""

    takes_layers = True
    uses = frozenset({"dropout", "contrastive_weight"})
    depends_on_width = True

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = width_in
        self.layers = nn.ModuleList()

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        for layer in self.layers:
            x_BTC = layer(x_BTC, bins_BT)
        return x_BTC


class AbsoluteAttention(Attention):
    """Attention with a learned position embedding for every bin of window and forward, added to the input.

    If ``norm_first`` is true, norms are before the sublayers, otherwise after them.
    """

    norm_first: ClassVar[bool]

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.position_TC = nn.Parameter(POSITION_SCALE * torch.randn(sizes.n_bins, width_in))
        self.layers.extend(
            EncoderLayer(SelfAttention(width_in), width_in, hyper.dropout, self.norm_first) for _ in range(layers)
        )

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        return super().forward(x_BTC + self.position_TC[bins_BT], bins_BT)
