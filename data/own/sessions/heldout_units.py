"""Choosing the held-out units: a random fraction, a column of the unit table, or a list of ids."""

from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import BoolArray
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.unit_table import Units
from nlb_search.data.own.tensor_assembly import drawn_heldout
from nlb_search.data.own.wording import listed, names_in


def heldout_units(path: Path, table: h5py.Group, units: Units, settings: RecordingSettings) -> BoolArray:
    """Mask of the units that are held out.

    Raises DataError if the column that ``settings`` name is not boolean or has one value only, or if a listed unit is
    not among ``units``.
    """
    if isinstance(settings.heldout, str):
        return _flagged(path, table, units, settings.heldout)
    if isinstance(settings.heldout, tuple):
        return _listed(path, units, settings.heldout)
    heldout = np.zeros(len(units.ids), dtype=bool)
    heldout[np.isin(units.rows, np.sort(units.rows)[drawn_heldout(path, len(units.ids), settings.heldout)])] = True
    return heldout


def _flagged(path: Path, table: h5py.Group, units: Units, name: str) -> BoolArray:
    if name not in table:
        raise DataError(f"{path} has no unit column '{name}': choose one of {names_in(table)}")
    column = table[name]
    flags = column[()][units.rows] if column.shape == table["spike_times_index"].shape else None
    if flags is None or not np.isin(flags, (0, 1)).all() or len(np.unique(flags)) != 2:
        raise DataError(
            f"{path}: unit column '{name}' must be boolean, True for the neurons to hold out, with both values"
        )
    return np.asarray(flags.astype(bool))


def _listed(path: Path, units: Units, ids: tuple[int, ...]) -> BoolArray:
    missing = sorted(set(ids) - set(units.ids.tolist()))
    if missing:
        raise DataError(
            f"{path}: heldout lists units {listed(missing)}, which are not among the {len(units.ids)} units that are "
            f"used (ids {listed(units.ids)}): correct the list, or the settings that leave units out"
        )
    heldout = np.isin(units.ids, ids)
    if heldout.all():
        raise DataError(f"{path}: heldout lists all {len(units.ids)} units: leave at least one held-in unit")
    return heldout
