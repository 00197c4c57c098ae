"""Reading a session of your own from its NWB file: the trial table, the spike times and the time that was recorded.

Unlike ``data.nwb.session``, which follows nlb_tools and rounds all times to milliseconds, this module keeps the times
that are in the file.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.dataset_files import Contents
from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import BoolArray, FloatArray, IntArray, common, merged, nanoseconds
from nlb_search.data.own.plausible_times import check_clock, check_trial_times
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.spike_times import check_finite, check_forward
from nlb_search.data.own.trial_table import Trials, read_trials


@dataclass(frozen=True, eq=False)
class Neurons:
    """The held-in or the held-out neurons, sorted by id, with the sorted spike times of each in seconds."""

    ids: IntArray
    spikes_s: list[FloatArray]


@dataclass(frozen=True, eq=False)
class OwnSession:
    """One session. ``recorded`` and ``invalid`` are intervals: the time in which all neurons were recorded, and the
    time that the file says must not be analysed.
    """

    path: Path
    trials: Trials
    heldin: Neurons
    heldout: Neurons
    recorded: IntArray
    invalid: IntArray


def read_own_session(contents: Contents, settings: RecordingSettings, heldout: BoolArray) -> OwnSession:
    """Read a session. ``heldout`` says for each row of the unit table whether the neuron is held out.

    Raises DataError if times are not valid.
    """
    path = contents.path
    with h5py.File(path, "r") as file:
        trials = read_trials(path, file["intervals/trials"], settings)
        check_trial_times(path, settings.align, trials)
        units = file["units"]
        ids = units["id"][()].astype(np.int64)
        times_s = units["spike_times"][()].astype(np.float64)
        spikes_s = np.split(times_s, units["spike_times_index"][()][:-1])
        check_finite(path, ids, spikes_s)
        check_clock(path, trials, times_s, len(ids))
        check_forward(path, ids, spikes_s)
        recorded = _recorded(path, units, trials, spikes_s)
        invalid = _invalid(file)
    heldin_neurons, heldout_neurons = (_neurons(ids, spikes_s, np.flatnonzero(kind)) for kind in (~heldout, heldout))
    return OwnSession(path, trials, heldin_neurons, heldout_neurons, recorded, invalid)


def _recorded(path: Path, units: h5py.Group, trials: Trials, spikes_s: list[FloatArray]) -> IntArray:
    """The time in which all units were recorded.

    By default, from time 0, or the first spike if it is earlier, to the last spike or the end of the last trial.
    """
    if "obs_intervals" not in units:
        spikes = [spikes for spikes in spikes_s if spikes.size]
        begin_s = min([0.0, *(spikes.min() for spikes in spikes)])
        end_s = np.nanmax([0.0, *trials.stop_s, *(spikes.max() for spikes in spikes)])
        return nanoseconds(np.array([[begin_s, end_s]]))
    spans = np.split(units["obs_intervals"][()], units["obs_intervals_index"][()][:-1])
    for unit, observed in zip(units["id"][()], spans, strict=True):
        if not observed.size:
            raise DataError(
                f"{path}: unit {unit} was never observed: give it an interval in 'obs_intervals', or leave it out"
            )
        if not np.isfinite(observed).all():
            odd = observed[~np.isfinite(observed)][0]
            raise DataError(
                f"{path}: unit {unit} has {odd:g} s in its 'obs_intervals': write them in seconds from the start of "
                "the session"
            )
    return common(nanoseconds(observed) for observed in spans)


def _invalid(file: h5py.File) -> IntArray:
    """The intervals that NWB's table ``invalid_times`` marks as not to be analysed."""
    if "intervals/invalid_times" not in file:
        return np.empty((0, 2), dtype=np.int64)
    table = file["intervals/invalid_times"]
    spans = np.stack([table["start_time"][()], table["stop_time"][()]], axis=1)
    return merged(nanoseconds(spans[np.isfinite(spans).all(axis=1)]))


def _neurons(ids: IntArray, spikes_s: list[FloatArray], rows: IntArray) -> Neurons:
    rows = rows[np.argsort(ids[rows], kind="stable")]
    return Neurons(ids[rows], [spikes_s[row] for row in rows])
