"""Reading the file of your own recording, of any kind, into tensors."""

from pathlib import Path

from nlb_search.data.errors import explained
from nlb_search.data.hdf5_file import opened
from nlb_search.data.own.layout import layout_of
from nlb_search.data.own.lfads_arrays import tensors_of_lfads
from nlb_search.data.own.nlb_arrays import tensors_of_arrays
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.source import Tensors


def read_tensors(path: Path, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """Read the recording in a file into tensors. ``bin_ms`` is the bin width to use, or that of the file's arrays.

    Raises DataError if the file is not a recording, or if ``settings`` do not apply to it.
    """
    remedy = "compare its tables or arrays with docs/recordings.md"
    with explained(path, "a recording", remedy), opened(path) as file:
        layout = layout_of(path, file)
        if layout.kind == "nwb":
            from nlb_search.data.own.nwb_file import tensors_of_nwb  # imported here: importing pandas takes a second

            return tensors_of_nwb(path, file, settings, bin_ms)
        arrays = dict(file[layout.group].items())
        if layout.kind == "lfads":
            return tensors_of_lfads(path, arrays, settings)
        settings.check_unused(frozenset(), path, "it has arrays by nlb_tools' names")
        return tensors_of_arrays(path, arrays)
