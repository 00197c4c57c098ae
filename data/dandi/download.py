"""Bringing one file here from its address: it continues where it was cut off, and takes its name when it is whole."""

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
"""How long a server may take to be reached, and then to say the next bit."""

WAITS_SECONDS = (1, 2, 4, 8, 15, 30)
"""How long to wait after each failure in a row before the next try; any byte that comes begins the row again."""

_BLOCK = 2**16
"""Bytes that are asked for at once: what is lost when a connection breaks."""

_LATER = frozenset({408, 429})
"""What a server answers that is too busy now; for any other 4xx, asking again would be of no use."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """A file at an address: its size in bytes, and ``tag``, which is another for another content."""

    url: str
    size: int
    tag: str


Check = Callable[[Path], str | None]
"""Says what is wrong with a file that came whole; None where nothing is."""


def download(remote: Remote, path: Path, check: Check, session: requests.Session) -> Iterator[int]:
    """Bring ``remote`` to ``path``, and yield how many of its bytes are here after each piece of it.

    What came so far is kept in a hidden file beside ``path``, whatever ends this process, and the next call continues
    from there. The file gets its name after ``check`` found nothing wrong with it; a damaged one is brought once more
    from the beginning.

    Raises DataError when the server cannot be reached or refuses, the disk is full or cannot be written, the file is
    damaged twice, and while another process brings the same file.
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
            _log.warning("%s did not come as it should be: %s", remote.url, wrong)
            file.truncate(0)
        else:
            part.unlink()
            raise DataError(f"{remote.url} came twice and not as it should be ({wrong}): nothing of it is kept")
        os.fsync(file.fileno())
        part.replace(path)


def part_of(remote: Remote, path: Path) -> Path:
    """Where what came of ``remote`` so far is kept; another content of the same name never continues from there."""
    return path.with_name(f".{path.name}.{hashlib.sha256(remote.tag.encode()).hexdigest()[:12]}.part")


def _fill(file: IO[bytes], remote: Remote, session: requests.Session) -> Iterator[int]:
    """Append what is missing of the file, and yield its size after each block."""
    failures = 0
    while (offset := file.seek(0, os.SEEK_END)) < remote.size:
        problem = "broke off"
        try:
            for block in _blocks(file, offset, remote, session):
                file.write(block)
                # At once, for a full disk must be known before more is asked for.
                file.flush()
                yield file.tell()
                if file.tell() > remote.size:
                    break
        except requests.RequestException as error:
            problem = what_failed(error)
            if not _may_pass(error):
                raise DataError(f"{remote.url} {problem}") from error
        if file.tell() > offset:
            failures = 0
            continue
        if failures == len(WAITS_SECONDS):
            raise DataError(f"{remote.url} {problem}: run it again later: it resumes where it stopped")
        if failures == 0:
            _log.warning("%s %s; trying again for a minute", remote.url, problem)
        time.sleep(WAITS_SECONDS[failures])
        failures += 1


def _blocks(file: IO[bytes], offset: int, remote: Remote, session: requests.Session) -> Iterator[bytes]:
    """The file's bytes from ``offset`` on. Where the server knows no ranges, ``file`` is emptied to begin again."""
    # Not compressed: a range counts the bytes as they are sent.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with session.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        response.raise_for_status()
        if offset and response.status_code != requests.codes.partial_content:
            file.truncate(0)
        yield from response.iter_content(_BLOCK)


def what_failed(error: requests.RequestException) -> str:
    """What a server did, after its address: the library's own words speak of its inside, and may hold a signature."""
    if error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, ValueError):
        return "is no address"
    if isinstance(error, requests.Timeout):
        return "does not answer"
    return "cannot be reached" if isinstance(error, requests.ConnectionError) else "broke off"


def _may_pass(error: requests.RequestException) -> bool:
    """Whether the same question may be answered later: yes unless it is one that cannot be."""
    if isinstance(error, ValueError):
        return False
    return error.response is None or error.response.status_code >= 500 or error.response.status_code in _LATER


def _wrong(part: Path, remote: Remote, check: Check) -> str | None:
    size = part.stat().st_size
    return f"{size} bytes, and not {remote.size}" if size != remote.size else check(part)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): "
            f"free some space or fix that, and run it again: it resumes where it stopped"
        ) from error


def _lock(file: IO[bytes], path: Path) -> None:
    """Have the file alone; the system frees it however this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"another process is fetching {path}: wait until it is done") from error
