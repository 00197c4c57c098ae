"""Your own recording as a source of tensors."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from nlb_search.data.errors import DataError
from nlb_search.data.fingerprint import combined_hash, file_hash
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.session_paths import session_paths
from nlb_search.data.own.tables.phy_files import SPIKES, phy_files
from nlb_search.data.source import Tensors

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}"

BIN_WIDTHS_MS = range(1, 1001)


def is_recording(path: Path) -> bool:
    """Whether ``path`` is a file, or a folder of Kilosort or phy."""
    return path.is_file() or (path / SPIKES).is_file()


@dataclass(frozen=True)
class OwnRecording:
    """A source of tensors in bins of ``bin_ms``: one file, read with ``settings``.

    If the file has arrays, which are binned already, ``bin_ms`` must be their bin width. Raises DataError if the name
    is not valid, or if the bin width is out of range.
    """

    name: str
    path: Path
    bin_ms: int
    settings: RecordingSettings

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise DataError(
                f"'{self.name}' is not a valid name for a recording: use letters, digits, _ and -, at most 60 "
                "characters, and start with a letter or digit"
            )
        if self.bin_ms not in BIN_WIDTHS_MS:
            least, most = BIN_WIDTHS_MS[0], BIN_WIDTHS_MS[-1]
            raise DataError(f"bins of {self.bin_ms} ms are not supported: choose a bin width from {least} to {most} ms")

    def content_hash(self, hash_cache: Path) -> str:
        contents = {"file": self._files_hash(hash_cache), "settings": self.settings.hashed()}
        return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()

    def _files_hash(self, hash_cache: Path) -> str:
        hashes = [self._session_hash(path, hash_cache) for path in session_paths(self.path, self.settings)]
        return hashes[0] if len(hashes) == 1 else combined_hash({str(n): one for n, one in enumerate(hashes)})

    def _session_hash(self, path: Path, hash_cache: Path) -> str:
        if not path.is_dir():
            return file_hash(path, hash_cache)
        return combined_hash({file.name: file_hash(file, hash_cache) for file in phy_files(path, self.settings)})

    def make(self) -> Tensors:
        # Imported here: opening a prepared recording does not need the readers.
        from nlb_search.data.own.reading import read_tensors

        return read_tensors(self.path, self.settings, self.bin_ms)
