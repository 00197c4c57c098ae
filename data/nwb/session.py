"""One session as its NWB file tells it, read with h5py: only what the tensors need, and nothing twice.

What is read, and how times become milliseconds, are the rules of ``nlb_tools.nwb_interface.NWBDataset`` (nlb_tools
0.0.4, https://github.com/neurallatents/nlb_tools), which the benchmark's own tensors were made with.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from nlb_search.data.dataset_files import Contents
from nlb_search.data.errors import DataError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]

_NANOSECOND_MS = 1e-6


@dataclass(frozen=True, eq=False)
class Units:
    """The neurons of one kind, in the order of their ids.

    ``spike_ms`` has, for each, the milliseconds of its spikes on the session's clock, in order; ``observed`` tells of
    each millisecond of the session whether it was recorded. There may be no neurons; nothing is hidden then.
    """

    ids: IntArray
    spike_ms: list[npt.NDArray[np.int32]]
    observed: BoolArray

    def stretches(self) -> IntArray:
        """First millisecond and end of each stretch of observed time, stretches x 2."""
        edges = np.diff(self.observed, prepend=False, append=False)
        return np.flatnonzero(edges).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Session:
    """One session on its own clock, which begins at zero.

    ``trials`` is the trial table, of the columns that were asked for; those whose names end in ``_time`` are
    timedeltas. ``behavior`` is milliseconds x columns, in the order of the columns' names, NaN where there is no
    sample; None where none was asked for.
    """

    path: Path
    trials: pd.DataFrame
    heldin: Units
    heldout: Units
    behavior: FloatArray | None
    length_ms: int

    def n_bins(self, bin_ms: int) -> int:
        """How many bins the session has; the last may lack milliseconds."""
        return -(-self.length_ms // bin_ms)

    def seen(self, bin_ms: int) -> BoolArray:
        """For each bin, whether spikes and behaviour were recorded: as in nlb_tools, its first millisecond tells."""
        seen = self.heldin.observed[::bin_ms] & self.heldout.observed[::bin_ms]
        if self.behavior is not None:
            seen &= ~np.isnan(self.behavior[::bin_ms]).any(axis=1)
        return seen


@dataclass(frozen=True, eq=False)
class Samples:
    """A time series as it lies in the file: ``values`` is samples x columns, in the order of the columns' names."""

    time_s: npt.NDArray[np.float64]
    values: FloatArray


def read_session(
    contents: Contents, columns: Iterable[str], behavior: str | None, heldout: BoolArray | None = None
) -> Session:
    """The session that ``contents`` lists, with these columns of the trial table and this series beside the spikes.

    ``heldout`` tells of each row of the unit table whether that neuron is held out; the table's own column does where
    it is None. A file that does not say when its units were observed is one of units that always were.

    Raises DataError for times that cannot be, and where the series is not sampled at whole milliseconds.
    """
    path = contents.path
    with h5py.File(path, "r") as file:
        trials = _trials(path, file["intervals/trials"], sorted({"start_time", "stop_time", *columns}))
        units = file["units"]
        observed = _observed(path, units, file["intervals/trials/stop_time"])
        length_ms = _length_ms(observed, file["intervals/trials/stop_time"])
        heldout = units["heldout"][()] if heldout is None else heldout
        series = None if behavior is None else _series(path, file[contents.series[behavior]], behavior, length_ms)
        kept, hidden = (_units(path, units, np.flatnonzero(kind), observed, length_ms) for kind in (~heldout, heldout))
    return Session(path, trials, kept, hidden, series, length_ms)


def read_samples(contents: Contents, series: str) -> Samples:
    """A time series that ``contents`` lists, whenever it was sampled."""
    with h5py.File(contents.path, "r") as file:
        return _samples(file[contents.series[series]])


def observed_by_all(contents: Contents, length_ms: int) -> BoolArray:
    """For each millisecond of a session, whether every one of its units was observed."""
    observed = np.ones(length_ms, dtype=bool)
    with h5py.File(contents.path, "r") as file:
        for spans in _observed(contents.path, file["units"], file["intervals/trials/stop_time"]):
            observed &= _milliseconds(spans, length_ms)
    return observed


def _trials(path: Path, table: h5py.Group, columns: list[str]) -> pd.DataFrame:
    values = {name: _column(table[name]) for name in columns}
    for name in columns:
        if values[name].shape != values["start_time"].shape or values[name].ndim != 1:
            raise DataError(
                f"{path}: trial column '{name}' has the shape {values[name].shape} and 'start_time' "
                f"{values['start_time'].shape}: both must have one value a trial"
            )
        if name.endswith("_time"):
            odd = np.flatnonzero(np.isinf(values[name]))
            if odd.size:
                raise DataError(
                    f"{path}: trial column '{name}' is {values[name][odd[0]]:g} in row {odd[0]} (from 0): "
                    f"write the time in seconds, or NaN and the split 'none'"
                )
            values[name] = pd.to_timedelta(values[name], unit="s")
    return pd.DataFrame(values)


