"""Reading a session of your own recording: trials or windows, spike times and recorded time.

Unlike ``data.nwb.session``, which follows nlb_tools and rounds all times to milliseconds, this module keeps the times
that are in the file.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.own.intervals import (
    BoolArray,
    FloatArray,
    IntArray,
    common,
    merged,
    nanoseconds,
    without,
)
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.cutting import cut, epochs_of
from nlb_search.data.own.sessions.heldout_units import heldout_units
from nlb_search.data.own.sessions.plausible_times import (
    check_clock,
    check_continuous_clock,
    check_event_times,
    check_trial_times,
)
from nlb_search.data.own.tables.trial_table import Trials, read_trials
from nlb_search.data.own.tables.unit_table import Units, check_times, read_units, unit_table

_NOTHING: IntArray = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Neurons:
    """The held-in or the held-out neurons, sorted by id, with the sorted spike times of each in seconds."""

    ids: IntArray
    spikes_s: list[FloatArray]


@dataclass(frozen=True, eq=False)
class OwnSession:
    """One session. ``recorded`` and ``invalid`` are intervals: the time in which all neurons were recorded, and the
    time that the file says must not be analysed. ``choices`` says what was left out.
    """

    path: Path
    trials: Trials
    heldin: Neurons
    heldout: Neurons
    recorded: IntArray
    invalid: IntArray
    choices: tuple[str, ...]


def read_own_session(path: Path, file: h5py.File, settings: RecordingSettings) -> OwnSession:
    """Read a session from its open NWB file. Raises DataError if tables or columns are missing, or times not valid."""
    read = _continuous if settings.cut_ms is not None else _in_trials
    return read(path, file, settings)


def _in_trials(path: Path, file: h5py.File, settings: RecordingSettings) -> OwnSession:
    table = unit_table(path, file, settings)
    trials = read_trials(path, file, settings)
    check_trial_times(path, settings.align, trials)
    check_event_times(path, settings.align, trials.align_s, trials)
    if settings.interval is not None and trials.interval_s is not None:
        for column, times_s in zip(settings.interval, trials.interval_s.T, strict=True):
            check_event_times(path, column, times_s, trials)
    units = read_units(path, file, table, settings)
    check_clock(path, trials, np.concatenate(units.spikes_s), len(units.ids))
    check_times(path, units)
    recorded = _recorded(units, 0.0, float(np.nanmax([0.0, *trials.stop_s])))
    kinds = _kinds(units, heldout_units(path, table, units, settings))
    return OwnSession(path, trials, *kinds, recorded, _invalid(path, file), units.choices)


def _continuous(path: Path, file: h5py.File, settings: RecordingSettings) -> OwnSession:
    """The windows become trials. Invalid time counts as not recorded, also for forward bins."""
    table = unit_table(path, file, settings)
    units = read_units(path, file, table, settings)
    times_s = np.concatenate(units.spikes_s)
    if not len(times_s):
        raise DataError(f"{path}: none of the {len(units.ids)} units has a spike")
    check_continuous_clock(path, times_s, len(units.ids))
    check_times(path, units)
    epochs = epochs_of(path, file, settings)
    recorded = _recorded(units, float(times_s.min()), float(times_s.max()))
    usable = without(recorded if epochs is None else common([recorded, epochs]), _invalid(path, file))
    windows = cut(path, usable, settings)
    kinds = _kinds(units, heldout_units(path, table, units, settings))
    return OwnSession(path, windows.trials, *kinds, usable, _NOTHING, (*windows.choices, *units.choices))


def _recorded(units: Units, begin_s: float, end_s: float) -> IntArray:
    """The time in which all units were recorded: by default, from ``begin_s``, or the first spike if it is earlier, to
    ``end_s``, or the last spike if it is later.
    """
    if units.observed_s is None:
        spikes = [spikes for spikes in units.spikes_s if spikes.size]
        begin_s = min([begin_s, *(spikes.min() for spikes in spikes)])
        return nanoseconds(np.array([[begin_s, max([end_s, *(spikes.max() for spikes in spikes)])]]))
    return common(nanoseconds(observed) for observed in units.observed_s)


def _invalid(path: Path, file: h5py.File) -> IntArray:
    """The intervals that NWB's table ``invalid_times`` marks as not to be analysed."""
    check_in_file(path, file, "intervals/invalid_times")
    if "intervals/invalid_times" not in file:
        return _NOTHING
    table = file["intervals/invalid_times"]
    spans = np.stack([table["start_time"][()], table["stop_time"][()]], axis=1)
    return merged(nanoseconds(spans[np.isfinite(spans).all(axis=1)]))


def _kinds(units: Units, heldout: BoolArray) -> tuple[Neurons, Neurons]:
    """The held-in and the held-out neurons."""
    heldin_rows, heldout_rows = np.flatnonzero(~heldout), np.flatnonzero(heldout)
    heldin, held = (
        Neurons(units.ids[rows], [units.spikes_s[row] for row in rows]) for rows in (heldin_rows, heldout_rows)
    )
    return heldin, held
