"""minGRU(n): gated recurrent layers that read all bins at once, n of them unless num_layers is searched."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.blocks.recurrent import Recurrent
from nlb_search.models.recurrences.scan import scan

SHORTEST_MEMORY, LONGEST_MEMORY = 2.0, 10.0
"""The memories, in bins, with which the channels of a layer start: 10 to 50 ms in bins of 5 ms.

On a synthetic mc_rtt recording, a start of up to 50 bins scored lower.
"""


class MinGRU(Recurrent):
    """Recurrent layers whose gates see the input and not the state, so that no bin waits for the one before it.

    A layer is the minimal GRU (Feng et al. 2024, https://arxiv.org/abs/2410.01201): with a gate
    z_t = sigmoid(W_z x_t + b_z) and a candidate c_t = W_c x_t + b_c, its state is h_t = (1 - z_t) h_(t-1) + z_t c_t.
    The state is linear in the candidates, so a layer passes GELU(h_t) on; without it, a stack of them scores lower.
    """

    name = "minGRU"

    def layer(self, width_in: int, hidden: int) -> nn.Module:
        return _Layer(width_in, hidden, self.n_directions)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        first, *later = self.layers
        x_BTC = first(x_BTC)
        for dropout, layer in zip(self.dropouts, later, strict=True):
            x_BTC = layer(dropout(x_BTC))
        return x_BTC


class _Layer(nn.Module):
    """One layer. Its channels are those of both directions in turn, so that more of them come at the end."""

    def __init__(self, width_in: int, hidden: int, n_directions: int) -> None:
        super().__init__()
        self.n_directions = n_directions
        self.gate = nn.Linear(width_in, n_directions * hidden)
        self.candidate = nn.Linear(width_in, n_directions * hidden)
        with torch.no_grad():
            self.gate.bias.copy_(spread_gates(hidden).repeat_interleave(n_directions))

    def forward(self, x_BTC: Tensor) -> Tensor:
        gate_BTC, candidate_BTC = self._turned(self.gate(x_BTC)), self._turned(self.candidate(x_BTC))
        z_BTC = torch.sigmoid(gate_BTC)
        return functional.gelu(self._turned(scan(1 - z_BTC, z_BTC * candidate_BTC)))

    def _turned(self, x_BTC: Tensor) -> Tensor:
        """The channels of the second direction turned round in time: one scan then runs both."""
        if self.n_directions == 1:
            return x_BTC
        forwards, backwards = x_BTC.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([forwards, backwards.flip(-2)], dim=-1).flatten(-2)


def spread_gates(hidden: int) -> Tensor:
    """Gate biases of ``hidden`` channels whose memories, in bins, are spread evenly in their logarithm.

    A channel that keeps 1 - z of its state at every bin forgets it as exp(-t / memory) with z = 1 - exp(-1 / memory).
    Biases of the range of times that matter let a network learn those times (Tallec & Ollivier 2018,
    https://arxiv.org/abs/1804.11188); at zero every channel would begin with a memory of 1.4 bins.
    """
    memory_C = torch.logspace(math.log2(SHORTEST_MEMORY), math.log2(LONGEST_MEMORY), hidden, base=2)
    return torch.logit(1 - torch.exp(-1 / memory_C))
