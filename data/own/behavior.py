"""Behaviour of one's own, sampled whenever it was, in the bins of the windows."""

import numpy as np

from data.alignment import IntArray
from data.behavior import decimated
from data.nwb import FloatArray, Samples

_GAP = 2.5
"""Two samples so many usual steps apart have a gap between them, in which behaviour is not known."""


def binned(samples: Samples, length_ms: int, bin_ms: int) -> FloatArray:
    """A value for each bin of the session, bins x columns, NaN where there is none.

    Between samples lies a straight line; then it is decimated as the benchmark's behaviour is.
    """
    known = ~np.isnan(samples.values).any(axis=1) & np.isfinite(samples.time_s)
    time_ms, order = np.unique(1000 * samples.time_s[known], return_index=True)
    values = samples.values[known][order]
    whole = np.full((length_ms, values.shape[1]), np.nan)
    if len(time_ms) > 1:
        clock = np.arange(length_ms)
        after = np.searchsorted(time_ms, clock).clip(1, len(time_ms) - 1)
        steps = np.diff(time_ms)
        inside = (clock >= time_ms[0]) & (clock <= time_ms[-1]) & (steps[after - 1] <= _GAP * np.median(steps))
        for column in range(values.shape[1]):
            whole[inside, column] = np.interp(clock[inside], time_ms, values[:, column])
    return whole if bin_ms == 1 else decimated(whole, bin_ms)


def cut_at(values: FloatArray, first: IntArray, n_bins: int) -> FloatArray:
    """So many bins from each of the ``first``, windows x bins x columns; NaN outside the session."""
    bins = first[:, None] + np.arange(n_bins)
    inside = (bins >= 0) & (bins < len(values))
    return np.where(inside[:, :, None], values[bins.clip(0, len(values) - 1)], np.nan)
