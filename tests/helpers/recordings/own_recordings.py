"""Opening the recording in a file in a test, or the error that rejects it."""

from pathlib import Path
from typing import Any

import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process


def opened(path: Path, bin_ms: int = 10, **settings: Any) -> Recording:
    return open_in_process("mine", path, bin_ms, path.parent / "cache", RecordingSettings(**settings))


def rejection(path: Path, bin_ms: int = 10, **settings: Any) -> str:
    with pytest.raises(DataError) as raised:
        opened(path, bin_ms, **settings)
    return str(raised.value)
