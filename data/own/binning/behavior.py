"""Behaviour of your own recording in bins that are counted from an event of each trial."""

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlb_search.data.dataset_files import Contents
from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.nwb.behavior import REACH_MS, low_pass, weighting
from nlb_search.data.nwb.session import Samples, read_samples
from nlb_search.data.own.intervals import BoolArray, FloatArray, IntArray
from nlb_search.data.own.wording import listed, names_in

_GAP = 2.5
"""If two samples are further apart than this many median sampling intervals, behaviour is unknown between them."""

_OTHER_UNIT = 100
"""Samples whose times end this many times later than the trials are in another unit of time."""

_REACH_BINS = 2.5
"""Half-width of the anti-aliasing filter in bins, for bins so wide that the benchmark's filter is too short."""

_AT_ONCE_MS = 5_000
_AT_ONCE = 256
"""Time and number of windows to filter at once."""


def series_path(contents: Contents, file: h5py.File, series: str) -> str:
    """The HDF5 path of the time series that ``series``, a name or a path, refers to; a link to one has its own path.

    Raises DataError if there is no such time series, if several have this name, or if its samples have no times.
    """
    path = series.strip("/")
    if any(path in paths for paths in contents.series_paths.values()):
        return path
    paths = contents.series_paths.get(series, ()) or _linked(file, path)
    if not paths:
        untimed = _without_times(file, path)
        if untimed:
            raise DataError(
                f"{contents.path}: time series '{untimed[0]}' has neither timestamps nor a starting_time, so its "
                "samples have no times: write one of them"
            )
        raise DataError(
            f"{contents.path} has no time series '{series}': choose one of {names_in(contents.series_paths)}, or give "
            "its path in the file"
        )
    if len(paths) > 1:
        raise DataError(
            f"{contents.path} has {len(paths)} time series '{series}', {' and '.join(paths)}: set behavior to one of "
            "these paths"
        )
    return paths[0]


def _linked(file: h5py.File, series: str) -> tuple[str, ...]:
    """The paths of links within the file, by this name or path, to a time series."""
    found: list[str] = []

    def note(name: str, link: Any) -> None:
        if isinstance(link, h5py.SoftLink) and series in (name, name.rpartition("/")[2]) and _is_series(file.get(name)):
            found.append(name)

    file.visititems_links(note)
    return tuple(found)


def _is_series(item: Any) -> bool:
    return isinstance(item, h5py.Group) and "data" in item and ("timestamps" in item or "starting_time" in item)


def _without_times(file: h5py.File, series: str) -> list[str]:
    """The paths of groups of samples, by this name or path, that have no times."""
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        of_samples = isinstance(item, h5py.Group) and "data" in item and not _is_series(item)
        if of_samples and series in (name, name.rpartition("/")[2]):
            found.append(name)

    file.visititems(note)
    return found


def read_series(path: Path, file: h5py.File, series: str) -> Samples:
    """The samples of the time series at this HDF5 path, in its unit: as stored, times ``conversion``, plus ``offset``.

    Raises DataError as ``check_series`` does, and if a column has no number at all.
    """
    check_series(path, file, series)
    samples = read_samples(file[series])
    scale = file[series]["data"].attrs
    values = samples.values * float(scale.get("conversion", 1.0)) + float(scale.get("offset", 0.0))
    dead = np.flatnonzero(~np.isfinite(values).any(axis=0))
    if len(dead):
        raise DataError(
            f"{path}: time series '{series}' has {values.shape[1]} columns, of which {listed(dead)} (from 0) have no "
            "numbers, and a bin is decoded only if all columns are known: write it without them, or name another"
        )
    return Samples(samples.time_s.ravel(), values)


