"""Reading columns of the trial table of an NWB file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError

Times = npt.NDArray[np.timedelta64]
"""One time per trial of a table, in nanoseconds from the start of the session; NaT where it is missing."""

TrialTable = Mapping[str, npt.NDArray[Any]]
"""Columns of a trial table, with one value per trial. Columns with names that end in ``_time`` are ``Times``."""

_LATEST_S = 9e9
"""Times after this, or as long before the session, do not fit into nanoseconds of 64 bits."""


def read_trials(path: Path, table: h5py.Group, columns: list[str]) -> TrialTable:
    """Read these columns, of which ``start_time`` must be one.

    Raises DataError if a column does not have one value per trial, or if times are not numbers, infinite or too large.
    """
    values = {name: _column(table[name]) for name in columns}
    for name in columns:
        if values[name].shape != values["start_time"].shape or values[name].ndim != 1:
            raise DataError(
                f"{path}: trial column '{name}' has the shape {values[name].shape} and 'start_time' has "
                f"{values['start_time'].shape}: both must have one value per trial"
            )
        if name.endswith("_time"):
            values[name] = _times(path, name, values[name])
    return values


def _column(column: h5py.Dataset) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]
    return values


def _times(path: Path, name: str, values: npt.NDArray[Any]) -> Times:
    """Convert a column from seconds as ``pandas.to_timedelta`` does, with which nlb_tools reads times.

    Fractions of a second are rounded to nine decimals, and then truncated to whole nanoseconds.
    """
    remedy = "write the time in seconds from the start of the session"
    if values.dtype.kind not in "iuf":
        kind = "text" if values.dtype.kind == "O" else f"values of type {values.dtype}"
        raise DataError(f"{path}: trial column '{name}' has {kind}: {remedy}")
    time_s = values.astype(np.float64)
    odd = np.flatnonzero(np.abs(time_s) > _LATEST_S)
    if odd.size:
        raise DataError(
            f"{path}: trial column '{name}' is {time_s[odd[0]]:g} in row {odd[0]} (from 0): "
            f"{remedy}, or write NaN and set the split to 'none'"
        )
    missing = np.isnan(time_s)
    known_s = np.where(missing, 0, time_s)
    seconds = known_s.astype(np.int64)
    fraction_ns = np.round(known_s - seconds, 9) * 1e9
    times = (seconds * 1_000_000_000 + fraction_ns.astype(np.int64)).astype("timedelta64[ns]")
    times[missing] = np.timedelta64("NaT")
    return times
