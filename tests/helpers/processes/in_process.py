"""Opening a recording without the subprocess that prepares it, whose start takes longer than reading a small file."""

from pathlib import Path

from nlb_search.data.dataset_files import find_files
from nlb_search.data.datasets import DATASETS
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import prepare
from nlb_search.data.recording import Recording


def open_in_process(
    dataset: str, data: Path, bin_ms: int, cache: Path, settings: RecordingSettings | None = None
) -> Recording:
    """Like ``open_recording``, but make the cache entry in this process. Raises DataError in the same cases."""
    source: BenchmarkRecording | OwnRecording
    if dataset in DATASETS:
        source = BenchmarkRecording(DATASETS[dataset], find_files(DATASETS[dataset], data), bin_ms)
    else:
        source = OwnRecording(dataset, data, bin_ms, settings or RecordingSettings())
    prepare(source, cache, source.content_hash(cache / "file-hashes.json"))
    return open_recording(dataset, data, bin_ms, cache, settings)
