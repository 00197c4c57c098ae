"""The content hash of a recording: SHA-256, computed again only when a file has changed."""

import hashlib
import json
import logging
import os
import time
from pathlib import Path

from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.errors import DataError

_SETTLED_NS = 2_000_000_000
"""Hashes of files modified more recently than this are not stored.

File systems store times with a resolution of up to two seconds, so such a file may change without a new time stamp.
"""

_log = logging.getLogger(__name__)


def recording_hash(files: RecordingFiles, hash_cache: Path) -> str:
    """SHA-256, in hex, of the content of a recording's files, independent of their names and folders.

    ``hash_cache`` is a JSON file that stores known hashes by path, with each file's size, time stamps and inode.
    Raises DataError if a file cannot be read.
    """
    contents = {"train": file_hash(files.train, hash_cache)}
    if files.test is not None:
        contents["test"] = file_hash(files.test, hash_cache)
    return combined_hash(contents)


def combined_hash(contents: dict[str, str]) -> str:
    """Content hash of several files, in hex. ``contents`` has the SHA-256 of each by its role, such as ``train``."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path, hash_cache: Path) -> str:
    """SHA-256 of one file's content, in hex, taken from ``hash_cache`` if the file has not changed since.

    Raises DataError if the file cannot be read.
    """
    try:
        resolved = str(path.resolve(strict=True))
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
            known_stamp, _, known_hash = _known_hashes(hash_cache).get(resolved, "").rpartition(" ")
            if known_stamp == stamp:
                return known_hash
            age_ns = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
            content_hash = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): check that the file exists and that you may read it"
        ) from error
    if age_ns > _SETTLED_NS:
        _store_hash(hash_cache, resolved, f"{stamp} {content_hash}")
    return content_hash


def _known_hashes(hash_cache: Path) -> dict[str, str]:
    try:
        known = json.loads(hash_cache.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {path: value for path, value in known.items() if isinstance(value, str)}


def _store_hash(hash_cache: Path, resolved: str, value: str) -> None:
    known = {path: old for path, old in _known_hashes(hash_cache).items() if Path(path).exists()}
    known[resolved] = value
    temporary = hash_cache.with_name(f"{hash_cache.name}.{os.getpid()}")
    try:
        hash_cache.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1))
        temporary.replace(hash_cache)
    except OSError as error:
        # Not an error: recordings can still be read from a read-only cache, only more slowly.
        _log.debug("the hash of %s could not be stored: %s", resolved, error)
