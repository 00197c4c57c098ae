"""Produced intervals in a recording of arrays, for tp corr: ``*_interval_bins`` and ``*_intervals``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import FloatArray
from nlb_search.data.recording import Split
from nlb_search.data.source import Array

INTERVAL_BINS = "eval_interval_bins"
INTERVALS = "eval_intervals"

FEWEST_BINS = 2
"""The speed of rates is the distance between neighbouring bins."""


def array_intervals(path: Path, arrays: Mapping[str, Any], prefix: str, split: Split) -> dict[str, Array]:
    """The targets of the trials of ``split``, from the arrays whose names begin with ``prefix``.

    ``_interval_bins`` is boolean, trials x bins of the window; ``_intervals`` is trials x columns: conditions, and the
    produced interval. Raises DataError if they have other shapes or values, or cannot be correlated.
    """
    bins_name, name = (full.replace("eval", prefix, 1) for full in (INTERVAL_BINS, INTERVALS))
    bins, intervals = np.asarray(arrays[bins_name]), np.asarray(arrays[name], float)
    expected = split.heldin.shape[:2]
    if bins.shape != expected or not np.isin(bins, (0, 1)).all():
        raise DataError(
            f"{path}: {bins_name} must be boolean and have the shape {expected}, trials x bins of the window, but it "
            f"is {bins.dtype} of the shape {bins.shape}"
        )
    if intervals.ndim != 2 or len(intervals) != expected[0] or np.isinf(intervals).any():
        raise DataError(
            f"{path}: {name} must be finite or NaN and have the shape ({expected[0]}, columns), conditions and then "
            f"the interval, but its shape is {intervals.shape}"
        )
    unknown = np.isnan(intervals).any(axis=1) | (np.count_nonzero(bins, axis=1) < FEWEST_BINS)
    intervals = np.where(unknown[:, None], np.nan, intervals)
    check_correlated(path, prefix, intervals)
    return {INTERVAL_BINS: bins.astype(bool), INTERVALS: intervals}


def check_correlated(path: Path, split: str, intervals: FloatArray) -> None:
    """Raises DataError unless a condition (all columns but the last) has two different intervals (the last column)."""
    known = intervals[~np.isnan(intervals).any(axis=1)]
    if len(np.unique(known, axis=0)) == len(np.unique(known[:, :-1], axis=0)):
        raise DataError(
            f"{path}: {len(known)} of {len(intervals)} trials of {split} have a produced interval in the window, and "
            "no condition has two different intervals: check the intervals, widen the window, or give fewer "
            "conditions"
        )