def _column(column: h5py.Dataset) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]
    return values


def _observed(path: Path, units: h5py.Group, stop_times: h5py.Dataset) -> list[FloatArray]:
    """The spans in which each unit was observed, in seconds, spans x start and stop."""
    if "obs_intervals" not in units:
        last_spike_ms = np.floor(1000 * np.max(units["spike_times"][()], initial=0))
        end_s = np.nanmax([*stop_times[()], (last_spike_ms + 1) / 1000])
        return [np.array([[0.0, end_s]])] * len(units["id"])
    ends = units["obs_intervals_index"][()].astype(np.int64)
    spans = np.split(units["obs_intervals"][()], ends[:-1])
    for unit, observed in zip(units["id"][()], spans, strict=True):
        if not observed.size:
            raise DataError(
                f"{path}: unit {unit} was never observed: give it a span in 'obs_intervals', or leave it out"
            )
        if not (np.isfinite(observed).all() and observed.min() > -0.001):
            odd = observed[~(np.isfinite(observed) & (observed > -0.001))][0]
            raise DataError(
                f"{path}: unit {unit} is observed from or to {odd:g} s: "
                f"write its 'obs_intervals' in seconds from the session's start"
            )
    return spans


def _length_ms(observed: list[FloatArray], stop_times: h5py.Dataset) -> int:
    """Until the last observed moment; nlb_tools looks at the last trial only where that is absurdly short."""
    length_ms = round(max(spans[-1, -1] for spans in observed) * 1000)
    last_stop_s = stop_times[-1] if len(stop_times) else np.nan
    return round(last_stop_s * 1000) if length_ms < last_stop_s else length_ms


def _units(path: Path, units: h5py.Group, rows: IntArray, spans: list[FloatArray], length_ms: int) -> Units:
    """The units of these rows. All are taken to be observed when the first of them is, as in nlb_tools."""
    ids = units["id"][()].astype(np.int64)
    ends = units["spike_times_index"][()].astype(np.int64)
    starts = np.append(0, ends[:-1])
    times = units["spike_times"]
    observed = _milliseconds(spans[rows[0]], length_ms) if len(rows) else np.ones(length_ms, dtype=bool)
    rows = rows[np.argsort(ids[rows], kind="stable")]
    spike_ms = [_spike_ms(path, ids[row], times[starts[row] : ends[row]], length_ms) for row in rows]
    return Units(ids[rows], spike_ms, observed)


def _milliseconds(spans: FloatArray, length_ms: int) -> BoolArray:
    """Which milliseconds lie wholly within one of the spans, in seconds."""
    within = np.zeros(length_ms, dtype=bool)
    for start, stop in np.round(spans * 1000, 6).clip(min=0):
        within[int(np.ceil(start)) : int(np.floor(stop))] = True
    return within


def _spike_ms(path: Path, unit: int, times: FloatArray, length_ms: int) -> npt.NDArray[np.int32]:
    milliseconds = np.round(times * 1000.0, 6)
    inside = (milliseconds >= 0) & (milliseconds < length_ms)
    if not inside.all():
        raise DataError(
            f"{path}: unit {unit} has a spike at {times[~inside][0]:g} s, where the recording lasts from 0 to "
            f"{length_ms / 1000:g} s: check its spike times and 'obs_intervals'"
        )
    return np.sort(milliseconds.astype(np.int32), kind="stable")


def _series(path: Path, series: h5py.Group, name: str, length_ms: int) -> FloatArray:
    """A time series at 1 kHz over the whole session."""
    samples = _samples(series)
    if np.isinf(samples.values).any():
        raise DataError(f"{path}: time series '{name}' has infinite values: write NaN where there is no sample")
    milliseconds = 1000.0 * samples.time_s
    rows = np.rint(milliseconds)
    whole = (np.abs(milliseconds - rows) < _NANOSECOND_MS) & (rows >= 0) & (rows < length_ms)
    rows = rows[whole].astype(np.int64)
    if not whole.all() or (np.diff(rows) <= 0).any():
        raise DataError(
            f"{path}: time series '{name}' is not sampled at whole milliseconds within the recording, one after the "
            f"other: resample it to 1000 Hz"
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
    """nlb_tools sorts columns by the names that the series' comments give them."""
    comments = series.attrs.get("comments", "")
    if "columns=" not in comments:
        return list(range(n_columns))
    names = comments.split("[")[-1].split("]")[0].split(",")
    if len(names) != n_columns:
        raise ValueError(f"the comments of {series.name} name {len(names)} columns, but it has {n_columns}")
    return sorted(range(n_columns), key=names.__getitem__)
