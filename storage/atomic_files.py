"""Files that appear whole or not at all."""

import filecmp
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the name ``path`` when the block ends without an error.

    Nobody ever reads half of it, and after an error or a full disk what was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o666 & ~_umask())  # as any new file, where mkstemp lets only its owner read
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def has_same_content(one: Path, other: Path) -> bool:
    """Whether two files are equal, byte for byte."""
    return filecmp.cmp(one, other, shallow=False)


def _umask() -> int:
    """The process's mask of file modes, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
