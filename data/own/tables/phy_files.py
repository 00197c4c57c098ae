"""The files of a folder of Kilosort or phy. This module is light: opening a prepared recording imports it."""

from pathlib import Path

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings

SPIKES = "spike_times.npy"
CLUSTERS = "spike_clusters.npy"
PARAMETERS = "params.py"
_CLUSTER_TABLES = ("cluster_*.tsv", "cluster_*.csv")
"""The tables of phy, and those of its version 1, which are read if there are none of the others."""


def phy_files(folder: Path, settings: RecordingSettings) -> list[Path]:
    """The files of the folder that are read. Raises DataError if a file that is needed is missing."""
    needed = [folder / name for name in (SPIKES, CLUSTERS, PARAMETERS)]
    if settings.cut_ms is None:
        needed.append(folder / settings.trial_table)
    for file in needed:
        if not file.is_file():
            remedy = (
                "write a CSV file of trials with the columns start_time and stop_time in seconds, or set cut_ms"
                if file.name == settings.trial_table
                else "give a folder of Kilosort or phy"
            )
            raise DataError(f"{folder} has no {file.name}: {remedy}")
    return [*needed, *cluster_tables(folder, settings)]


def cluster_tables(folder: Path, settings: RecordingSettings) -> list[Path]:
    """The files with columns of the units."""
    found = [sorted(folder.glob(pattern)) for pattern in _CLUSTER_TABLES]
    tables = next(filter(None, found), [])
    return [table for table in tables if table.name != settings.trial_table and table.stat().st_size]
