"""Intervals between the spikes of each unit of an NWB file: signs of mixed units, and of spikes stored twice.

A neuron does not fire twice within about 1 ms, so such intervals show that spikes of several neurons are mixed (Hill,
Mehta & Kleinfeld 2011, J Neurosci 31:8699). Binned counts hardly show this, so the times are read from the file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlb_search.data.own.intervals import FloatArray
from nlb_search.data.own.recording_file import Tables, opened_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.session_paths import session_paths
from nlb_search.data.own.tables.unit_table import read_units, unit_table

REFRACTORY_S = 0.001
_PRECISION = 7
"""Decimals of a second that are compared: differences of times in a float64 are off by less, even in a long session."""


@dataclass(frozen=True)
class UnitIntervals:
    """One row of the unit table. ``unit`` is its id.

    ``short`` is the fraction of its intervals that are under 1 ms but not 0, and ``repeated`` the number of spikes with
    the same time as the previous spike.
    """

    unit: int
    n_spikes: int
    short: float
    repeated: int


def read_intervals(path: Path, settings: RecordingSettings) -> tuple[UnitIntervals, ...] | None:
    """Read the intervals over the whole session, of the units that ``settings`` do not leave out.

    Returns None if the recording consists of arrays. Raises DataError if it cannot be read.
    """
    times_s: dict[int, list[FloatArray]] = {}
    start_s = 0.0  # sessions are placed one after the other, so that no short interval spans two of them
    for session in session_paths(path, settings):
        with opened_recording(session, settings) as opened:
            if not isinstance(opened, Tables):
                return None
            units = read_units(session, opened.file, unit_table(session, opened.file, settings), settings)
        for unit, spikes_s in zip(units.ids, units.spikes_s, strict=True):
            times_s.setdefault(int(unit), []).append(start_s + spikes_s)
        start_s += 1 + max((float(spikes_s[-1]) for spikes_s in units.spikes_s if len(spikes_s)), default=0.0)
    return tuple(unit_intervals(unit, np.concatenate(spikes)) for unit, spikes in times_s.items())


def unit_intervals(unit: int, times_s: FloatArray) -> UnitIntervals:
    """The intervals of a unit with these spike times, which need not be sorted."""
    intervals = np.round(np.diff(np.sort(times_s)), _PRECISION)
    short = (intervals > 0) & (intervals < REFRACTORY_S)
    return UnitIntervals(
        unit=unit,
        n_spikes=len(times_s),
        short=float(short.sum() / max(1, len(intervals))),
        repeated=int(np.count_nonzero(intervals == 0)),
    )
