"""Where the sessions of a recording are. This module is light: opening a prepared recording imports it."""

from pathlib import Path

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings


def session_paths(path: Path, settings: RecordingSettings) -> list[Path]:
    """The file or folder of the first session, and those that ``more_sessions`` names beside it.

    Raises DataError if one of them does not exist.
    """
    paths = [path, *(path.parent / name for name in settings.more_sessions)]
    for other in paths[1:]:
        if not other.exists():
            raise DataError(f"there is no session {other}: more_sessions names files in the folder of {path.name}")
    return paths
