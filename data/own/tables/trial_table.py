"""Reading the trial table of your own recording."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.own.intervals import BoolArray, FloatArray
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.table_columns import column_values
from nlb_search.data.own.wording import listed, names_in

Condition = tuple[str | float, ...]
"""The values of one or several columns of the trial table."""

SPLITS = ("train", "val", "test")

_WORDS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
"""Other names of the splits."""


@dataclass(frozen=True, eq=False)
class Trials:
    """The columns of the trial table that are read, one value per row; times are in seconds, NaN where missing.

    ``conditions`` is empty if no columns of conditions are read; a row without a condition has None. So is
    ``interval_conditions``, those of the produced intervals. ``interval_s`` has the begin and the end of each interval,
    rows x 2, NaN where one of them is missing; None if no intervals are read.
    """

    start_s: FloatArray
    stop_s: FloatArray
    align_s: FloatArray
    split: npt.NDArray[np.str_] | None
    conditions: tuple[Condition | None, ...] = ()
    interval_s: FloatArray | None = None
    interval_conditions: tuple[Condition | None, ...] = ()

    @property
    def wanted(self) -> BoolArray:
        """The rows that the column of splits puts into a split; all rows if there is no such column."""
        return np.ones(len(self.align_s), bool) if self.split is None else np.isin(self.split, SPLITS)

    @property
    def timed(self) -> BoolArray:
        """The rows with a time to align by."""
        return ~np.isnan(self.align_s)


def read_trials(path: Path, file: h5py.File, settings: RecordingSettings) -> Trials:
    """Read the columns that ``settings`` name. Raises DataError if they are missing or do not have numbers."""
    check_in_file(path, file, "intervals/trials")
    table = _table(path, file)
    named = (*settings.condition, *(settings.interval or ()), *settings.interval_condition)
    for name in (settings.align, settings.split, *named):
        if name is not None and name not in table:
            raise DataError(f"{path} has no trial column '{name}': choose one of {names_in(table)}")
    start_s, stop_s, align_s = (_times(path, table, name) for name in ("start_time", "stop_time", settings.align))
    split = None if settings.split is None else _splits(_column(path, table, settings.split).astype(str))
    return Trials(
        start_s,
        stop_s,
        align_s,
        split,
        _conditions(path, file, table, settings.condition),
        None if settings.interval is None else _intervals(path, table, *settings.interval),
        _conditions(path, file, table, settings.interval_condition),
    )


def _intervals(path: Path, table: h5py.Group, begin: str, end: str) -> FloatArray:
    spans_s = np.stack([_times(path, table, begin), _times(path, table, end)], axis=1)
    backward = np.flatnonzero(spans_s[:, 1] <= spans_s[:, 0])
    if len(backward):
        row = backward[0]
        raise DataError(
            f"{path}: '{end}' is not after '{begin}' in rows {listed(backward)} of the trial table (row {row}: "
            f"{spans_s[row, 1]:g} s and {spans_s[row, 0]:g} s): interval takes the start column, then the end column, "
            "both in seconds from the start of the session"
        )
    return np.where(np.isnan(spans_s).any(axis=1, keepdims=True), np.nan, spans_s)


def _table(path: Path, file: h5py.File) -> h5py.Group:
    table = file.get("intervals/trials", {})
    if "start_time" in table and "stop_time" in table:
        return table
    raise DataError(
        f"{path} has no trial table with start_time and stop_time: "
        f"{'its columns are ' + names_in(table) if table else 'it has no such table'}; for a recording without "
        "trials, set cut_ms to the length of the windows to cut it into"
    )


def _splits(words: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """The names of the splits, which may be in any case or use their other names. Other values are not changed."""
    lower = (str(word).strip().lower() for word in words)
    names = (_WORDS.get(word, word) for word in lower)
    return np.array([name if name in SPLITS else word for name, word in zip(names, words, strict=True)], dtype=str)


def _conditions(path: Path, file: h5py.File, table: h5py.Group, names: tuple[str, ...]) -> tuple[Condition | None, ...]:
    columns = [column_values(path, file, table, name) for name in names]
    return tuple(_condition(values) for values in zip(*columns, strict=True))


def _condition(values: tuple[Any, ...]) -> Condition | None:
    """The condition of a trial, whose columns have these values; None if one is missing."""
    condition = tuple(part for value in values for part in np.ravel(value).tolist())
    return None if any(part in ("", None) or part != part for part in condition) else condition


def _column(path: Path, table: h5py.Group, name: str) -> npt.NDArray[Any]:
    column, expected = table[name], table["start_time"].shape
    values: npt.NDArray[Any] = column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]
    if values.shape != expected or values.ndim != 1:
        raise DataError(
            f"{path}: trial column '{name}' has the shape {values.shape} and 'start_time' has {expected}: both must "
            "have one value per trial"
        )
    return values


def _times(path: Path, table: h5py.Group, name: str) -> FloatArray:
    values = _column(path, table, name)
    if values.dtype.kind not in "iuf":
        first = values[0] if len(values) else "missing"
        raise DataError(f"{path}: trial column '{name}' does not have times; its first value is '{first}'")
    values = values.astype(np.float64)
    return np.asarray(np.where(np.isfinite(values), values, np.nan))
