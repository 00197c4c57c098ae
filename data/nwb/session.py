"""Reading a session from its NWB file with h5py: only the data that the tensors need, each read once.

Times are converted to milliseconds by the rules of ``nlb_tools.nwb_interface.NWBDataset`` (nlb_tools 0.0.4,
https://github.com/neurallatents/nlb_tools), with which the benchmark's tensors were made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.dataset_files import Contents
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.trial_table import TrialTable, read_trials

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]

_NANOSECOND_MS = 1e-6


@dataclass(frozen=True, eq=False)
class Units:
    """The held-in or the held-out neurons, sorted by id.

    ``spike_ms`` has the sorted spike times of each neuron, in milliseconds from the start of the session. ``observed``
    says for each millisecond of the session whether it was recorded; it is all true if there are no neurons.
    """

    ids: IntArray
    spike_ms: list[npt.NDArray[np.int32]]
    observed: BoolArray

    def stretches(self) -> IntArray:
        """First millisecond and (exclusive) end of each stretch of observed time, stretches x 2."""
        edges = np.diff(self.observed, prepend=False, append=False)
        return np.flatnonzero(edges).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Session:
    """One session. All times are relative to its start.

    ``trials`` has the requested columns of the trial table, and ``start_time`` and ``stop_time``.
    ``behavior`` is milliseconds x columns, sorted by column name, NaN where there is no sample; None if no behaviour
    was requested.
    """

    path: Path
    trials: TrialTable
    heldin: Units
    heldout: Units
    behavior: FloatArray | None
    length_ms: int

    def n_bins(self, bin_ms: int) -> int:
        """Number of bins in the session. The last one may be incomplete."""
        return -(-self.length_ms // bin_ms)

    def seen(self, bin_ms: int) -> BoolArray:
        """For each bin, whether spikes and behaviour were recorded. As in nlb_tools, its first millisecond decides."""
        seen = self.heldin.observed[::bin_ms] & self.heldout.observed[::bin_ms]
        if self.behavior is not None:
            seen &= ~np.isnan(self.behavior[::bin_ms]).any(axis=1)
        return seen


@dataclass(frozen=True, eq=False)
class Samples:
    """A time series as stored in the file. ``values`` is samples x columns, sorted by column name."""

    time_s: npt.NDArray[np.float64]
    values: FloatArray


def read_session(
    contents: Contents, columns: Iterable[str], behavior: str | None, heldout: BoolArray | None = None
) -> Session:
    """Read spikes, these columns of the trial table, and the time series ``behavior`` if it is not None.

    ``heldout`` says for each row of the unit table whether the neuron is held out; by default, the table's column
    ``heldout`` does. Units without ``obs_intervals`` are taken to be observed during the whole session.

    Raises DataError if times are invalid, or if the series is not sampled at whole milliseconds.
    """
    path = contents.path
    with h5py.File(path, "r") as file:
        trials = read_trials(path, file["intervals/trials"], sorted({"start_time", "stop_time", *columns}))
        units = file["units"]
        observed = _observed(path, units, file["intervals/trials/stop_time"])
        length_ms = _length_ms(observed, file["intervals/trials/stop_time"])
        heldout = units["heldout"][()] if heldout is None else heldout
        series = None if behavior is None else _series(path, file[contents.series[behavior]], behavior, length_ms)
        kinds = (_units(path, units, np.flatnonzero(kind), observed, length_ms) for kind in (~heldout, heldout))
        heldin_units, heldout_units = kinds
    return Session(path, trials, heldin_units, heldout_units, series, length_ms)


def read_samples(series: h5py.Group) -> Samples:
    """Read a time series at its own sample times."""
    return _samples(series)


def _observed(path: Path, units: h5py.Group, stop_times: h5py.Dataset) -> list[FloatArray]:
    """The intervals in which each unit was observed, in seconds, intervals x 2 (start, stop)."""
    if "obs_intervals" not in units:
        last_spike_ms = np.floor(1000 * np.max(units["spike_times"][()], initial=0))
        end_s = np.nanmax([*stop_times[()], (last_spike_ms + 1) / 1000])
        return [np.array([[0.0, end_s]])] * len(units["id"])
    ends = units["obs_intervals_index"][()].astype(np.int64)
    spans = np.split(units["obs_intervals"][()], ends[:-1])
    for unit, observed in zip(units["id"][()], spans, strict=True):
        if not observed.size:
            raise DataError(
                f"{path}: unit {unit} was never observed: give it an interval in 'obs_intervals', or leave it out"
            )
        if not (np.isfinite(observed).all() and observed.min() > -0.001):
            odd = observed[~(np.isfinite(observed) & (observed > -0.001))][0]
            raise DataError(
                f"{path}: unit {unit} has {odd:g} s in its 'obs_intervals': "
                f"write them in seconds from the start of the session"
            )
    return spans


def _length_ms(observed: list[FloatArray], stop_times: h5py.Dataset) -> int:
    """Length of the session: the last observed time.

    As in nlb_tools, the stop time of the last trial is used instead if it is more than a thousand times as late.
    """
    length_ms = round(max(spans[-1, -1] for spans in observed) * 1000)
    last_stop_s = stop_times[-1] if len(stop_times) else np.nan
    return round(last_stop_s * 1000) if length_ms < last_stop_s else length_ms


def _units(path: Path, units: h5py.Group, rows: IntArray, spans: list[FloatArray], length_ms: int) -> Units:
    """The units in these rows. As in nlb_tools, the intervals in which the first one was observed are used for all."""
    ids = units["id"][()].astype(np.int64)
    ends = units["spike_times_index"][()].astype(np.int64)
    starts = np.append(0, ends[:-1])
    times = units["spike_times"]
    observed = _milliseconds(spans[rows[0]], length_ms) if len(rows) else np.ones(length_ms, dtype=bool)
    rows = rows[np.argsort(ids[rows], kind="stable")]
    spike_ms = [_spike_ms(path, ids[row], times[starts[row] : ends[row]], length_ms) for row in rows]
    return Units(ids[rows], spike_ms, observed)


def _milliseconds(spans: FloatArray, length_ms: int) -> BoolArray:
    """Mask of the milliseconds that lie entirely within one of the spans, which are in seconds."""
    within = np.zeros(length_ms, dtype=bool)
    for start, stop in np.round(spans * 1000, 6).clip(min=0):
        within[int(np.ceil(start)) : int(np.floor(stop))] = True
    return within


def _spike_ms(path: Path, unit: int, times: FloatArray, length_ms: int) -> npt.NDArray[np.int32]:
    milliseconds = np.round(times * 1000.0, 6)
    inside = (milliseconds >= 0) & (milliseconds < length_ms)
    if not inside.all():
        raise DataError(
            f"{path}: unit {unit} has a spike at {times[~inside][0]:g} s, but the recording lasts from 0 to "
            f"{length_ms / 1000:g} s: check its spike times and 'obs_intervals'"
        )
    return np.sort(milliseconds.astype(np.int32), kind="stable")


def _series(path: Path, series: h5py.Group, name: str, length_ms: int) -> FloatArray:
    """The time series at 1 kHz for the whole session, NaN where there is no sample."""
    samples = _samples(series)
    if np.isinf(samples.values).any():
        raise DataError(f"{path}: time series '{name}' has infinite values: write NaN where there is no sample")
    milliseconds = 1000.0 * samples.time_s
    rows = np.rint(milliseconds)
    whole = (np.abs(milliseconds - rows) < _NANOSECOND_MS) & (rows >= 0) & (rows < length_ms)
    rows = rows[whole].astype(np.int64)
    if not whole.all() or (np.diff(rows) <= 0).any():
        raise DataError(
            f"{path}: the samples of time series '{name}' are not at increasing whole milliseconds within the "
            f"recording: resample it to 1000 Hz"
        )
    if len(rows) == length_ms:
        return samples.values
    session = np.full((length_ms, samples.values.shape[1]), np.nan, samples.values.dtype)
    session[rows] = samples.values
    return session


def _samples(series: h5py.Group) -> Samples:
    data = series["data"][()]
    data = data.reshape(len(data), -1)
    data = data if data.dtype.kind == "f" else data.astype(np.float64)
    order = _column_order(series, data.shape[1])
    values = data if order == sorted(order) else data[:, order]
    return Samples(_sample_times(series, len(data)), values)


def _sample_times(series: h5py.Group, n_samples: int) -> npt.NDArray[np.float64]:
    if "timestamps" in series:
        return np.asarray(series["timestamps"][()], np.float64)
    start = series["starting_time"]
    return np.asarray(np.arange(n_samples) / start.attrs["rate"] + start[()])


def _column_order(series: h5py.Group, n_columns: int) -> list[int]:
    """Order of the columns by name, as in nlb_tools, which reads their names from the comments of the series."""
    comments = series.attrs.get("comments", "")
    if "columns=" not in comments:
        return list(range(n_columns))
    names = comments.split("[")[-1].split("]")[0].split(",")
    if len(names) != n_columns:
        raise ValueError(f"the comments of {series.name} name {len(names)} columns, but it has {n_columns}")
    return sorted(range(n_columns), key=names.__getitem__)