def check_series(path: Path, file: h5py.File, series: str) -> None:
    """Raises DataError if the time series at this HDF5 path has no numbers or no rate, looks stored as dimensions x
    time, or has another length than its timestamps. Reads no samples.
    """
    check_in_file(path, file, series)
    data, start = file[series]["data"], file[series].get("starting_time")
    if data.dtype.kind not in "biuf":
        raise DataError(
            f"{path}: time series '{series}' has values of the type {data.dtype}, not numbers: name another"
        )
    shape, stamps = data.shape, file[series].get("timestamps")
    if stamps is None and not _is_positive(start.attrs.get("rate")):
        rate = start.attrs.get("rate", "missing")
        raise DataError(
            f"{path}: time series '{series}' has the rate {rate}, not a positive number of samples per second: correct "
            "it, or write timestamps"
        )
    if not shape or not data.size:
        raise DataError(f"{path}: time series '{series}' has the shape {shape}, and so no samples: name another")
    if stamps is not None and (stamps.dtype.kind not in "iuf" or stamps.size != max(stamps.shape, default=0)):
        raise DataError(
            f"{path}: the timestamps of time series '{series}' have the shape {stamps.shape} and the type "
            f"{stamps.dtype}, but they must be one time in seconds per sample"
        )
    n_times = None if stamps is None else int(stamps.size)
    n_samples, n_dimensions = shape[0], math.prod(shape[1:])
    advice = "store samples in rows (time x dimensions), as NWB requires"
    turned = f"; is it transposed? Its transpose would have {n_dimensions} samples of {n_samples} dimensions"
    if n_times is not None and n_times != n_samples:
        looks = turned if n_times == n_dimensions else ""
        raise DataError(
            f"{path}: time series '{series}' has the shape {shape}, so {n_samples} samples, but {n_times} timestamps"
            f"{looks}: {advice}"
        )
    if n_times is None and n_dimensions > n_samples:
        raise DataError(
            f"{path}: time series '{series}' has the shape {shape}, so {n_samples} samples of {n_dimensions} dimensions"
            f"{turned}: {advice}"
        )


def _is_positive(rate: Any) -> bool:
    return isinstance(rate, int | float | np.number) and float(rate) > 0


def check_samples(path: Path, series: str, samples: Samples, last_s: float) -> None:
    """Raises DataError if sample times decrease, or are in another unit than ``last_s``, the last window."""
    time_s = samples.time_s[np.isfinite(samples.time_s)]
    if not len(time_s):
        raise DataError(f"{path}: time series '{series}' has no times: check its rate and timestamps")
    back = np.flatnonzero(np.diff(time_s) < 0)
    if len(back):
        at = int(back[0])
        raise DataError(
            f"{path}: the timestamps of time series '{series}' decrease (from {time_s[at]:g} s to {time_s[at + 1]:g} s "
            f"after sample {at}, from 0): if the clock restarted there, correct the times after it; if only the order "
            "is wrong, sort the samples"
        )
    if time_s[-1] > _OTHER_UNIT * last_s:
        raise DataError(
            f"{path}: the timestamps of time series '{series}' go up to {time_s[-1]:.3g} s, but trials end at "
            f"{last_s:.3g} s: are they in milliseconds, sample numbers, or on another clock? NWB stores seconds"
        )


def behavior_from(samples: Samples, starts_ns: IntArray, n_bins: int, bin_ms: int) -> FloatArray:
    """Behaviour at the start of each bin, windows x bins x columns; the first bin begins exactly at the start.

    Samples are interpolated linearly at 1 kHz and filtered like the benchmark's behaviour. The result is NaN in gaps
    between samples, except for one sampling interval at each side.
    """
    known = np.isfinite(samples.values).all(axis=1) & np.isfinite(samples.time_s)
    time_s, order = np.unique(samples.time_s[known], return_index=True)
    values = samples.values[known][order]
    starts_s = starts_ns / 1e9
    found = np.full((len(starts_s), n_bins, values.shape[1]), np.nan)
    if len(time_s) < 2:
        return found
    taps = low_pass(bin_ms, max(REACH_MS, int(_REACH_BINS * bin_ms)))
    step = max(1, _AT_ONCE_MS // bin_ms)
    for first in range(0, n_bins, step):
        weights = weighting(taps, bin_ms, min(step, n_bins - first))
        clock_s = (first * bin_ms + np.arange(len(weights)) - len(taps) // 2) / 1000
        for run in range(0, len(starts_s), _AT_ONCE):
            at_s = starts_s[run : run + _AT_ONCE, None] + clock_s
            for column in range(values.shape[1]):
                whole = np.interp(at_s.ravel(), time_s, values[:, column]).reshape(at_s.shape)
                found[run : run + _AT_ONCE, first : first + weights.shape[1], column] = whole @ weights
    bins_s = starts_s[:, None] + np.arange(n_bins) * bin_ms / 1000
    found[~_sampled(bins_s, time_s)] = np.nan
    return found


def _sampled(at_s: FloatArray, time_s: FloatArray) -> BoolArray:
    """Whether there are samples around each of the times, or one within the usual sampling interval."""
    steps = np.diff(time_s)
    usual = np.median(steps)
    after = np.searchsorted(time_s, at_s).clip(1, len(time_s) - 1)
    before_s, after_s = time_s[after - 1], time_s[after]
    between = (at_s >= before_s) & (at_s <= after_s) & (steps[after - 1] <= _GAP * usual)
    near = np.minimum(np.abs(at_s - before_s), np.abs(at_s - after_s)) <= usual * (1 + 1e-6)
    return np.asarray(between | near)
