"""Spike counts of somebody else's array, checked and in 8 bits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.recording import UNSEEN, Counts

_BLOCK_ENTRIES = 2**24
"""Entries that are checked at once: an array of 2,000 neurons need not be in memory as it lies in the file."""


def check_needed(place: Path, needed: Iterable[str], arrays: Mapping[str, Any]) -> None:
    """Raises DataError if one of the arrays that a recording cannot do without is not there."""
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(f"{place} lacks {', '.join(missing)}: beside the arrays that it has, these are needed")


def check_counts(place: Path, name: str, spikes: Any) -> tuple[int, int, int]:
    """The shape of an array of counts, trials x bins x neurons. Raises DataError for one that has another."""
    if spikes.dtype == object:
        raise DataError(
            f"{place}: {name} is ragged, but all trials must have the same number of bins: truncate them to the "
            "shortest trial, or leave out trials that are much shorter than the rest"
        )
    if spikes.ndim != 3 or 0 in spikes.shape:
        raise DataError(f"{place}: {name} has the shape {spikes.shape}, where trials x bins x neurons are taken")
    if spikes.dtype.kind not in "buif":
        raise DataError(f"{place}: {name} holds no numbers but {spikes.dtype}: give spike counts")
    n_trials, n_bins, n_neurons = map(int, spikes.shape)
    return n_trials, n_bins, n_neurons


def fill(counts: Counts, place: Path, name: str, spikes: Any) -> None:
    """Copy checked spikes, an array or HDF5 dataset, into ``counts`` of the same shape.

    Raises DataError, with the place of the first, for what is no count from 0 to 254: NaN among it.
    """
    step = max(1, _BLOCK_ENTRIES // (spikes.shape[1] * spikes.shape[2]))
    for start in range(0, len(spikes), step):
        block = spikes[start : start + step]
        is_count = (block >= 0) & (block < UNSEEN) & (block == np.rint(block))
        if not is_count.all():
            trial, bin_, neuron = np.argwhere(~is_count)[0]
            raise DataError(
                f"{place}: {name} has {block[trial, bin_, neuron]:g} in trial {start + trial}, bin {bin_}, neuron "
                f"{neuron}, where whole numbers from 0 to {UNSEEN - 1} are taken: give spikes per bin"
            )
        counts[start : start + step] = block
