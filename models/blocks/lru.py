"""LRU(n): n layers of a linear state-space model, or ``num_layers`` if that is searched."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.blocks.bases.recurrent import Recurrent, States
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.recurrences.scan import complex_scan
from nlb_search.models.tensors import Sizes

SHORTEST_MEMORY, LONGEST_MEMORY = 2.0, 20.0
"""Range of the initial time constants of a layer's states, in bins.

Trials have 30 to 200 bins, so the longest of these memories fits even into a short trial.
"""

LARGEST_PHASE = math.pi / 5
"""Largest initial rotation of a state per bin, in radians: a period of 10 bins. Phases are uniform from 0.

A state that forgets within its period cannot resolve it, so faster rotations would only be other short memories.
"""


class LRU(Recurrent):
    """Linear recurrent units (Orvieto et al. 2023, https://arxiv.org/abs/2303.06349).

    A linear map encodes the input for the first layer, and each later layer adds to its own input. The states of a
    layer are linear in what it reads, so that all bins are computed in parallel, as in S5 (Smith et al. 2023,
    https://arxiv.org/abs/2208.04933). Differences from the paper: the first layer does not add to its
    input, the spikes of single bins (at the default learning rate, adding to it scored lower on a synthetic recording);
    dropout acts on what a later layer reads; there is no norm over channels, so that channels can be padded.
    """

    name = "LRU"

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.encode = nn.Linear(width_in, self.width)

    def layer(self, width_in: int, hidden: int) -> nn.Module:  # noqa: ARG002 - all layers read the encoded width
        return _Layer(self.width, hidden, self.n_directions)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        first, *later = self.layers
        x_BTC = first(self.encode(x_BTC))
        for dropout, layer in zip(self.dropouts, later, strict=True):
            x_BTC = x_BTC + layer(dropout(x_BTC))
        return x_BTC

    def step(self, x_BC: Tensor, state: States | None) -> tuple[Tensor, States]:
        return super().step(self.encode(x_BC), state)

    def joined(self, x_BC: Tensor, output_BC: Tensor) -> Tensor:
        return x_BC + output_BC


class _Layer(nn.Module):
    """One layer: h_t = lambda h_(t-1) + gamma B x_t, y_t = GELU(Re(C h_t) + D x_t), output y_t sigmoid(W y_t + b).

    There are ``hidden`` complex states h per direction. lambda is diagonal, |lambda| = exp(-exp(nu)), with the phase
    exp(theta), and gamma = sqrt(1 - |lambda|^2), which keeps the variance of the states that of B x if the x are
    independent. The weights' axis of length 2 holds the real and imaginary part of B, and of C the real and the negated
    imaginary part.
    """

    def __init__(self, width: int, hidden: int, n_directions: int) -> None:
        super().__init__()
        self.nu_DH = nn.Parameter(torch.stack([spread_decays(hidden) for _ in range(n_directions)]))
        self.theta_DH = nn.Parameter(torch.log(LARGEST_PHASE * torch.rand(n_directions, hidden)))
        n_states = n_directions * hidden
        self.input_weight_DCH2 = nn.Parameter(torch.randn(n_directions, width, hidden, 2) / math.sqrt(2 * width))
        self.output_weight_DH2C = nn.Parameter(torch.randn(n_directions, hidden, 2, width) / math.sqrt(n_states))
        self.direct_C = nn.Parameter(torch.randn(width))
        self.gate = nn.Linear(width, width)

    def forward(self, x_BTC: Tensor) -> Tensor:
        keep_DH2, weight_DCH2 = self._keep(), self._input_weight()
        # Trials and bins as one axis: a product per trial would need a copy of the weights for each.
        inputs_DNH = self._ways(x_BTC).flatten(1, 2) @ weight_DCH2.flatten(2)
        states_DBTH2 = complex_scan(keep_DH2, inputs_DNH.unflatten(-1, (-1, 2)).unflatten(1, x_BTC.shape[:2]))
        outputs_DNC = states_DBTH2.flatten(1, 2).flatten(2) @ self.output_weight_DH2C.flatten(1, 2)
        outputs_DBTC = outputs_DNC.unflatten(1, x_BTC.shape[:2])
        return self._gated(self._joined(outputs_DBTC), x_BTC)

    def step(self, x_BC: Tensor, state_BH2: Tensor | None) -> tuple[Tensor, Tensor]:
        [keep_H2], [weight_CH2], [output_weight_H2C] = self._keep(), self._input_weight(), self.output_weight_DH2C
        after_BH2 = (x_BC @ weight_CH2.flatten(1)).unflatten(1, (-1, 2))
        if state_BH2 is not None:
            kept_BH = torch.view_as_complex(keep_H2) * torch.view_as_complex(state_BH2)
            after_BH2 = after_BH2 + torch.view_as_real(kept_BH)
        return self._gated(after_BH2.flatten(1) @ output_weight_H2C.flatten(0, 1), x_BC), after_BH2

    def _keep(self) -> Tensor:
        """lambda, D x H x 2."""
        radius_DH, phase_DH = torch.exp(-torch.exp(self.nu_DH)), torch.exp(self.theta_DH)
        return radius_DH.unsqueeze(-1) * torch.stack([phase_DH.cos(), phase_DH.sin()], dim=-1)

    def _input_weight(self) -> Tensor:
        """gamma B, D x C x H x 2."""
        gamma_DH = torch.sqrt(-torch.expm1(-2 * torch.exp(self.nu_DH)))
        return gamma_DH[:, None, :, None] * self.input_weight_DCH2

    def _gated(self, output: Tensor, x: Tensor) -> Tensor:
        """The output of the layer, from that of the states and from its input; the last axis is that of channels."""
        y = functional.gelu(output + self.direct_C * x)
        return y * torch.sigmoid(self.gate(y))

    def _ways(self, x_BTC: Tensor) -> Tensor:
        """Each direction's input in the order in which it reads the bins."""
        if len(self.nu_DH) == 1:
            return x_BTC.unsqueeze(0)
        return torch.stack([x_BTC, x_BTC.flip(-2)])

    def _joined(self, outputs_DBTC: Tensor) -> Tensor:
        """The sum over directions, in the order of bins."""
        if len(self.nu_DH) == 1:
            return outputs_DBTC.squeeze(0)
        forwards, backwards = outputs_DBTC.unbind(0)
        return forwards + backwards.flip(-2)


def spread_decays(hidden: int) -> Tensor:
    """The values of nu with which ``hidden`` states have log-spaced time constants, in bins.

    A state decays as exp(-t / memory), so nu = -log(memory).
    """
    return -torch.linspace(math.log(SHORTEST_MEMORY), math.log(LONGEST_MEMORY), hidden)
