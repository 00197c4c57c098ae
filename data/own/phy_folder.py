"""Folders of Kilosort and phy (https://phy.readthedocs.io), with trials as CSV, as the tables of an NWB file.

``spike_times.npy`` has sample numbers, ``spike_clusters.npy`` the unit of each spike, ``cluster_*.tsv`` columns of the
units, and ``params.py`` the sampling rate.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.phy_files import CLUSTER_TABLES, CLUSTERS, PARAMETERS, SPIKES, phy_files
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.table_columns import add_columns
from nlb_search.data.source import Array


@contextmanager
def as_tables(folder: Path, settings: RecordingSettings) -> Iterator[h5py.File]:
    """The recording as an HDF5 file in memory, with the tables of an NWB file and times in seconds.

    Raises DataError if a file is missing or not valid.
    """
    import pandas as pd  # imported here: importing it takes a second

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
        for table in sorted(folder.glob(CLUSTER_TABLES)):
            columns = pd.read_csv(table, sep="\t")
            if "cluster_id" not in columns:
                raise DataError(f"{table} has no column cluster_id: export it from phy again, or remove it")
            columns = columns.set_index("cluster_id")
            columns = columns.loc[~columns.index.duplicated()].reindex(ids)
            add_columns(units, dict(columns.items()))
        if settings.cut_ms is None:
            trials = pd.read_csv(folder / settings.trial_table)
            columns = {"id": pd.Series(range(len(trials)))} | dict(trials.items())
            add_columns(file.create_group("intervals/trials"), columns)
        yield file


def sampling_rate_hz(file: Path) -> float:
    """The ``sample_rate`` in phy's ``params.py``, which is parsed and never executed.

    Raises DataError if there is no such number.
    """
    try:
        statements = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{file} is not valid Python: write the line 'sample_rate = 30000.0' in it") from error
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id="sample_rate")], value=ast.Constant(value=int() | float() as rate)):
                if rate > 0:
                    return float(rate)
    raise DataError(f"{file} has no sample_rate, the sampling rate in Hz: write the line 'sample_rate = 30000.0' in it")


def _vector(file: Path) -> Array:
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{file} is not a complete array of NumPy: copy it again") from error
    values = values.squeeze()
    if values.ndim != 1 or values.dtype.kind not in "iuf" or (values != np.rint(values)).any():
        raise DataError(
            f"{file} has the shape {values.shape} and the type {values.dtype}, but it must have one whole number per "
            "spike"
        )
    return np.asarray(values.astype(np.int64))
