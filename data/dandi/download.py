"""Downloading one file. Interrupted downloads are resumed, and a file gets its name only when it is complete."""

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from nlb_search.data.errors import DataError

TIMEOUT_SECONDS = (10, 30)
"""Timeouts for connecting to a server, and for each read."""

WAITS_SECONDS = (1, 2, 4, 8, 15, 30)
"""Delays before each retry after consecutive failures. Any received byte resets the count of failures."""

_BLOCK = 2**16
"""Number of bytes to read at once, and the maximum number lost when a connection breaks."""

_RETRYABLE = frozenset({408, 429})
"""The 4xx status codes that are worth a retry: the server is busy."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """A file at a URL. ``size`` is in bytes; ``tag`` changes when the content changes."""

    url: str
    size: int
    tag: str


Check = Callable[[Path], str | None]
"""Describes what is wrong with a complete file, or returns None if it is good."""


def download(remote: Remote, path: Path, check: Check, session: requests.Session) -> Iterator[int]:
    """Download ``remote`` to ``path``, and yield the number of bytes received so far after each block.

    Received bytes are stored in a hidden file next to ``path``, from which the next call resumes. The file is renamed
    to ``path`` after ``check`` has accepted it. A damaged file is downloaded once more from the beginning.

    Raises DataError if the server cannot be reached or refuses the request, if the disk is full or not writable, if the
    file is damaged again after the second download, or if another process is downloading it.
    """
    part = part_of(remote, path)
    with _writing(path), part.open("ab") as file:
        _lock(file, path)
        yield file.tell()
        for _ in range(2):
            yield from _fill(file, remote, session)
            wrong = _wrong(part, remote, check)
            if wrong is None:
                break
            _log.warning("%s was damaged in the download (%s); downloading it again", remote.url, wrong)
            file.truncate(0)
        else:
            part.unlink()
            raise DataError(
                f"{remote.url} was damaged in two downloads ({wrong}), and was deleted: check the network, or try "
                "again later"
            )
        os.fsync(file.fileno())
        part.replace(path)


def part_of(remote: Remote, path: Path) -> Path:
    """Path of the partial download. It depends on the tag, so a download never resumes from another content."""
    return path.with_name(f".{path.name}.{hashlib.sha256(remote.tag.encode()).hexdigest()[:12]}.part")


def _fill(file: IO[bytes], remote: Remote, session: requests.Session) -> Iterator[int]:
    """Append the missing bytes to the file, and yield its size after each block."""
    failures = 0
    while (offset := file.seek(0, os.SEEK_END)) < remote.size:
        problem = "closed the connection"
        try:
            for block in _blocks(file, offset, remote, session):
                file.write(block)
                # Flush now, to detect a full disk before requesting more.
                file.flush()
                yield file.tell()
                if file.tell() > remote.size:
                    break
        except requests.RequestException as error:
            problem = what_failed(error)
            if not _is_retryable(error):
                raise DataError(f"{remote.url} {problem}") from error
        if file.tell() > offset:
            failures = 0
            continue
        if failures == len(WAITS_SECONDS):
            raise DataError(f"{remote.url} {problem}: run the command again later; it resumes where it stopped")
        if failures == 0:
            _log.warning("%s %s; retrying for a minute", remote.url, problem)
        time.sleep(WAITS_SECONDS[failures])
        failures += 1


def _blocks(file: IO[bytes], offset: int, remote: Remote, session: requests.Session) -> Iterator[bytes]:
    """The file's bytes from ``offset``. If the server does not support ranges, ``file`` is truncated to start over."""
    # No compression, because ranges refer to the bytes as sent.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with session.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        response.raise_for_status()
        if offset and response.status_code != requests.codes.partial_content:
            file.truncate(0)
        yield from response.iter_content(_BLOCK)


def what_failed(error: requests.RequestException) -> str:
    """Describes a failed request, to follow the URL in a message.

    The messages of ``requests`` are about its internals and may contain the signature of a URL.
    """
    if error.response is not None:
        return f"responded with {error.response.status_code} {error.response.reason}"
    if isinstance(error, ValueError):
        return "is not a valid URL"
    if isinstance(error, requests.Timeout):
        return "does not respond"
    return "cannot be reached" if isinstance(error, requests.ConnectionError) else "closed the connection"


def _is_retryable(error: requests.RequestException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ValueError):
        return False
    return error.response is None or error.response.status_code >= 500 or error.response.status_code in _RETRYABLE


def _wrong(part: Path, remote: Remote, check: Check) -> str | None:
    size = part.stat().st_size
    return f"it has {size} bytes instead of {remote.size}" if size != remote.size else check(part)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): "
            f"fix this, for example by freeing space, and run the command again; it resumes where it stopped"
        ) from error


def _lock(file: IO[bytes], path: Path) -> None:
    """Lock the file exclusively. The system releases the lock when this process ends, even if it is killed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"another process is fetching {path}: wait until it has finished") from error
