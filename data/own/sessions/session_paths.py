"""Where the sessions of a recording are. This module is light: opening a prepared recording imports it."""

import os
from collections.abc import Sequence
from pathlib import Path

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings


def session_paths(path: Path, settings: RecordingSettings) -> list[Path]:
    """The file or folder of the first session, and those that ``more_sessions`` names beside it.

    Raises DataError if one of them does not exist, or is named twice.
    """
    paths = [path, *(path.parent / name for name in settings.more_sessions)]
    for number, other in enumerate(paths[1:], start=1):
        if not other.exists():
            raise DataError(f"there is no session {other}: more_sessions names files relative to the folder of {path}")
        if other.resolve() in [earlier.resolve() for earlier in paths[:number]]:
            raise DataError(f"the session {other} is given twice, but val must not have training trials: give it once")
    return paths


def beside(first: Path, others: Sequence[Path]) -> tuple[str, ...]:
    """The names of ``others`` for ``more_sessions``: relative to the folder of ``first``, so that all can be moved."""
    folder = first.absolute().parent
    return tuple(os.path.relpath(other.absolute(), folder) for other in others)
