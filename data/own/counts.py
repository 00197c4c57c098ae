"""Checking a user's arrays of spike counts, and converting them to 8 bits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.recording import UNSEEN, Counts

_BLOCK_ENTRIES = 2**24
"""Number of entries to check at once, so that large arrays need not be in memory in the data type of the file."""


def check_needed(path: Path, needed: Iterable[str], arrays: Mapping[str, Any]) -> None:
    """Raises DataError if one of the ``needed`` arrays is missing."""
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: these arrays are required")


def check_counts(path: Path, name: str, spikes: Any) -> tuple[int, int, int]:
    """Return the shape of an array of counts, (trials, bins, neurons).

    Raises DataError if the array is ragged or empty, does not have three dimensions, or is not numeric.
    """
    if spikes.dtype == object:
        raise DataError(
            f"{path}: {name} is ragged, but all trials must have the same number of bins: truncate them to the "
            "shortest trial, or leave out trials that are much shorter than the rest"
        )
    if spikes.ndim != 3 or 0 in spikes.shape:
        raise DataError(f"{path}: {name} has the shape {spikes.shape}, but it must be trials x bins x neurons")
    if spikes.dtype.kind not in "buif":
        raise DataError(f"{path}: {name} has the type {spikes.dtype}, but it must have spike counts")
    n_trials, n_bins, n_neurons = map(int, spikes.shape)
    return n_trials, n_bins, n_neurons


def fill(counts: Counts, path: Path, name: str, spikes: Any) -> None:
    """Copy spikes, an array or HDF5 dataset that passed ``check_counts``, into ``counts`` of the same shape.

    Raises DataError, with the position of the first wrong value, unless all are whole numbers from 0 to 254.
    """
    step = max(1, _BLOCK_ENTRIES // (spikes.shape[1] * spikes.shape[2]))
    for start in range(0, len(spikes), step):
        block = spikes[start : start + step]
        is_count = (block >= 0) & (block < UNSEEN) & (block == np.rint(block))
        if not is_count.all():
            trial, bin_, neuron = np.argwhere(~is_count)[0]
            raise DataError(
                f"{path}: {name} has {block[trial, bin_, neuron]:g} in trial {start + trial}, bin {bin_}, neuron "
                f"{neuron}, but counts must be whole numbers from 0 to {UNSEEN - 1}: give spikes per bin"
            )
        counts[start : start + step] = block
