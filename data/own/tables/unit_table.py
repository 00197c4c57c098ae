"""Reading the unit table of your own recording: which table, which of its units, and their spike times."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.own.intervals import BoolArray, FloatArray, IntArray
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.spike_times import check_finite, check_forward, goes_back
from nlb_search.data.own.tables.table_columns import rows_where, values_by_row
from nlb_search.data.own.wording import listed, names_in

SPIKES = ("spike_times", "spike_times_index")

_SINGLE_BYTES = 4
_COARSE_MS = 0.1
"""Spike times of single precision or less are reported as coarse if their steps are wider than this."""


@dataclass(frozen=True, eq=False)
class Units:
    """The units that are used, sorted by id, and the rows of the table that they are in.

    ``spikes_s`` has the spike times of each unit and ``observed_s`` the intervals in which it was recorded, or None if
    the file does not say; both in seconds. ``choices`` says which units were left out.
    """

    ids: IntArray
    rows: IntArray
    spikes_s: list[FloatArray]
    observed_s: list[FloatArray] | None
    choices: tuple[str, ...]


def unit_table(path: Path, file: h5py.File, settings: RecordingSettings) -> h5py.Group:
    """The table with the units. Raises DataError if there is none, or several and ``settings`` name none of them."""
    check_in_file(path, file, "units")
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and all(column in item for column in SPIKES):
            found.append(name)

    file.visititems(note)
    table = _named_or_only(path, file, settings, found)
    check_in_file(path, file, table.name)
    return table


def _named_or_only(path: Path, file: h5py.File, settings: RecordingSettings, found: list[str]) -> h5py.Group:
    if settings.units_table is not None:
        named = settings.units_table.strip("/")
        if named not in found:
            raise DataError(
                f"{path} has no unit table with spike times at '{settings.units_table}': its tables are "
                f"{', '.join(found) or 'none'}"
            )
        return file[named]
    if len(found) > 1:
        raise DataError(
            f"{path} has {len(found)} unit tables, {' and '.join(found)}: set units_table to one of these paths"
        )
    if not found:
        columns = list(file.get("units", ()))
        raise DataError(
            f"{path} has no unit table with {' and '.join(SPIKES)}: "
            f"{'its columns are ' + names_in(columns) if columns else 'it has no such table'}; give a file with the "
            "spike times of sorted units"
        )
    return file[found[0]]


def read_units(path: Path, file: h5py.File, table: h5py.Group, settings: RecordingSettings) -> Units:
    """Read the units that ``settings`` do not leave out.

    Raises DataError if columns cannot be read, if all units are left out, or if the times of a unit are not valid.
    """
    all_spikes_s = _ragged(path, table, "spike_times")
    all_observed_s = _ragged(path, table, "obs_intervals") if "obs_intervals" in table else None
    all_ids, choices = _ids(table)
    choices += _coarse(table["spike_times"])
    rows = np.arange(len(all_ids))
    if not len(rows):
        raise DataError(f"{path}: its unit table is empty: give a file with the spike times of sorted units")

    def leave_out(kept: BoolArray, why: str) -> None:
        nonlocal rows
        if not kept.any():
            raise DataError(f"{path}: all {len(rows)} units {why}: change this setting, or the file")
        if not kept.all():
            out = np.sort(all_ids[rows[~kept]])
            choices.append(f"left out {len(out)} of {len(all_ids)} units that {why} (ids {listed(out)})")
        rows = rows[kept]

    if settings.units is not None:
        kept = rows_where(path, file, table, "units", settings.units)
        leave_out(kept, f"do not match {settings.units}")
    spikes_s = [all_spikes_s[row] for row in rows]
    check_finite(path, all_ids[rows], spikes_s)
    if settings.sort_spikes:
        backward = [unit for unit, spikes in zip(all_ids[rows], spikes_s, strict=True) if goes_back(spikes)]
        spikes_s = [np.sort(spikes) for spikes in spikes_s]
        choices += [f"sorted spike times that were out of order in units (ids {listed(backward)})"] if backward else []
    observed_s = all_observed_s and [all_observed_s[row] for row in rows]
    if settings.min_rate_hz:
        fast = _rates_hz(spikes_s, observed_s) >= settings.min_rate_hz
        leave_out(fast, f"fire less than {settings.min_rate_hz:g} spikes/s")
        spikes_s = [spikes for spikes, kept in zip(spikes_s, fast, strict=True) if kept]
        observed_s = observed_s and [spans for spans, kept in zip(observed_s, fast, strict=True) if kept]
    order = np.argsort(all_ids[rows], kind="stable")
    return Units(
        ids=all_ids[rows[order]],
        rows=rows[order],
        spikes_s=[spikes_s[index] for index in order],
        observed_s=observed_s and [observed_s[index] for index in order],
        choices=tuple(choices),
    )


def check_times(path: Path, units: Units) -> None:
    """Raises DataError, which names the units, if spike times decrease or a unit was never observed."""
    check_forward(path, units.ids, units.spikes_s)
    for unit, observed in zip(units.ids, units.observed_s or (), strict=False):
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


def _ids(table: h5py.Group) -> tuple[IntArray, list[str]]:
    """The id of each unit: the number of its row if the table has no unique ids."""
    rows = np.arange(len(table["spike_times_index"]))
    ids = table["id"][()] if "id" in table else None
    if ids is None:
        why = "it has no ids"
    elif len(ids) != len(rows):
        why = f"it has {len(ids)} ids for {len(rows)} units"
    elif ids.dtype.kind not in "iuf" or not (ids == np.rint(ids)).all():
        why = "its ids are not integers"
    elif (np.abs(ids.astype(np.float64)) >= np.iinfo(np.int64).max).any():
        why = "its ids have more than 63 bits"
    elif len(np.unique(ids)) < len(rows):
        why = "its ids are not unique"
    else:
        return ids.astype(np.int64), []
    return rows, [f"units are numbered by their rows in the unit table, because {why}"]


def _coarse(spike_times: h5py.Dataset) -> list[str]:
    """Describes the resolution of the spike times if it is so coarse that spikes may be in a neighbouring bin."""
    if spike_times.dtype.kind != "f" or spike_times.dtype.itemsize > _SINGLE_BYTES or not len(spike_times):
        return []
    last_s = np.nanmax(np.abs(spike_times[()]))
    step_ms = 1000 * float(np.spacing(last_s))
    if not step_ms > _COARSE_MS:
        return []
    return [
        f"spike times are {spike_times.dtype.name}, in steps of {step_ms:.2g} ms at {last_s:.0f} s: spikes may be in a "
        "neighbouring bin"
    ]


def _ragged(path: Path, table: h5py.Group, column: str) -> list[FloatArray]:
    """The numbers in each row of a column with several values per row."""
    values = table[column][()]
    if values.dtype.kind not in "iuf":
        raise DataError(f"{path}: unit column '{column}' has values of the type {values.dtype}, not times in seconds")
    if column == "obs_intervals" and (values.ndim != 2 or values.shape[1] != 2):
        raise DataError(
            f"{path}: unit column 'obs_intervals' has the shape {values.shape}, but it must be intervals x 2: store "
            "the start and the stop of each interval in a row"
        )
    return values_by_row(path, table, column, values.astype(np.float64))


def _rates_hz(spikes_s: list[FloatArray], observed_s: list[FloatArray] | None) -> FloatArray:
    """The mean rate of each unit while it was recorded, or from the first to the last spike of all."""
    n_spikes = np.array([len(spikes) for spikes in spikes_s])
    if observed_s is None:
        times_s = np.concatenate(spikes_s)
        return np.asarray(n_spikes / max(np.ptp(times_s) if len(times_s) else 0.0, 1e-9))
    return np.asarray(n_spikes / [max(np.diff(spans, axis=1).sum(), 1e-9) for spans in observed_s])
