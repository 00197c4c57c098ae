"""Bits per spike, on the device where the rates are.

The formula is that of ``nlb_tools.evaluation.bits_per_spike`` (Pei et al. 2021, section 3.2): how much more likely
the spikes are under the predicted rates than under each neuron's mean rate, in bits, per spike.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.tensors import Counts

LEAST_RATE = 1e-9
"""nlb_tools scores a predicted rate of zero as this one, and so do we."""


@dataclass(frozen=True)
class Gains:
    """What a score is made of, for each trial of a recording: spikes, and how far above the null model they are.

    ``gain_B`` is a log-likelihood ratio in nats. The null model is each neuron's mean rate over all B trials.
    """

    gain_B: Tensor
    spikes_B: Tensor

    @property
    def bits_per_spike(self) -> Tensor:
        """The score of all trials together, a scalar tensor; not finite if there is no spike at all."""
        return self.gain_B.sum() / self.spikes_B.sum() / math.log(2)


def bits_per_spike(rates: Tensor, spikes: Tensor) -> Tensor:
    """Bits per spike of ``rates`` for ``spikes``, both trials x bins x neurons, in spikes per bin.

    Entries where ``spikes`` is NaN are not scored. Sums run in float64: the score is a small difference of large
    numbers. Returns a scalar tensor on the device of the rates; not finite if there is no spike at all.
    """
    return _gains(rates, spikes).bits_per_spike


def co_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Co-smoothing bits per spike: held-out neurons in the window. A scalar tensor."""
    return gains_by_trial(rates_BTN, counts).bits_per_spike


def fp_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Forward-prediction bits per spike: all neurons in the forward bins. A scalar tensor."""
    forward = (slice(None), slice(counts.sizes.n_window, None))
    return bits_per_spike(rates_BTN[forward], counts.target_BTN[forward])


def gains_by_trial(rates_BTN: Tensor, counts: Counts) -> Gains:
    """What each trial of the recording adds to ``co_bps``."""
    heldout = (slice(None), slice(None, counts.sizes.n_window), slice(counts.sizes.n_heldin, None))
    return _gains(rates_BTN[heldout], counts.target_BTN[heldout])


def _gains(rates: Tensor, spikes: Tensor) -> Gains:
    known = ~torch.isnan(spikes)
    spikes = spikes.double()
    null = torch.nanmean(spikes, dim=(0, 1), keepdim=True)
    gains = _log_likelihood(rates.double(), spikes) - _log_likelihood(null, spikes)
    by_trial = (torch.where(known, values, 0).sum(dim=(1, 2)) for values in (gains, spikes))
    return Gains(*by_trial)


def _log_likelihood(rates: Tensor, spikes: Tensor) -> Tensor:
    """Poisson log-likelihood of each entry, without the term that no rate changes."""
    rates = torch.where(rates == 0, LEAST_RATE, rates)
    return spikes * torch.log(rates) - rates
