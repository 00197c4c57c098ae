"""Atomic file writes."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path, which replaces ``path`` if the block ends without an error.

    Readers never see a partial file. After an error, such as a full disk, the previous file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o666 & ~_umask())  # the mode of any new file: mkstemp makes files that only the owner can read
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a new folder atomically: yield a temporary folder, which is renamed to ``path`` if the block ends without
    an error. ``path`` must not exist, or be an empty folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield part
        part.chmod(0o777 & ~_umask())  # the mode of any new folder: mkdtemp makes folders that only the owner can read
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def has_same_content(one: Path, other: Path) -> bool:
    """Whether two files are identical, byte for byte."""
    return filecmp.cmp(one, other, shallow=False)


def _umask() -> int:
    """The umask of the process. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
