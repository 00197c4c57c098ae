"""Choosing the held-out units of your own NWB file: a random share, or a column of the unit table."""

from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import BoolArray
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.splits import drawn_heldout


def heldout_units(path: Path, settings: RecordingSettings) -> BoolArray:
    """Mask of the rows of the unit table that are held out.

    Raises DataError if the column that ``settings`` name is not boolean, or has one value only.
    """
    with h5py.File(path, "r") as file:
        units = file["units"]
        n_neurons = len(units["id"])
        column = units[settings.heldout][()] if isinstance(settings.heldout, str) else None
    if column is None:
        heldout = np.zeros(n_neurons, dtype=bool)
        heldout[drawn_heldout(path, n_neurons, float(settings.heldout))] = True
        return heldout
    if column.shape != (n_neurons,) or not np.isin(column, (0, 1)).all() or len(np.unique(column)) != 2:
        raise DataError(
            f"{path}: unit column '{settings.heldout}' must be boolean, True for the neurons to hold out, with "
            "both values"
        )
    chosen: BoolArray = column.astype(bool)
    return chosen
