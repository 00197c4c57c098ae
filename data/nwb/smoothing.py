"""Spikes smoothed by a Gaussian and summed in bins, as in ``NWBDataset.smooth_spk`` and ``resample`` of nlb_tools.

Both steps are linear: a spike's contribution to each bin of a window depends only on the time of the spike. So
smoothing is one matrix product, and the spikes of many windows can be summed before it. The Gaussian is truncated at
three standard deviations, and smoothing does not cross the ends of an observed stretch.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nlb_search.data.nwb.alignment import BoolArray, IntArray
from nlb_search.data.nwb.session import Units

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Smoothing:
    """Smoothing by a Gaussian with a standard deviation of ``sd_ms``, then summing in bins of ``bin_ms``."""

    sd_ms: int
    bin_ms: int

    @cached_property
    def kernel(self) -> FloatArray:
        length = 6 * self.sd_ms
        kernel = np.exp(-(((np.arange(length) - (length - 1) / 2) / self.sd_ms) ** 2) / 2)
        return np.asarray(kernel / kernel.sum())

    @property
    def before_ms(self) -> int:
        """How long before a millisecond a spike still contributes to it. The kernel has even length, so no centre."""
        return len(self.kernel) // 2

    @property
    def after_ms(self) -> int:
        return len(self.kernel) - 1 - self.before_ms

    def reach_ms(self, n_bins: int) -> int:
        """Number of milliseconds with spikes that contribute to a window of ``n_bins`` bins: its reach."""
        return self.before_ms + n_bins * self.bin_ms + self.after_ms

    def weights(self, n_bins: int) -> FloatArray:
        """Contribution of a spike in each millisecond of a window's reach (rows) to each millisecond of the window."""
        ages = np.arange(n_bins * self.bin_ms) + len(self.kernel) - 1 - np.arange(self.reach_ms(n_bins))[:, None]
        inside = (ages >= 0) & (ages < len(self.kernel))
        return np.where(inside, self.kernel[ages * inside], 0.0)

    def binned(self, weights: FloatArray) -> FloatArray:
        """Sum the columns of ``weights`` in the bins of the window."""
        return np.asarray(weights.reshape(len(weights), -1, self.bin_ms).sum(axis=2))


def summed(
    units: Units,
    begin: IntArray,
    end: IntArray,
    stretches: IntArray,
    group: IntArray,
    n_groups: int,
    smoothing: Smoothing,
) -> FloatArray:
    """Smoothed spikes, summed over the windows of each group: groups x bins x neurons.

    ``begin``, ``end`` and ``stretches`` are in milliseconds, with one row per window. A window must lie within its
    observed stretch. ``group`` is the index of each window's group, and all windows of a group have the same length;
    bins after that length are undefined.
    """
    longest = int((end - begin).max(initial=0)) // smoothing.bin_ms
    reach_ms = smoothing.reach_ms(longest)
    weights = smoothing.binned(smoothing.weights(longest))
    reach_begin = begin - smoothing.before_ms
    from_ms = np.maximum(reach_begin, stretches[:, 0])
    to_ms = np.minimum(end + smoothing.after_ms, stretches[:, 1])
    rates = np.empty((n_groups, longest, len(units.ids)))
    for neuron, spike_ms in enumerate(units.spike_ms):
        start, stop = np.searchsorted(spike_ms, from_ms), np.searchsorted(spike_ms, to_ms)
        n_spikes = stop - start
        spikes = np.repeat(stop - np.cumsum(n_spikes), n_spikes) + np.arange(n_spikes.sum())
        positions = spike_ms[spikes] + np.repeat(group * reach_ms - reach_begin, n_spikes)
        counts = np.bincount(positions, minlength=n_groups * reach_ms).reshape(n_groups, reach_ms)
        rates[:, :, neuron] = counts @ weights
    return rates


def smoothed(units: Units, begin: int, n_bins: int, smoothing: Smoothing) -> tuple[FloatArray, BoolArray]:
    """Smoothed spikes of one window that may have gaps, bins x neurons, and a mask of the bins that were seen."""
    reach = begin - smoothing.before_ms + np.arange(smoothing.reach_ms(n_bins))
    inside = (reach >= 0) & (reach < len(units.observed))
    seen = inside & units.observed[reach * inside]
    # Number each stretch by how many times observation started or ended before it.
    stretch = np.where(seen, np.cumsum(np.diff(seen, prepend=False)), -1)
    window = slice(smoothing.before_ms, smoothing.before_ms + n_bins * smoothing.bin_ms)
    weights = smoothing.weights(n_bins)
    weights[stretch[:, None] != stretch[window]] = 0.0
    weights[:, ~seen[window]] = 0.0
    binned = smoothing.binned(weights)
    rates = np.empty((n_bins, len(units.ids)))
    for neuron, spike_ms in enumerate(units.spike_ms):
        start, stop = np.searchsorted(spike_ms, (reach[0], reach[-1] + 1))
        counts = np.bincount(spike_ms[start:stop] - reach[0], minlength=len(reach))
        rates[:, neuron] = counts @ binned
    return rates, seen[window][:: smoothing.bin_ms]
