"""Detecting counts that are probably not counts: rates, or spikes that were counted several times."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nlb_search.data.inspection.count_sums import runs
from nlb_search.data.recording import UNSEEN, Counts

MIN_BINS = 20
"""Neurons that fire in fewer bins than this are not examined: few counts may have a common divisor by chance."""


@dataclass(frozen=True)
class Multiple:
    """A neuron whose counts are all multiples of ``step``, which is larger than 1."""

    neuron: int
    step: int


def multiples(parts: Iterable[Counts]) -> tuple[Multiple, ...]:
    """Find the neurons whose counts, in all parts (trials x bins x neurons), are all multiples of one number."""
    n_bins_NV = sum(_values(run_BTN) for counts_BTN in parts for run_BTN in runs(counts_BTN))
    found = []
    for neuron, n_bins_V in enumerate(np.asarray(n_bins_NV)[:, 1:UNSEEN]):
        step = int(np.gcd.reduce(1 + np.flatnonzero(n_bins_V), initial=0))
        if step > 1 and n_bins_V.sum() >= MIN_BINS:
            found.append(Multiple(neuron, step))
    return tuple(found)


def _values(counts_BTN: Counts) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Number of bins of each neuron with each of the values 0 to 255."""
    n_neurons = counts_BTN.shape[2]
    neuron_and_value = counts_BTN + (UNSEEN + 1) * np.arange(n_neurons)
    n_bins = np.bincount(neuron_and_value.ravel(), minlength=n_neurons * (UNSEEN + 1))
    return n_bins.reshape(n_neurons, UNSEEN + 1)
