"""Opening a recording by its dataset's name and the place of its files: what the rest of the service begins with."""

from pathlib import Path

from data.benchmark import BenchmarkRecording
from data.cache import cache_folder, open_source
from data.datasets import BIN_WIDTHS_MS, dataset_named
from data.errors import DataError
from data.files import find_files
from data.recording import Recording


def open_recording(dataset: str, data: Path, bin_ms: int = 5, cache: Path | None = None) -> Recording:
    """The recording of a dataset whose NWB files lie in the folder ``data``, in bins of ``bin_ms``.

    Its tensors are made once and kept in ``cache`` (else in ``cache_folder()``).

    Raises DataError for an unknown dataset or bin width, files that are absent, damaged, of another dataset or
    changed meanwhile, and a cache that cannot be written.
    """
    known = dataset_named(dataset)
    if bin_ms not in BIN_WIDTHS_MS:
        widths = " or ".join(str(width) for width in BIN_WIDTHS_MS)
        raise DataError(f"the benchmark does not score bins of {bin_ms} ms: choose {widths}")
    source = BenchmarkRecording(known, find_files(known, data), bin_ms)
    return open_source(source, cache or cache_folder())
