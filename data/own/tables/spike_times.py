"""Checking the spike times of your own recording."""

from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import FloatArray, IntArray
from nlb_search.data.own.wording import listed


def check_finite(path: Path, ids: IntArray, spikes_s: list[FloatArray]) -> None:
    """Raises DataError if a spike has no time."""
    for unit, spikes in zip(ids, spikes_s, strict=True):
        odd = np.flatnonzero(~np.isfinite(spikes))
        if odd.size:
            raise DataError(
                f"{path}: unit {unit} has a spike at {spikes[odd[0]]:g} s (spike {odd[0]}, from 0): remove values that "
                "are not times from its spike times"
            )


def goes_back(times_s: FloatArray) -> bool:
    """Whether a time is smaller than the previous one."""
    return bool((np.diff(times_s) < 0).any())


def check_forward(path: Path, ids: IntArray, spikes_s: list[FloatArray]) -> None:
    """Raises DataError, which names the units, if spike times decrease.

    If the clock has restarted, spikes after the restart would be counted in the wrong trials.
    """
    backward = [(unit, spikes) for unit, spikes in zip(ids, spikes_s, strict=True) if goes_back(spikes)]
    if backward:
        unit, spikes = backward[0]
        at = int(np.flatnonzero(np.diff(spikes) < 0)[0])
        units = f"{'unit' if len(backward) == 1 else 'units'} {listed([unit for unit, _ in backward])}"
        raise DataError(
            f"{path}: the spike times of {units} decrease (unit {unit}: from {spikes[at]:g} s to {spikes[at + 1]:g} s "
            f"after spike {at}, from 0): if the clock restarted there, correct the times after it; if only the order "
            "is wrong, set sort_spikes; or leave the unit out"
        )
