"""Reading the file of your own recording, of any kind, into tensors."""

from pathlib import Path

from nlb_search.data.errors import explained
from nlb_search.data.own.arrays.lfads_arrays import tensors_of_lfads
from nlb_search.data.own.arrays.nlb_arrays import tensors_of_arrays
from nlb_search.data.own.nwb_file import tensors_of_nwb
from nlb_search.data.own.recording_file import Tables, opened_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.source import Tensors


def read_tensors(path: Path, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """Read the recording in a file into tensors. ``bin_ms`` is the bin width to use, or that of the file's arrays.

    Raises DataError if the file is not a recording, or if ``settings`` do not apply to it.
    """
    remedy = "compare its tables or arrays with docs/recordings.md"
    with explained(path, "a recording", remedy), opened_recording(path, settings) as recording:
        if isinstance(recording, Tables):
            return tensors_of_nwb(path, recording.file, settings, bin_ms)
        if recording.kind == "lfads":
            return tensors_of_lfads(path, recording.arrays, settings)
        settings.check_unused(frozenset(), path, "it has arrays by nlb_tools' names")
        return tensors_of_arrays(path, recording.arrays)
