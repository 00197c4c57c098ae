"""Bits per spike of known rates, in NumPy: the scores of the observer that a recording's truth contains."""

import numpy as np
import numpy.typing as npt


def bits_per_spike(rates: npt.NDArray[np.float64], spikes: npt.NDArray[np.float64]) -> float:
    """Bits per spike of ``rates`` > 0 for ``spikes``, both trials x bins x neurons, in spikes per bin.

    The Poisson log-likelihood relative to each neuron's mean rate, in bits, divided by the number of spikes
    (Pei, Ye et al. 2021, https://arxiv.org/abs/2109.04463, section 3.2). Entries where ``spikes`` is NaN are left out.
    """
    mean_N = np.nanmean(spikes, axis=(0, 1))
    # A neuron without spikes adds only the difference of its rates to its mean rate, 0.
    log_ratio = np.log(rates) - np.log(np.where(mean_N > 0, mean_N, 1))
    gain = np.nansum(spikes * log_ratio - (rates - mean_N))
    return float(gain / np.nansum(spikes) / np.log(2))
