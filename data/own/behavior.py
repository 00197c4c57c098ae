"""Behaviour of your own recording, resampled into the bins of the windows."""

import numpy as np

from nlb_search.data.nwb.behavior import Decimated
from nlb_search.data.nwb.session import Samples

_GAP = 2.5
"""Two samples so many usual steps apart have a gap between them, in which behaviour is not known."""


def resampled_behavior(samples: Samples, length_ms: int, bin_ms: int) -> Decimated:
    """Values for the bins of the session, NaN where there is none.

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
    return Decimated(whole, bin_ms)
