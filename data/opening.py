"""Opening a recording by its name and the place of its files: what the rest of the service begins with."""

from pathlib import Path

from nlb_search.data.dataset_files import find_files
from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS
from nlb_search.data.errors import DataError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import cache_folder, open_source
from nlb_search.data.recording import Recording


def open_recording(
    dataset: str,
    data: Path,
    bin_ms: int = 5,
    cache: Path | None = None,
    settings: RecordingSettings | None = None,
) -> Recording:
    """The recording of that name, in bins of ``bin_ms``: one of the benchmark's, or your own.

    ``data`` is the folder in which the benchmark's NWB files lie, or the file of your own recording, of which
    ``settings`` says how it is read. Its tensors are made once and kept in ``cache`` (else in ``cache_folder()``).

    Raises DataError for an unknown dataset or bin width, files that are absent, damaged, of another dataset or
    changed meanwhile, and a cache that cannot be written.
    """
    make_source = _benchmarks if dataset in DATASETS else _own
    source = make_source(dataset, data, bin_ms, settings)
    return open_source(source, cache or cache_folder())


def _benchmarks(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> BenchmarkRecording:
    if settings is not None:
        raise DataError(f"{dataset} is a dataset of the benchmark, whose window and splits are given: no --recording")
    if bin_ms not in BIN_WIDTHS_MS:
        widths = " or ".join(str(width) for width in BIN_WIDTHS_MS)
        raise DataError(f"the benchmark does not score bins of {bin_ms} ms: choose {widths}")
    if data.is_file():
        raise DataError(
            f"{dataset} is a dataset of the benchmark, and {data} is a file: give the folder of its NWB files with "
            "--data, or give your own recording another name"
        )
    known = DATASETS[dataset]
    return BenchmarkRecording(known, find_files(known, data), bin_ms)


def _own(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> OwnRecording:
    if not data.is_file():
        raise DataError(
            f"unknown dataset '{dataset}': choose one of {', '.join(DATASETS)}\n"
            f"or is it your own recording? {data} is not a file: give its file with --data"
        )
    return OwnRecording(dataset, data, bin_ms, settings or RecordingSettings())
