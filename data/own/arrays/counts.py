"""Checking a user's arrays of spike counts, and converting them to 8 bits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.recording import UNSEEN, Counts

_FEW = 4
_MORE = 10.0
"""Bins and neurons are probably swapped if mean rates vary this many times as much across bins as across neurons.

With fewer than ``_FEW`` bins or neurons, such a difference can be due to chance.
"""

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
    if spikes.dtype == object and 0 < spikes.ndim < 3:
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


def check_axes(path: Path, pairs: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Raises DataError if the shapes of train and val, ``pairs`` by name, look like neurons x bins x trials.

    Arrays of both splits have the same bins and neurons, but different numbers of trials.
    """
    if all(train[:2] == val[:2] and train[2] != val[2] for train, val in pairs.values()):
        names = ", ".join(f"{name} {train} in train and {val} in val" for name, (train, val) in pairs.items())
        raise DataError(
            f"{path}: the shapes of {names} look like neurons x bins x trials, as MATLAB writes to HDF5 with h5write: "
            "transpose them to trials x bins x neurons"
        )


def swapped_axes(counts: Counts) -> list[str]:
    """Returns a warning if counts, trials x bins x neurons, look like trials x neurons x bins.

    Neurons differ in their mean rates far more than bins do.
    """
    means = np.mean(counts, axis=0, where=counts != UNSEEN)
    over_bins, over_neurons = np.var(np.nanmean(means, axis=1)), np.var(np.nanmean(means, axis=0))
    if min(means.shape) < _FEW or over_bins < _MORE * over_neurons:
        return []
    return [
        f"bins differ much more in their rates than neurons do: are the arrays trials x neurons x bins? They must be "
        f"trials x bins x neurons, and were read as {means.shape[0]} bins of {means.shape[1]} neurons"
    ]


def _remedy(value: float) -> str:
    if np.isnan(value):
        return "truncate all trials to the shortest instead of padding them with NaN, and leave out unknown trials"
    if value < 0:
        return "were they stored in a type that is too narrow? give spikes per bin"
    return "give spikes per bin"


def fill(counts: Counts, path: Path, name: str, spikes: Any) -> None:
    """Copy spikes, an array or HDF5 dataset that passed ``check_counts``, into ``counts`` of the same shape.

    Raises DataError, with the position of the first wrong value, unless all are integers from 0 to 254.
    """
    step = max(1, _BLOCK_ENTRIES // (spikes.shape[1] * spikes.shape[2]))
    for start in range(0, len(spikes), step):
        block = spikes[start : start + step]
        is_count = (block >= 0) & (block < UNSEEN) & (block == np.rint(block))
        if not is_count.all():
            trial, bin_, neuron = np.argwhere(~is_count)[0]
            value = block[trial, bin_, neuron]
            raise DataError(
                f"{path}: {name} has {value:g} in trial {start + trial}, bin {bin_}, neuron {neuron}, but counts must "
                f"be integers from 0 to {UNSEEN - 1}: {_remedy(value)}"
            )
        counts[start : start + step] = block
