"""Spikes smoothed by a Gaussian and summed in bins, as ``NWBDataset.smooth_spk`` and ``resample`` of nlb_tools do.

Both are linear: what a spike adds to each bin of a window depends only on when it was. So smoothing is a product with
one matrix, and spikes of many windows can be added up before it. The Gaussian is cut off at three standard deviations;
no spike reaches out of the observed stretch in which it was.
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
    """A Gaussian with a standard deviation of ``sd_ms``, whose values are summed in bins of ``bin_ms``."""

    sd_ms: int
    bin_ms: int

    @cached_property
    def kernel(self) -> FloatArray:
        length = 6 * self.sd_ms
        kernel = np.exp(-(((np.arange(length) - (length - 1) / 2) / self.sd_ms) ** 2) / 2)
        return np.asarray(kernel / kernel.sum())

    @property
    def before_ms(self) -> int:
        """How long before a millisecond a spike still counts in it. The kernel has no middle: it is of even length."""
        return len(self.kernel) // 2

    @property
    def after_ms(self) -> int:
        return len(self.kernel) - 1 - self.before_ms

    def reach_ms(self, n_bins: int) -> int:
        """How many milliseconds' spikes count in a window of so many bins."""
        return self.before_ms + n_bins * self.bin_ms + self.after_ms

    def weights(self, n_bins: int) -> FloatArray:
        """What a spike in each millisecond within reach of a window adds to each of the window's milliseconds."""
        ages = np.arange(n_bins * self.bin_ms) + len(self.kernel) - 1 - np.arange(self.reach_ms(n_bins))[:, None]
        inside = (ages >= 0) & (ages < len(self.kernel))
        return np.where(inside, self.kernel[ages * inside], 0.0)

    def binned(self, weights: FloatArray) -> FloatArray:
        """The same for each of the window's bins."""
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
    """The smoothed spikes of windows, each summed over the windows of its group: groups x bins x neurons.

    A window lasts from ``begin`` to ``end``, in milliseconds, wholly within one observed stretch. Bins after the last
    of a group mean nothing.
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
        places = spike_ms[spikes] + np.repeat(group * reach_ms - reach_begin, n_spikes)
        counts = np.bincount(places, minlength=n_groups * reach_ms).reshape(n_groups, reach_ms)
        rates[:, :, neuron] = counts @ weights
    return rates


def smoothed(units: Units, begin: int, n_bins: int, smoothing: Smoothing) -> tuple[FloatArray, BoolArray]:
    """The smoothed spikes of one window that may have gaps, bins x neurons, and which of its bins were seen."""
    reach = begin - smoothing.before_ms + np.arange(smoothing.reach_ms(n_bins))
    inside = (reach >= 0) & (reach < len(units.observed))
    seen = inside & units.observed[reach * inside]
    # Stretches are numbered by how often observation began or ended before.
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
