"""Folders of Kilosort and phy (https://phy.readthedocs.io), with trials as CSV, as the tables of an NWB file.

``spike_times.npy`` has sample numbers, ``spike_clusters.npy`` the unit of each spike, ``cluster_*.tsv`` columns of the
units, and ``params.py`` the sampling rate.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.phy_files import CLUSTERS, PARAMETERS, SPIKES, cluster_tables, phy_files
from nlb_search.data.own.tables.table_columns import add_columns
from nlb_search.data.source import Array

_CLUSTER_IDS = ("cluster_id", "id")
"""The column with the number of a cluster; early versions of phy name it id in ``cluster_info.tsv``."""

_SAMPLE_RATE = re.compile(r"^[ \t]*sample_rate[ \t]*(?::[^=\n]*)?=[ \t]*([^#;\n]*)", re.MULTILINE)


@contextmanager
def as_tables(folder: Path, settings: RecordingSettings) -> Iterator[h5py.File]:
    """The recording as an HDF5 file in memory, with the tables of an NWB file and times in seconds.

    Raises DataError if a file is missing or not valid.
    """
    import pandas as pd  # imported here: importing it takes a second

    from nlb_search.data.own.tables.delimited_text import read_table

    phy_files(folder, settings)
    rate_hz = sampling_rate_hz(folder / PARAMETERS)
    samples, clusters = (_vector(folder / name) for name in (SPIKES, CLUSTERS))
    if len(samples) != len(clusters):
        raise DataError(f"{folder}: {SPIKES} has {len(samples)} spikes, but {CLUSTERS} has {len(clusters)}")
    with h5py.File(f"{folder.name}.phy", "w", driver="core", backing_store=False) as file:
        order = np.argsort(clusters, kind="stable")
        ids, counts = np.unique(clusters, return_counts=True)
        units = file.create_group("units")
        units["id"] = ids
        units["spike_times"] = samples[order] / rate_hz
        units["spike_times_index"] = np.cumsum(counts)
        for table in cluster_tables(folder, settings):
            columns = read_table(table)
            key = next((name for name in _CLUSTER_IDS if name in columns), None)
            if key is None:
                raise DataError(f"{table} has no column cluster_id: export it from phy again, or remove it")
            columns = columns.set_index(key)
            columns = columns.loc[~columns.index.duplicated()].reindex(ids)
            add_columns(units, dict(columns.items()))
        if settings.cut_ms is None:
            trials = read_table(folder / settings.trial_table)
            if not len(trials):
                raise DataError(f"{folder / settings.trial_table} has no trials below its line of column names")
            columns = {"id": pd.Series(range(len(trials)))} | dict(trials.items())
            add_columns(file.create_group("intervals/trials"), columns)
        yield file


def sampling_rate_hz(file: Path) -> float:
    """The ``sample_rate`` in phy's ``params.py``, of which only this line is read; nothing is executed.

    Other lines need not be valid Python: a path of Windows often is not. Raises DataError if there is no such number.
    """
    from nlb_search.data.own.tables.delimited_text import read_text

    remedy = "write the line 'sample_rate = 30000.0' in it"
    found = _SAMPLE_RATE.findall(read_text(file).replace("\r", "\n"))
    if not found:
        raise DataError(f"{file} has no sample_rate, the sampling rate in Hz: {remedy}")
    value = found[-1].strip()
    try:
        rate_hz = float(value.strip("'\""))
    except ValueError:
        rate_hz = np.nan
    if not 0 < rate_hz < np.inf:
        raise DataError(f"{file} has sample_rate = {value}, which is not a positive number of Hz: {remedy}")
    return rate_hz


def _vector(file: Path) -> Array:
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{file} has Python objects instead of numbers: write it with the sorter again") from error
        raise DataError(f"{file} is not a complete NumPy array: copy it again") from error
    values = values.squeeze()
    if values.ndim == 1 and values.dtype.kind == "f" and (values != np.rint(values)).any():
        at = int(np.flatnonzero(values != np.rint(values))[0])
        raise DataError(
            f"{file} has {values[at]:g} at position {at} (from 0), but it must have integers: are these seconds? "
            "phy stores sample numbers"
        )
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise DataError(
            f"{file} has the shape {values.shape} and the type {values.dtype}, but it must have one integer per spike"
        )
    return np.asarray(values.astype(np.int64))
