"""Self-attention whose scores depend on the distance between bins, by rotation and by a learned decay."""

import math

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.bases.encoder_layer import SelfAttention

LONGEST_PERIOD = 200.0
"""Longest period of the rotations, in bins: about the length of a trial."""

SHORTEST_DECAY, LONGEST_DECAY = 2.0, 64.0
"""Range of the initial decay lengths of the heads, in bins."""


class RelativeAttention(SelfAttention):
    """Self-attention with rotary positions and a decay with distance.

    Queries and keys are rotated by angles that grow with the bin (RoFormer, Su et al. 2021,
    https://arxiv.org/abs/2104.09864), so scores depend on the distance between two bins and its sign. The absolute
    distance divided by a decay length is subtracted (ALiBi, Press et al. 2022, https://arxiv.org/abs/2108.12409); each
    head learns its own, so that short ones smooth like a filter from the first step.
    """

    periods_P: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width)
        lengths_A = torch.logspace(math.log10(SHORTEST_DECAY), math.log10(LONGEST_DECAY), self.n_heads)
        self.log_decay_A = nn.Parameter(-lengths_A.log())
        n_pairs = width // self.n_heads // 2
        periods_P = torch.logspace(0, math.log10(LONGEST_PERIOD / math.tau), n_pairs)
        self.register_buffer("periods_P", periods_P, persistent=False)

    def scores(self, queries_BATC: Tensor, keys_BATC: Tensor, bins_BT: Tensor) -> Tensor:
        queries_BATC, keys_BATC = (rotate(x_BATC, bins_BT, self.periods_P) for x_BATC in (queries_BATC, keys_BATC))
        distance_BTT = (bins_BT.unsqueeze(-1) - bins_BT.unsqueeze(-2)).abs()
        decay_A11 = self.log_decay_A.exp()[:, None, None] * math.sqrt(keys_BATC.shape[-1])
        return super().scores(queries_BATC, keys_BATC, bins_BT) - decay_A11 * distance_BTT.unsqueeze(-3)


def rotate(x_BATC: Tensor, bins_BT: Tensor, periods_P: Tensor) -> Tensor:
    """Rotate P pairs of channels by bin / period radians; an odd last channel is not rotated."""
    n_pairs = len(periods_P)
    angles_B1TP = (bins_BT.unsqueeze(-1) / periods_P).unsqueeze(-3)
    cos, sin = angles_B1TP.cos(), angles_B1TP.sin()
    first, second, rest = x_BATC.split([n_pairs, n_pairs, x_BATC.shape[-1] - 2 * n_pairs], dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos, rest], dim=-1)
