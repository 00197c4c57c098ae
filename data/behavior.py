"""Behaviour beside the spikes: a time series at 1 kHz brought to the width of the bins, and cut into windows.

Filter and treatment of gaps are those of ``NWBDataset.resample``, and padding that of ``make_jagged_array`` (nlb_tools
0.0.4).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from data.alignment import Windows

FloatArray = npt.NDArray[np.floating[Any]]

_TAPS = 500
"""The order of the filter that keeps fast changes from being taken for slow ones."""


def decimated(series: FloatArray, bin_ms: int) -> FloatArray:
    """One value a bin from a series of milliseconds x columns, NaN where the bin's first millisecond is.

    The filter sees gaps filled by straight lines.
    """
    gaps = np.isnan(series)
    filled = series.copy() if gaps.any() else series
    for column, gap in zip(filled.T, gaps.T, strict=True):
        if gap.any() and not gap.all():
            known = np.flatnonzero(~gap)
            column[gap] = np.interp(np.flatnonzero(gap), known, column[known])
    values: FloatArray = signal.decimate(filled, bin_ms, n=_TAPS, ftype="fir", axis=0)
    values[gaps[::bin_ms]] = np.nan
    return values


def cut_out(values: FloatArray, windows: Windows) -> FloatArray:
    """Values of windows that may differ in length, windows x bins x columns, with NaN after the shorter ones."""
    offsets = np.arange(windows.n_bins.max(initial=0))
    inside = offsets < windows.n_bins[:, None]
    cut = np.full((*inside.shape, values.shape[1]), np.nan)
    cut[inside] = values[(windows.first[:, None] + offsets)[inside]]
    return cut
