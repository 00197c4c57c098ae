"""Makes a synthetic session as long as a real one by adding a pause after each trial.

In the synthetic maze recordings, trials follow each other without gaps. In a real session, there is about one trial
every three seconds, and programs also process the time between trials. Neurons fire in a pause as in the trial before.
"""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def lengthen(path: Path, pause_ms: int) -> None:
    """Add a pause of ``pause_ms`` after each trial of the NWB file. All trials must have the same length and no gaps.

    For units that are observed during the whole session, the spikes of the trial before are repeated in the pause;
    behaviour is repeated in the same way. Units that are observed only in windows have no spikes in pauses.
    """
    with h5py.File(path, "r+") as file:
        trials, units = file["intervals/trials"], file["units"]
        start_s = trials["start_time"][()]
        first_ms, trial_ms = round(1000 * start_s[0]), round(1000 * (start_s[1] - start_s[0]))
        late_s = np.arange(len(start_s)) * pause_ms / 1000
        if len(units["obs_intervals"]) == len(units["id"]):
            length_ms = round(1000 * units["obs_intervals"][0, 1])
            source = _source(first_ms, trial_ms, pause_ms, len(start_s), length_ms)
            units["obs_intervals"][...] = [0.0, len(source) / 1000]
            _lengthen_spikes(units, source, length_ms)
            for series in file["processing/behavior"].values():
                _replace(series, "data", series["data"][()][source])
                _replace(series, "timestamps", (np.arange(len(source)) / 1000).round(6))
        else:
            spike_s = units["spike_times"][()]
            trial = np.searchsorted(start_s, spike_s, side="right") - 1
            units["spike_times"][...] = spike_s + late_s[trial]
            units["obs_intervals"][...] += np.tile(late_s, len(units["id"]))[:, None]
        for name, column in trials.items():
            if name.endswith("_time"):
                column[...] = (column[()] + late_s).round(6)


def _source(first_ms: int, trial_ms: int, pause_ms: int, n_trials: int, length_ms: int) -> IntArray:
    """For each millisecond of the new session, the millisecond of the original session that it copies."""
    within = np.arange(trial_ms + pause_ms) % trial_ms
    trials = first_ms + trial_ms * np.arange(n_trials)[:, None] + within
    return np.concatenate([np.arange(first_ms), trials.ravel(), np.arange(first_ms + trial_ms * n_trials, length_ms)])


def _lengthen_spikes(units: h5py.Group, source: IntArray, length_ms: int) -> None:
    """Copy every spike to all milliseconds that copy its millisecond."""
    ends = units["spike_times_index"][()].astype(np.int64)
    order = np.argsort(source, kind="stable")
    n_repeats = np.bincount(source, minlength=length_ms)
    begin = np.cumsum(n_repeats) - n_repeats
    longer = []
    for times_s in np.split(units["spike_times"][()], ends[:-1]):
        ms = np.floor(np.round(times_s * 1000, 6)).astype(np.int64)
        repeats = n_repeats[ms]
        number = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        at_ms = order[np.repeat(begin[ms], repeats) + number]
        longer.append(np.sort((at_ms + np.repeat(times_s * 1000 - ms, repeats)) / 1000))
    _replace(units, "spike_times", np.concatenate(longer))
    _replace(units, "spike_times_index", np.cumsum([len(times) for times in longer]))
    units["spike_times_index"].attrs["target"] = units["spike_times"].ref


def _replace(group: h5py.Group, name: str, values: npt.NDArray[np.generic]) -> None:
    """Replace a dataset by another array and keep its attributes."""
    attributes = dict(group[name].attrs)
    old = group[name]
    layout = {"compression": old.compression, "shuffle": old.shuffle} if old.compression else {}
    del group[name]
    group.create_dataset(name, data=values, **layout).attrs.update(attributes)
