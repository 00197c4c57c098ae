"""Behaviour of your own recording, resampled to the bins of the session."""

import numpy as np

from nlb_search.data.nwb.behavior import Decimated
from nlb_search.data.nwb.session import Samples

_GAP = 2.5
"""If two samples are further apart than this many median sampling intervals, behaviour is unknown between them."""


def resampled_behavior(samples: Samples, length_ms: int, bin_ms: int) -> Decimated:
    """Interpolate samples linearly at 1 kHz, then filter and downsample them like the benchmark's behaviour.

    The result is NaN in gaps, and before the first and after the last sample.
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
