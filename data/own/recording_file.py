"""Opening your own recording, of any kind, as tables or as arrays."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from nlb_search.data.hdf5_file import check_in_file, opened
from nlb_search.data.own.arrays.array_files import arrays_in
from nlb_search.data.own.file_format import Kind, format_of, kind_of_arrays
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.phy_folder import as_tables


@dataclass(frozen=True, eq=False)
class Tables:
    """A recording with spike times, as the tables of an open NWB file."""

    file: h5py.File


@dataclass(frozen=True, eq=False)
class Arrays:
    """A recording of binned spikes, as arrays or HDF5 datasets by name."""

    kind: Kind
    arrays: Mapping[str, Any]


@contextmanager
def opened_recording(path: Path, settings: RecordingSettings) -> Iterator[Tables | Arrays]:
    """Open a recording: an NWB file, a folder of Kilosort or phy, or arrays in an HDF5, NumPy or MATLAB file.

    Raises DataError if it cannot be read or is not a recording.
    """
    if path.is_dir():
        with as_tables(path, settings) as file:
            yield Tables(file)
        return
    arrays = arrays_in(path)
    if arrays is not None:
        yield Arrays(kind_of_arrays(path, arrays), arrays)
        return
    with opened(path) as file:
        found = format_of(path, file)
        if found.kind == "nwb":
            yield Tables(file)  # each reader checks the tables that it reads
        else:
            check_in_file(path, file, found.group.strip("/"))
            yield Arrays(found.kind, dict(file[found.group].items()))
