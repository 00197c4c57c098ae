"""From the file of your own recording to its tensors, whichever kind it is."""

from pathlib import Path

from nlb_search.data.errors import explained
from nlb_search.data.own.layout import layout_of, opened
from nlb_search.data.own.lfads_arrays import tensors_of_lfads
from nlb_search.data.own.nlb_arrays import tensors_of_arrays
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.data.source import Tensors


def read_tensors(path: Path, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """The tensors of the recording in a file, in bins of ``bin_ms``: arrays are in bins of it already.

    Raises DataError for a file, or settings, that do not give any.
    """
    remedy = "is it one of the kinds that docs/recordings.md describes? compare its tables or arrays with those"
    with explained(path, "a recording", remedy), opened(path) as file:
        layout = layout_of(path, file)
        if layout.kind == "nwb":
            from nlb_search.data.own.nwb_file import tensors_of_nwb  # here, for pandas takes a second

            return tensors_of_nwb(path, settings, bin_ms)
        arrays = dict(file[layout.group].items())
        if layout.kind == "lfads":
            return tensors_of_lfads(path, arrays, settings)
        settings.check_unused(frozenset(), path, "its arrays are what they are")
        return tensors_of_arrays(path, arrays)
