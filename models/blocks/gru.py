"""GRU(n): n gated recurrent layers over time, or ``num_layers`` if that is searched."""

import math

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.bases.recurrent import Recurrent
from nlb_search.models.recurrences.gated_recurrence import CANDIDATE, gated_recurrence


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

    def step(self, x_BC: Tensor, state_BH: Tensor | None) -> tuple[Tensor, Tensor]:
        [input_weight_3HC], [state_weight_3HH] = self.input_weight_D3HC, self.state_weight_D3HH
        inputs_B3H = (x_BC @ input_weight_3HC.flatten(0, 1).T).unflatten(1, (3, -1)) + self.bias_D3H
        before_BH = torch.zeros_like(inputs_B3H[:, 0]) if state_BH is None else state_BH
        recurrent_B3H = (before_BH @ state_weight_3HH.flatten(0, 1).T).unflatten(1, (3, -1))
        update_BH, reset_BH = torch.sigmoid((inputs_B3H + recurrent_B3H)[:, :CANDIDATE]).unbind(1)
        recurrent_BH = recurrent_B3H[:, CANDIDATE] + self.state_bias_DH
        candidate_BH = torch.tanh(inputs_B3H[:, CANDIDATE] + reset_BH * recurrent_BH)
        after_BH = torch.lerp(candidate_BH, before_BH, update_BH)
        return after_BH, after_BH
