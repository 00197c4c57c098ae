"""minGRU(n): n gated recurrent layers that process all bins at once, or ``num_layers`` if that is searched."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.blocks.bases.recurrent import Recurrent
from nlb_search.models.recurrences.scan import scan

SHORTEST_MEMORY, LONGEST_MEMORY = 2.0, 10.0
"""Range of the initial time constants of a layer's channels, in bins: 10 to 50 ms in 5 ms bins.

On a synthetic mc_rtt recording, initial time constants of up to 50 bins scored lower.
"""


class MinGRU(Recurrent):
    """Recurrent layers whose gates depend on the input only, so that all bins are computed in parallel.

    A layer is the minimal GRU (Feng et al. 2024, https://arxiv.org/abs/2410.01201): with a gate
    z_t = sigmoid(W_z x_t + b_z) and a candidate c_t = W_c x_t + b_c, its state is h_t = (1 - z_t) h_(t-1) + z_t c_t.
    The state is linear in the candidates, so the output is GELU(h_t); without it, stacked layers score lower.
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
    """One layer. The channels of the two directions alternate, so that padding channels are at the end."""

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

    def step(self, x_BC: Tensor, state_BC: Tensor | None) -> tuple[Tensor, Tensor]:
        z_BC = torch.sigmoid(self.gate(x_BC))
        new_BC = z_BC * self.candidate(x_BC)
        after_BC = new_BC if state_BC is None else (1 - z_BC) * state_BC + new_BC
        return functional.gelu(after_BC), after_BC

    def _turned(self, x_BTC: Tensor) -> Tensor:
        """Reverse the channels of the second direction in time, so that one scan runs both directions."""
        if self.n_directions == 1:
            return x_BTC
        forwards, backwards = x_BTC.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([forwards, backwards.flip(-2)], dim=-1).flatten(-2)


def spread_gates(hidden: int) -> Tensor:
    """Gate biases of ``hidden`` channels whose time constants, in bins, are log-spaced.

    The state of a channel with gate z decays as exp(-t / memory), where z = 1 - exp(-1 / memory). Initial biases that
    cover the relevant time scales help a network learn them (Tallec & Ollivier 2018,
    https://arxiv.org/abs/1804.11188); with zero biases all time constants would start at 1.4 bins.
    """
    memory_C = torch.logspace(math.log2(SHORTEST_MEMORY), math.log2(LONGEST_MEMORY), hidden, base=2)
    return torch.logit(1 - torch.exp(-1 / memory_C))
