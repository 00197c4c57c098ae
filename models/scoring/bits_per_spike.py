"""Bits per spike, computed on the device of the rates.

The formula is that of ``nlb_tools.evaluation.bits_per_spike`` (Pei et al. 2021, section 3.2): the log-likelihood of the
predicted rates relative to each neuron's mean rate, in bits, divided by the number of spikes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.tensors import Counts, with_nan

MIN_RATE = 1e-9
"""A predicted rate of zero is replaced with this value, as in nlb_tools."""


@dataclass(frozen=True)
class Gains:
    """The terms of a score for each trial: the number of spikes, and the gain over the null model.

    ``gain_B`` is a log-likelihood ratio in nats. The null model predicts each neuron's mean rate over all B trials.
    """

    gain_B: Tensor
    spikes_B: Tensor

    @property
    def bits_per_spike(self) -> Tensor:
        """The score of all trials, a scalar tensor. It is not finite if there are no spikes."""
        return self.gain_B.sum() / self.spikes_B.sum() / math.log(2)


def mean_gains(gains_K: Sequence[Gains]) -> Gains:
    """The mean gains of several networks on the same trials. Their score is the mean of the networks' scores."""
    return Gains(torch.stack([gains.gain_B for gains in gains_K]).mean(dim=0), gains_K[0].spikes_B)


class ScoredSpikes:
    """Spikes to score rates against, trials x bins x neurons, with the log-likelihood of the null model.

    Entries where ``spikes`` is NaN are not scored.
    """

    def __init__(self, spikes: Tensor) -> None:
        self.unknown = torch.isnan(spikes)
        self.spikes = torch.nan_to_num(spikes)
        total, known = self.spikes.sum(dim=(0, 1), dtype=torch.float64), (~self.unknown).sum(dim=(0, 1))
        null = (total / known).to(spikes.dtype)
        self.spikes_B = self.spikes.sum(dim=(1, 2), dtype=torch.float64)
        self.null_B = self._log_likelihood(null, slice(None))

    @property
    def observed(self) -> Tensor:
        """The spikes, with NaN where they are unknown."""
        return self.spikes.masked_fill(self.unknown, torch.nan)

    def gain(self, rates: Tensor, trials: slice) -> Tensor:
        """Gain of ``rates`` over the null model for the selected trials, in nats per trial, float64.

        Sums use float64 because the score is a small difference of large numbers.
        """
        return self._log_likelihood(rates, trials) - self.null_B[trials]

    def gains(self, rates: Tensor) -> Gains:
        """The gains of ``rates``, in spikes per bin, for all trials."""
        return Gains(self.gain(rates, slice(None)), self.spikes_B)

    def _log_likelihood(self, rates: Tensor, trials: slice) -> Tensor:
        """Poisson log-likelihood of each trial, without the term that does not depend on the rates."""
        rates = rates.masked_fill(rates == 0, MIN_RATE)
        each = (self.spikes[trials] * torch.log(rates)).sub_(rates).masked_fill_(self.unknown[trials], 0)
        return each.sum(dim=(1, 2), dtype=torch.float64)


def scored_heldout(counts: Counts) -> ScoredSpikes:
    """The spikes that co-bps scores: held-out neurons in the window."""
    sizes = counts.sizes
    return ScoredSpikes(with_nan(counts.counts_BTN[:, : sizes.n_window, sizes.n_heldin :]))


def scored_forward(counts: Counts) -> ScoredSpikes:
    """The spikes that fp-bps scores: all neurons in the forward bins."""
    return ScoredSpikes(with_nan(counts.counts_BTN[:, counts.sizes.n_window :]))


def bits_per_spike(rates: Tensor, spikes: Tensor) -> Tensor:
    """Bits per spike of ``rates`` for ``spikes``, both trials x bins x neurons, in spikes per bin.

    Entries where ``spikes`` is NaN are not scored. Returns a scalar tensor on the device of the rates. It is not finite
    if there are no spikes.
    """
    return ScoredSpikes(spikes.to(rates.dtype)).gains(rates).bits_per_spike


def co_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Co-smoothing bits per spike: held-out neurons in the window. A scalar tensor."""
    return gains_by_trial(rates_BTN, counts).bits_per_spike


def fp_bps(rates_BTN: Tensor, counts: Counts) -> Tensor:
    """Forward-prediction bits per spike: all neurons in the forward bins. A scalar tensor."""
    return scored_forward(counts).gains(rates_BTN[:, counts.sizes.n_window :]).bits_per_spike


def gains_by_trial(rates_BTN: Tensor, counts: Counts) -> Gains:
    """The terms of ``co_bps`` for each trial."""
    return scored_heldout(counts).gains(rates_BTN[:, : counts.sizes.n_window, counts.sizes.n_heldin :])
