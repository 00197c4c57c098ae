"""Opening a recording by its name and the path of its files."""

from pathlib import Path

from nlb_search.data.dataset_files import find_files, has_files
from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS
from nlb_search.data.errors import DataError, UnknownDatasetError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording, is_recording
from nlb_search.data.preparing.cache import cache_folder, open_or_prepare
from nlb_search.data.recording import Recording


def open_recording(
    dataset: str,
    data: Path,
    bin_ms: int = 5,
    cache: Path | None = None,
    settings: RecordingSettings | None = None,
) -> Recording:
    """Open a recording of the benchmark, or your own recording, in bins of ``bin_ms``.

    ``data`` is the folder of the benchmark's NWB files, or the file of your own recording; ``settings`` say how your
    own recording is read. The tensors are made once and stored in the folder ``cache``, by default ``cache_folder()``.

    Raises DataError if the dataset or bin width is unknown, if files are missing, damaged, of another dataset or
    changed while they are read, or if the cache cannot be written.
    """
    make_source = _benchmarks if dataset in DATASETS else _own
    source = make_source(dataset, data, bin_ms, settings)
    return open_or_prepare(source, cache or cache_folder())


def file_with_spike_times(dataset: str, data: Path) -> Path:
    """The file or folder that may have spike times: the benchmark's NWB file with train and val, or your own recording.

    Raises DataError if there is no such recording.
    """
    return find_files(DATASETS[dataset], data).train if dataset in DATASETS else data


def has_recording(dataset: str, data: Path) -> bool:
    """Whether ``data`` is your own recording, or a folder with NWB files of the benchmark's dataset."""
    if dataset not in DATASETS:
        return is_recording(data)
    return has_files(DATASETS[dataset], data)


def _benchmarks(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> BenchmarkRecording:
    if settings is not None:
        raise DataError(
            f"{dataset} is a dataset of the benchmark, with fixed window and splits: remove --recording and its "
            "options, and pass one --data"
        )
    if bin_ms not in BIN_WIDTHS_MS:
        widths = " or ".join(str(width) for width in BIN_WIDTHS_MS)
        raise DataError(f"the benchmark does not score bins of {bin_ms} ms: choose {widths}")
    if data.is_file():
        raise DataError(
            f"{dataset} is a dataset of the benchmark, but {data} is a file: give the folder of its NWB files with "
            "--data, or choose another name for your own recording"
        )
    known = DATASETS[dataset]
    return BenchmarkRecording(known, find_files(known, data), bin_ms)


def _own(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> OwnRecording:
    if not is_recording(data):
        raise UnknownDatasetError(
            f"unknown dataset '{dataset}': choose one of {', '.join(DATASETS)}\n"
            f"for your own recording, give its file or its phy folder with --data: {data} {_what_is(data)}"
        )
    return OwnRecording(dataset, data, bin_ms, settings or RecordingSettings())


def _what_is(data: Path) -> str:
    """Why ``data`` is not your own recording."""
    if not data.exists():
        return "does not exist"
    if any((data / name).exists() for name in (".zgroup", "zarr.json")):
        return "is a Zarr folder, which is unsupported: export it to an HDF5 file with pynwb"
    files = sorted(path.name for path in data.glob("*.nwb"))
    return f"is a folder with {', '.join(files[:3])}: give one file" if files else "is neither"
