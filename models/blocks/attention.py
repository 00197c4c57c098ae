"""What the blocks of self-attention share: heads that fit the width, and positions in time."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.blocks.block import Block
from models.hyperparameters import Hyperparameters
from models.tensors import Sizes

MOST_HEADS = 8
POSITION_SCALE = 0.02
"""Standard deviation of the first positions, as RoBERTa starts its embeddings."""


def heads_for(width: int) -> int:
    """The largest number of attention heads, at most MOST_HEADS, that divides ``width``."""
    return max(heads for heads in range(1, MOST_HEADS + 1) if width % heads == 0)


class Attention(Block):
    """Encoder layers over the bins of a trial, with GELU and a feed-forward part twice as wide as the block.

    A learned position is added for every bin of window + forward; the width stays as it comes in. ``norm_first`` is
    where a layer normalizes: before its parts, or after them.
    """

    takes_layers = True
    uses = frozenset({"dropout"})
    norm_first: ClassVar[bool]

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = width_in
        self.position_TC = nn.Parameter(POSITION_SCALE * torch.randn(sizes.n_bins, width_in))
        layer = nn.TransformerEncoderLayer(
            width_in,
            heads_for(width_in),
            dim_feedforward=2 * width_in,
            dropout=hyper.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=self.norm_first,
        )
        # Dropout acts elsewhere in a layer. In the attention weights it scored no better and took half of the time.
        layer.self_attn.dropout = 0.0
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        output_BTC: Tensor = self.layers(x_BTC + self.position_TC[bins_BT])
        return output_BTC
