"""Spike counts in bins that are counted from an event of each trial."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import EQUAL_NS, NS_PER_MS, IntArray, nanoseconds
from nlb_search.data.own.sessions.session import Neurons
from nlb_search.data.recording import UNSEEN, Counts


def counts_from(
    path: Path, kinds: Sequence[Neurons], starts_ns: Sequence[IntArray], n_bins: int, bin_ms: int
) -> list[Counts]:
    """Spike counts of all neurons in ``kinds``, for each array in ``starts_ns``: trials x bins x neurons.

    The first bin of a trial begins exactly at its start. Windows may overlap. Raises DataError if a bin has more spikes
    than fit in 8 bits.
    """
    n_neurons = sum(len(neurons.ids) for neurons in kinds)
    counts = [np.empty((len(starts), n_bins, n_neurons), dtype=np.uint8) for starts in starts_ns]
    units = ((unit, spikes) for kind in kinds for unit, spikes in zip(kind.ids, kind.spikes_s, strict=True))
    for neuron, (unit, spikes_s) in enumerate(units):
        # A spike at an edge, up to rounding, is in the bin that begins there.
        spikes_ns = nanoseconds(spikes_s) + EQUAL_NS
        for split, starts in zip(counts, starts_ns, strict=True):
            counted = _counted(spikes_ns, starts, n_bins, bin_ms * NS_PER_MS)
            if counted.max(initial=0) >= UNSEEN:
                raise DataError(
                    f"{path}: unit {unit} has {counted.max()} spikes in one bin, but at most {UNSEEN - 1} are "
                    "allowed: check its spike times"
                )
            split[:, :, neuron] = counted
    return counts


def _counted(spikes: IntArray, starts: IntArray, n_bins: int, width: int) -> IntArray:
    """Counts of sorted spikes in bins of ``width`` from each start, trials x bins; all in the same unit of time."""
    first = np.searchsorted(spikes, starts)
    number = np.searchsorted(spikes, starts + n_bins * width) - first
    trial = np.repeat(np.arange(len(starts)), number)
    inside = np.arange(len(trial)) + np.repeat(first - np.append(0, np.cumsum(number)[:-1]), number)
    bins = trial * n_bins + (spikes[inside] - starts[trial]) // width
    return np.bincount(bins, minlength=len(starts) * n_bins).reshape(len(starts), n_bins)
