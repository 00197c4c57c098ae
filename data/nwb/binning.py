"""Spike counts in windows, computed directly from spike times.

As in nlb_tools, a bin counts the spikes in its observed milliseconds, and is unknown if its first millisecond is
unobserved.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.nwb.session import Session, Units
from nlb_search.data.recording import UNSEEN, Counts


def counts_in(
    session: Session, kinds: Sequence[Units], windows: Sequence[npt.NDArray[np.int64]], bin_ms: int
) -> list[Counts]:
    """Spike counts of all neurons in ``kinds``, for each array in ``windows``: trials x bins x neurons.

    The arrays in ``windows`` are bins of the session, trials x bins.
    Raises DataError if a bin of the session has more spikes than fit in 8 bits.
    """
    n_neurons = sum(len(units.ids) for units in kinds)
    counts = [np.empty((*bins.shape, n_neurons), dtype=np.uint8) for bins in windows]
    neuron = 0
    for units in kinds:
        unseen = ~units.observed[::bin_ms]
        for unit, spike_ms in zip(units.ids, units.spike_ms, strict=True):
            counted = np.bincount(spike_ms[units.observed[spike_ms]] // bin_ms, minlength=len(unseen))
            counted[unseen] = 0
            if counted.max(initial=0) >= UNSEEN:
                raise DataError(
                    f"{session.path}: unit {unit} has {counted.max()} spikes in one bin, but at most {UNSEEN - 1} are "
                    "allowed: check its spike times"
                )
            counted[unseen] = UNSEEN
            counted = counted.astype(np.uint8)
            for split, bins in zip(counts, windows, strict=True):
                split[:, :, neuron] = counted[bins]
            neuron += 1
    return counts
