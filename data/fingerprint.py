"""What a recording's content is known by: a SHA-256 that is computed once for each state of a file."""

import hashlib
import json
import logging
import os
import time
from pathlib import Path

from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.errors import DataError

_SETTLED_NS = 2_000_000_000
"""File systems stamp times in steps of up to two seconds: a younger file may change without a new stamp."""

_log = logging.getLogger(__name__)


def recording_hash(files: RecordingFiles, memory: Path) -> str:
    """SHA-256, in hex, of the content of a recording's files; their names and places do not count.

    ``memory`` is a JSON file that remembers the hash of each file by its path, size, times and inode.
    Raises DataError if a file cannot be read.
    """
    contents = {"train": file_hash(files.train, memory)}
    if files.test is not None:
        contents["test"] = file_hash(files.test, memory)
    return combined_hash(contents)


def combined_hash(contents: dict[str, str]) -> str:
    """What a recording is known by whose files, ``train`` and perhaps ``test``, have these SHA-256 in hex."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path, memory: Path) -> str:
    """SHA-256 of one file's content, in hex, from ``memory`` if the file is as it was then."""
    try:
        resolved = str(path.resolve(strict=True))
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
            known_stamp, _, known_hash = _recall(memory).get(resolved, "").rpartition(" ")
            if known_stamp == stamp:
                return known_hash
            age_ns = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
            content_hash = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): check that the file is there and may be read"
        ) from error
    if age_ns > _SETTLED_NS:
        _remember(memory, resolved, f"{stamp} {content_hash}")
    return content_hash


def _recall(memory: Path) -> dict[str, str]:
    try:
        known = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {path: value for path, value in known.items() if isinstance(value, str)}


def _remember(memory: Path, resolved: str, value: str) -> None:
    known = {path: old for path, old in _recall(memory).items() if Path(path).exists()}
    known[resolved] = value
    beside = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(known, indent=1))
        beside.replace(memory)
    except OSError as error:
        # Only speed is lost: a cache that may be read but not written still serves its recordings.
        _log.debug("the hash of %s is not remembered: %s", resolved, error)
