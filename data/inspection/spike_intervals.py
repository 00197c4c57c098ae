"""Intervals between the spikes of each unit of an NWB file: signs of mixed units, and of spikes stored twice.

A neuron does not fire twice within about 1 ms, so such intervals show that spikes of several neurons are mixed (Hill,
Mehta & Kleinfeld 2011, J Neurosci 31:8699). Binned counts hardly show this, so the times are read from the file.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

REFRACTORY_S = 0.001
_PRECISION = 7
"""Decimals of a second that are compared: differences of times in a float64 are off by less, even in a long session."""


@dataclass(frozen=True)
class UnitIntervals:
    """One row of the unit table. ``unit`` is its id.

    ``short`` is the share of its intervals that are under 1 ms but not 0, and ``repeated`` the number of spikes with
    the same time as the spike before.
    """

    unit: int
    n_spikes: int
    short: float
    repeated: int


def read_intervals(path: Path) -> tuple[UnitIntervals, ...] | None:
    """Read the intervals of all units over the whole session, or None if the file has no unit table."""
    with h5py.File(path, "r") as file:
        if "units/spike_times_index" not in file:
            return None
        units = file["units"]
        times, ends = units["spike_times"], units["spike_times_index"][()].astype(np.int64)
        starts = np.append(0, ends[:-1])
        return tuple(
            unit_intervals(int(unit), times[start:end])
            for unit, start, end in zip(units["id"][()], starts, ends, strict=True)
        )


def unit_intervals(unit: int, times_s: npt.NDArray[np.float64]) -> UnitIntervals:
    """The intervals of a unit with these spike times, which need not be sorted."""
    intervals = np.round(np.diff(np.sort(times_s)), _PRECISION)
    short = (intervals > 0) & (intervals < REFRACTORY_S)
    return UnitIntervals(
        unit=unit,
        n_spikes=len(times_s),
        short=float(short.sum() / max(1, len(intervals))),
        repeated=int(np.count_nonzero(intervals == 0)),
    )
