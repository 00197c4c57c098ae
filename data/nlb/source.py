"""The benchmark's recordings as a source of tensors."""

from dataclasses import dataclass
from pathlib import Path

from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.datasets import Dataset
from nlb_search.data.fingerprint import recording_hash
from nlb_search.data.source import Tensors


@dataclass(frozen=True)
class BenchmarkRecording:
    """A source of tensors in bins of ``bin_ms``: the NWB files of one of the seven datasets."""

    dataset: Dataset
    files: RecordingFiles
    bin_ms: int

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def path(self) -> Path:
        return self.files.train.parent

    def content_hash(self, hash_cache: Path) -> str:
        return recording_hash(self.files, hash_cache)

    def make(self) -> Tensors:
        # Imported here: opening a prepared recording does not need the readers.
        from nlb_search.data.nlb.tensors import make_tensors

        return make_tensors(self.dataset, self.files, self.bin_ms)
