"""Behaviour in windows: time series at 1 kHz, low-pass filtered and downsampled to the bin width.

The filter and the treatment of gaps are those of ``NWBDataset.resample``, and the padding is that of
``make_jagged_array`` (nlb_tools 0.0.4). Both are linear, so a window is one matrix product, and the rest of the session
need not be filtered.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.nwb.alignment import IntArray, Windows

FloatArray = npt.NDArray[np.floating[Any]]

REACH_MS = 250
"""Half-width of the anti-aliasing filter."""

_AT_ONCE = 256
"""Number of windows, and of bins per window, to filter at once: the matrix grows with the square of the bins."""


class Decimated:
    """A time series, milliseconds x columns, that can be read with one value per bin.

    Gaps are interpolated linearly before filtering, and the series is padded with zeros. A bin is NaN if its first
    millisecond is NaN.
    """

    def __init__(self, series: FloatArray, bin_ms: int) -> None:
        gaps = np.isnan(series)
        filled = series.copy() if gaps.any() else series
        for column, gap in zip(filled.T, gaps.T, strict=True):
            if gap.any() and not gap.all():
                known = np.flatnonzero(~gap)
                column[gap] = np.interp(np.flatnonzero(gap), known, column[known])
        self._filled, self._gaps, self._bin_ms = filled, gaps[::bin_ms], bin_ms
        self._taps = low_pass(bin_ms)

    def at(self, first: IntArray, n_bins: int) -> FloatArray:
        """Values of ``n_bins`` bins from each bin in ``first``, windows x bins x columns; NaN outside the session."""
        bins = first[:, None] + np.arange(n_bins)
        inside = (bins >= 0) & (bins < len(self._gaps))
        parts = [self._filtered(first + at, min(_AT_ONCE, n_bins - at)) for at in range(0, n_bins, _AT_ONCE)]
        values = np.concatenate(parts, axis=1) if parts else np.empty((*bins.shape, self._filled.shape[1]))
        values[~inside] = np.nan
        values[self._gaps[bins * inside]] = np.nan
        return values

    def _filtered(self, first: IntArray, n_bins: int) -> FloatArray:
        """Output of the filter, also in gaps: a weighted sum of the milliseconds around each bin's first one."""
        reach_ms = len(self._taps) // 2
        weights = weighting(self._taps, self._bin_ms, n_bins)
        values = np.empty((len(first), n_bins, self._filled.shape[1]))
        for run in range(0, len(first), _AT_ONCE):
            starts = first[run : run + _AT_ONCE, None] * self._bin_ms - reach_ms
            times = starts + np.arange(len(weights))
            inside = (times >= 0) & (times < len(self._filled))
            around = np.where(inside[:, :, None], self._filled[times * inside], 0.0)
            values[run : run + _AT_ONCE] = np.moveaxis(np.tensordot(around, weights, axes=(1, 0)), 2, 1)
        return values


def cut_out(series: Decimated, windows: Windows) -> FloatArray:
    """The values of windows, windows x bins x columns; shorter windows are padded with NaN."""
    longest = int(windows.n_bins.max(initial=0))
    values = series.at(windows.first, longest)
    values[np.arange(longest) >= windows.n_bins[:, None]] = np.nan
    return values


def low_pass(bin_ms: int, reach_ms: int = REACH_MS) -> npt.NDArray[np.float64]:
    """Low-pass filter for downsampling to ``bin_ms``: a sinc with a Hamming window, which sums to one."""
    if bin_ms == 1:
        return np.ones(1)
    taps = np.sinc(np.arange(-reach_ms, reach_ms + 1) / bin_ms) * np.hamming(2 * reach_ms + 1)
    return np.asarray(taps / taps.sum())


def weighting(taps: npt.NDArray[np.float64], bin_ms: int, n_bins: int) -> npt.NDArray[np.float64]:
    """The filter at each of ``n_bins`` bins, milliseconds x bins, from the first one that the first bin needs."""
    weights = np.zeros(((n_bins - 1) * bin_ms + len(taps), n_bins))
    for number in range(n_bins):
        weights[number * bin_ms :][: len(taps), number] = taps
    return weights
