"""Bits per spike, on the device where the rates are.

The formula is that of ``nlb_tools.evaluation.bits_per_spike`` (Pei et al. 2021, section 3.2): how much more likely
the spikes are under the predicted rates than under each neuron's mean rate, in bits, per spike.
"""

import math

import torch
from torch import Tensor

from models.tensors import Counts, Sizes

LEAST_RATE = 1e-9
"""nlb_tools scores a predicted rate of zero as this one, and so do we."""


def _log_likelihood(rates: Tensor, spikes: Tensor) -> Tensor:
    """Poisson log-likelihood summed over all entries, without the term that no rate changes."""
    rates = torch.where(rates == 0, LEAST_RATE, rates)
    return (spikes * torch.log(rates) - rates).sum()


def bits_per_spike(rates: Tensor, spikes: Tensor) -> Tensor:
    """Bits per spike of ``rates`` for ``spikes``, both trials x bins x neurons, in spikes per bin.

    Entries where ``spikes`` is NaN are not scored. Sums run in float64: the score is a small difference of large
    numbers. Returns a scalar tensor on the device of the rates; NaN if there is no spike at all.
    """
    known = ~torch.isnan(spikes)
    spikes = spikes.double()
    null = torch.nanmean(spikes, dim=(0, 1), keepdim=True).expand_as(spikes)
    gain = _log_likelihood(rates.double()[known], spikes[known]) - _log_likelihood(null[known], spikes[known])
    return gain / spikes[known].sum() / math.log(2)


def co_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Co-smoothing bits per spike: held-out neurons in the window. A scalar tensor."""
    sizes: Sizes = counts.sizes
    heldout = (slice(None), slice(None, sizes.n_window), slice(sizes.n_heldin, None))
    return bits_per_spike(rates_BTN[heldout], counts.target_BTN[heldout])


def fp_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Forward-prediction bits per spike: all neurons in the forward bins. A scalar tensor."""
    forward = (slice(None), slice(counts.sizes.n_window, None))
    return bits_per_spike(rates_BTN[forward], counts.target_BTN[forward])
