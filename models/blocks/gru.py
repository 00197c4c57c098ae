"""GRU(n): n gated recurrent layers over time, or ``num_layers`` if that is searched."""

import math

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.recurrent import Recurrent
from nlb_search.models.recurrences.gated_recurrence import gated_recurrence


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014, https://arxiv.org/abs/1406.1078), as defined by ``nn.GRU``.

    Between the layers, channels are the first axis and trials the last, as in ``gated_recurrence``.
    """

    name = "GRU"

    def layer(self, width_in: int, hidden: int) -> nn.Module:
        return _Layer(width_in, hidden, self.n_directions)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        first, *later = self.layers
        x_CTB: Tensor = first(x_BTC.permute(2, 1, 0))
        for dropout, layer in zip(self.dropouts, later, strict=True):
            x_CTB = layer(dropout(x_CTB, channels=0))
        return x_CTB.permute(2, 1, 0)


class _Layer(nn.Module):
    """One layer. The output channels of the two directions alternate, so that padding channels are at the end.

    ``state_bias_DH`` is the bias of the candidate's recurrent term; the gates need only one bias.
    """

    def __init__(self, width_in: int, hidden: int, n_directions: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

        self.input_weight_D3HC = weight(n_directions, 3, hidden, width_in)
        self.state_weight_D3HH = weight(n_directions, 3, hidden, hidden)
        self.bias_D3H = weight(n_directions, 3, hidden)
        self.state_bias_DH = weight(n_directions, hidden)

    def forward(self, x_CTB: Tensor) -> Tensor:
        n_bins, n_trials = x_CTB.shape[1:]
        inputs = self.input_weight_D3HC.flatten(0, 2) @ x_CTB.reshape(x_CTB.shape[0], -1)
        inputs_D3HTB = inputs.view(*self.bias_D3H.shape, n_bins, n_trials) + self.bias_D3H[..., None, None]
        states_HDTB = gated_recurrence(inputs_D3HTB, self.state_weight_D3HH, self.state_bias_DH)
        return states_HDTB.flatten(0, 1)
