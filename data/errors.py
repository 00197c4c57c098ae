"""What goes wrong with a recording, said to the person who can mend it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataError(Exception):
    """A recording that is absent, damaged, of another dataset, or outside what the benchmark allows.

    The message is one or two lines: what is wrong, with the value, and what to do.
    """


@contextmanager
def explained(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Any failure to read ``path`` as ``what`` as a DataError: a file can be odd in more ways than are looked for."""
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"not enough memory to prepare {path}: give it more, or prepare it elsewhere with the same NLB_SEARCH_CACHE"
        ) from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise DataError(f"{path} cannot be read as {what} ({type(error).__name__}: {reason})\n{remedy}") from error
